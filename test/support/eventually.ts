const patienceMs = 20_000;
const pauseMs = 10;

/** Resolves as soon as the claim holds; rejects if it does not within 20 s. */
export async function eventually(claim: () => Promise<boolean> | boolean): Promise<void> {
  const endsAt = performance.now() + patienceMs;
  while (!(await claim())) {
    if (performance.now() > endsAt) throw new Error(`not within ${patienceMs} ms: ${claim}`);
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
}
