/*
 * A night of use in minutes: users act at random while workers are killed, the program is restarted, and the XMPP server and
 * the store fail. After each round of troubles, an audit looks at everything. What is done, and when, depends on the seed
 * only; how it is interleaved depends on the machine.
 */
import { randomInt } from 'node:crypto';
import type { TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { Audit } from './audit.js';
import { Dice } from './dice.js';
import { Filer } from './filer.js';
import type { Flaps } from './flapping-s3.js';
import { FlappingXmpp } from './flapping-xmpp.js';
import { Gate } from './gate.js';
import { History } from './history.js';
import { LogWatch } from './log-watch.js';
import { Oracle } from './oracle.js';
import { Permits } from './permits.js';
import { Requests } from './requests.js';
import type { Scene, Site } from './scene.js';
import { evictMinAgeMs, filerSettings, limits } from './settings.js';
import { User } from './user.js';

const env = process.env;
const isLong = env['SOAK'] === '1';
const seed = Number(env['SOAK_SEED'] ?? (isLong ? randomInt(2 ** 31) : 1));
/** How long a soak goes on; without SOAK it is one round. */
const soakMs = isLong ? 1000 * Number(env['SOAK_SECONDS'] ?? 600) : 0;
const users = isLong ? 10 : 3;
const pauses: readonly [number, number] = isLong ? [500, 6000] : [300, 900];
const sweepIntervalMs = isLong ? 1000 : 200;
/** In some of the long soaks, slots of deleted uploads become free again; in the others, they count for dailyQuota all the time. */
const replayWindowMs = isLong ? new Dice(seed, 'replayWindow').pick([40_000, 3_600_000]) : 3_600_000;

/** The longest time for which the XMPP server accepts the component. */
const longestLinkMs = isLong ? 12_000 : 1600;

/** How often the store fails in each way, and the longest time for which it works or fails. */
export const flaps: Flaps = isLong
  ? { times: Number.POSITIVE_INFINITY, longestMs: 6000 }
  : { times: 1, longestMs: 400 };

/** A worker dies, or the program ends by a signal and is started again. */
type Trouble = 'worker' | 'SIGKILL' | 'SIGTERM';

/** What happens in each round. A short soak has no time for more. */
const allTroubles: readonly Trouble[] = ['worker', 'worker', 'SIGKILL', 'SIGTERM'];
const troublesOf = ({ isFlapping }: Site): readonly Trouble[] => {
  if (isLong) return allTroubles;
  return isFlapping ? ['worker'] : ['worker', 'SIGKILL'];
};

/** Makes the place where the uploads are; `dice` decide when it fails. */
export type MakeSite = (t: TestContext, dice: Dice, history: History) => Promise<Site>;

async function openScene(t: TestContext, makeSite: MakeSite, fail: (error: unknown) => void): Promise<Scene> {
  const history = new History(seed);
  const site = await makeSite(t, new Dice(seed, 'store'), history);
  const { grainMs, isFlapping: isStoreFlapping } = site;
  const oracle = new Oracle({ replayWindowMs, evictMinAgeMs, grainMs }, limits, history);
  const log = new LogWatch({ history, oracle, isStoreFlapping });
  const xmpp = await FlappingXmpp.start(t, new Dice(seed, 'xmpp'), history, longestLinkMs);
  const settingsFor = (port: number) => ({
    ...filerSettings(port, xmpp.port, { replayWindowMs, sweepIntervalMs }),
    ...site.settings,
  });
  const filer = await Filer.start(t, settingsFor, { log, history, fail });
  return { site, filer, log, oracle, history, xmpp };
}

async function trouble({ filer, oracle }: Scene, name: Trouble, dice: Dice): Promise<void> {
  if (name !== 'SIGTERM') oracle.noteDeath();
  if (name === 'worker') return filer.killWorker(dice);
  if (name === 'SIGKILL') oracle.noteKill();
  return filer.restart(name);
}

/** One round: each trouble once, in any order, while the store fails now and then; then the audit. */
async function round(scene: Scene, gate: Gate, audit: Audit, dice: Dice, signal: AbortSignal): Promise<void> {
  const calm = new AbortController();
  const flapping = scene.site.flap(AbortSignal.any([signal, calm.signal]));
  // A process that starts needs a service that works for longer than it does in a short soak.
  if (!isLong) await flapping;
  for (const name of dice.shuffled(troublesOf(scene.site))) {
    await wait(dice.between(...pauses), undefined, { signal });
    await trouble(scene, name, dice);
  }
  await wait(dice.between(...pauses), undefined, { signal });
  await gate.close();
  calm.abort();
  await flapping;
  await audit.run();
  gate.open();
}

/** Runs the soak; throws at the first violation. */
export async function soak(t: TestContext, makeSite: MakeSite): Promise<void> {
  t.diagnostic(`SOAK_SEED=${seed}`);
  const stopping = new AbortController();
  const { signal } = stopping;
  let failure: unknown;
  const fail = (error: unknown) => {
    if (!signal.aborted) failure = error;
    stopping.abort();
  };
  const scene = await openScene(t, makeSite, fail);
  const { history, filer, site } = scene;
  const gate = new Gate();
  const requests = new Requests(scene);
  const shared = { permits: new Map(), generations: new Map() };
  const permitsOf = (name: string) => new Permits(scene, new Dice(seed, `slots of ${name}`), name, shared);
  const live = async (name: string) => {
    const user = new User(scene, requests, permitsOf(name), new Dice(seed, name));
    while (!signal.aborted) await gate.pass(() => user.act()).catch(fail);
  };
  const living = Array.from({ length: users }, (_, index) => live(`user${index}`));
  const audit = new Audit(scene, requests, permitsOf('auditor'), new Dice(seed, 'audit'));
  const dice = new Dice(seed, 'troubles');
  const endsAt = Date.now() + soakMs;
  try {
    do await round(scene, gate, audit, dice, signal);
    while (Date.now() < endsAt);
    stopping.abort();
    await Promise.all(living);
    await filer.stop('SIGTERM');
    const leftOvers = await site.leftOvers();
    if (leftOvers.length > 0) throw history.violation(`left over: ${leftOvers.join(', ')}`);
  } catch (error) {
    fail(error);
  }
  t.diagnostic(history.summary());
  if (failure !== undefined) throw failure;
}
