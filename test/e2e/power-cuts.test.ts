/*
 * Uploads, deletions and evictions on a disk whose writes and flushes are recorded. Then the power is cut between any two of
 * them. CI tries some cuts by chance; CRASH_STATES=all tries all of them, and CRASH_STATES=1000 so many for each filesystem.
 */
import assert from 'node:assert/strict';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import type { Answer } from '../support/http-client.js';
import { missingPeer } from '../support/peers.js';
import { type Filesystem, PowerCutDisk } from '../support/power-cut-disk.js';
import { chooseCuts, imagesAfter, listPowerCuts } from '../support/power-cuts.js';
import { startProgram } from '../support/program.js';
import { startServer } from '../support/server.js';
import type { Teardown } from '../support/temp-dir.js';
import { secret } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { get, put, randomNumbers, type Uploadable } from '../support/uploading.js';
import { type RecordedUpload, recordUploads } from './recorded-uploads.js';

const cutsInCI = 20;
const chosenCuts =
  process.env['CRASH_STATES'] === 'all' ? Number.POSITIVE_INFINITY : Number(process.env['CRASH_STATES'] ?? cutsInCI);
/** The whole program looks at every so many cuts; at others, its HTTP server and its store in this process, which is faster. */
const programEvery = 10;

/** Hooks that run at the end of each power cut. */
class Hooks implements Teardown {
  readonly #hooks: (() => unknown)[] = [];

  after(hook: () => unknown): void {
    this.#hooks.push(hook);
  }

  async run(): Promise<void> {
    for (const hook of this.#hooks) await hook();
  }
}

/** What is wrong with an upload after a power cut, if anything. */
async function findFault(server: Uploadable, upload: RecordedUpload, position: number): Promise<string | undefined> {
  const { key, body, type } = upload;
  const isWhole = ({ status, headers, body: found }: Answer) =>
    status === 200 && found.equals(body) && headers['content-type'] === type;
  const found = await get(server, key);
  const { status: again } = await put(server, key, body, { 'content-type': type });
  const statuses = `GET ${found.status}, PUT ${again}`;
  if (found.status === 200) {
    if (position >= upload.deletedAt) return `its deletion was answered 204 and it is back (${statuses})`;
    return isWhole(found) && again === 409 ? undefined : `it is not served whole (${statuses})`;
  }
  const isCreated = upload.createdAt <= position;
  if (isCreated && position < upload.mayGoFrom) return `it was answered 201 and is gone (${statuses})`;
  if (isCreated) {
    const isBlocked = found.status === 410 && again === 409;
    return isBlocked ? undefined : `it was deleted, and its slot is free (${statuses})`;
  }
  const isUsable = found.status === 404 && again === 201 && isWhole(await get(server, key));
  return isUsable ? undefined : `its slot cannot be used again (${statuses})`;
}

/** Starts on the mounted disk, and finds what is wrong there. */
async function examine(storeDir: string, uploads: readonly RecordedUpload[], position: number, isProgram: boolean) {
  const hooks = new Hooks();
  try {
    const server = isProgram
      ? await startProgram(hooks, { storeDir, secret })
      : { secret, ...(await startServer(hooks, { storeDir, tombstonePhase: () => 'blocks' })) };
    const faults = (await filesIn(storeDir))
      .filter((name) => name.includes('/temporary/'))
      .map((name) => `${name}: a temporary file of before the power cut`);
    for (const upload of uploads) {
      const fault = await findFault(server, upload, position);
      if (fault !== undefined) faults.push(`${upload.key}: ${fault}`);
    }
    return faults;
  } finally {
    await hooks.run();
  }
}

async function record(t: TestContext, disk: PowerCutDisk, durability: 'sync' | 'none') {
  const base = await disk.format();
  const recorded = await disk.mountRecorded(base);
  const settings = { storeDir: path.join(disk.folder, 'upload'), durability };
  const { uploads, first, last } = await recordUploads(t, settings, recorded.position);
  await disk.unmountRecorded();
  return { base, uploads, first, events: (await recorded.events()).slice(0, last) };
}

/** Tries so many power cuts; resolves to a line for each fault. */
async function findFaults(t: TestContext, filesystem: Filesystem, durability: 'sync' | 'none', count: number) {
  const seed = Number(process.env['CRASH_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  const random = randomNumbers(seed);
  const disk = await PowerCutDisk.open(t, filesystem);
  const { base, uploads, first, events } = await record(t, disk, durability);
  const all = listPowerCuts(events, first, random);
  const chosen = chooseCuts(all, count, random);
  t.diagnostic(`${filesystem}: ${chosen.length} of ${all.length} power cuts, ${events.length} events, seed ${seed}`);
  const faults: string[] = [];
  let index = 0;
  for (const { cut, image } of imagesAfter(base, events, chosen)) {
    const { position, flushed, kept } = cut;
    await disk.mount(image);
    const found = await examine(path.join(disk.folder, 'upload'), uploads, position, index++ % programEvery === 0);
    await disk.unmount();
    const when = `after event ${position}, with those before ${flushed} and [${kept}]`;
    faults.push(...found.map((fault) => `${when}: ${fault}`));
  }
  return faults;
}

const skip = process.getuid?.() === 0 ? (missingPeer('mkfs.ext4', 'mkfs.xfs', 'losetup') ?? false) : 'needs root';

describe('after a power cut', { skip }, () => {
  for (const filesystem of ['ext4', 'xfs'] as const) {
    it(`on ${filesystem}, answered uploads are whole, answered deletions last, other uploads are whole or leave their slots usable`, async (t) => {
      assert.deepEqual(await findFaults(t, filesystem, 'sync', chosenCuts), []);
    });
  }

  it('without flushes, answered uploads are gone: this test would notice', async (t) => {
    const faults = await findFaults(t, 'ext4', 'none', 20);
    assert.ok(faults.some((fault) => fault.includes('it was answered 201 and is gone')));
  });
});
