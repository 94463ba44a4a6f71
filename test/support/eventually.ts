/** A slow machine is no broken one. */
const patienceMs = 60_000;
const pauseMs = 10;

/** Resolves as soon as the claim holds; rejects if it does not within a minute. */
export async function eventually(claim: () => Promise<boolean> | boolean): Promise<void> {
  const endsAt = performance.now() + patienceMs;
  for (;;) {
    const startedAt = performance.now();
    if (await claim()) return;
    if (performance.now() > endsAt) throw new Error(`not within ${patienceMs} ms: ${claim}`);
    // A claim that is costly to check must not slow down what it waits for.
    const took = performance.now() - startedAt;
    await new Promise((resolve) => setTimeout(resolve, Math.max(pauseMs, took)));
  }
}
