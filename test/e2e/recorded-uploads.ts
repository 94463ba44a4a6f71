import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { type Program, type Settings, startProgram } from '../support/program.js';
import { deleteToken, secret } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put } from '../support/uploading.js';

/** An upload, and at which events of the disk the client was told of it. */
export interface RecordedUpload {
  readonly key: string;
  readonly body: Buffer;
  readonly type: string;
  /** When 201 had arrived. */
  createdAt: number;
  /** When its deletion or the evictions began. */
  mayGoFrom: number;
  /** When the answer to its deletion had arrived. */
  deletedAt: number;
}

const deleteSecret = 's3cret';
/** Not enough for all uploads. */
const limits = { maxStoreSize: '280KB', whenFull: 'evict', evictMinAge: '1ms', sweepInterval: '1s' };
const sizes = [1, 5000, 20_000];
const largeSize = 100_000;

/** Every second one needs a sidecar, since its type is not its extension's. Two share a folder. */
function makeUpload(index: number, size: number): RecordedUpload {
  const key = `room${index >> 1}/${index % 3}/photo${index}.jpg`;
  return {
    key,
    body: Buffer.alloc(size, createHash('sha512').update(key).digest()),
    type: index % 2 === 0 ? 'image/jpeg' : 'image/webp',
    createdAt: Number.POSITIVE_INFINITY,
    mayGoFrom: Number.POSITIVE_INFINITY,
    deletedAt: Number.POSITIVE_INFINITY,
  };
}

/** Uploads, breaks off, deletes and evicts in a program whose disk is recorded. */
class Recording {
  readonly #program: Program;
  readonly #position: () => number;

  constructor(program: Program, position: () => number) {
    this.#program = program;
    this.#position = position;
  }

  async upload(uploads: readonly RecordedUpload[]): Promise<void> {
    await Promise.all(
      uploads.map(async (upload) => {
        const { status } = await put(this.#program, upload.key, upload.body, { 'content-type': upload.type });
        upload.createdAt = this.#position();
        assert.equal(status, 201);
      }),
    );
  }

  async breakOff(t: TestContext, { key, body }: RecordedUpload): Promise<void> {
    const isRunning = async () => (await filesIn(this.#program.storeDir)).some((name) => name.includes('/temporary/'));
    const { socket } = await beginPut(t, this.#program, key, body.length, body.subarray(0, -1));
    await eventually(isRunning);
    socket.destroy();
    await once(socket, 'close');
    await eventually(async () => !(await isRunning()));
  }

  async delete(upload: RecordedUpload): Promise<void> {
    const { origin } = this.#program;
    const rawTarget = `/upload/${upload.key}?token=${deleteToken(upload.key, deleteSecret)}`;
    upload.mayGoFrom = this.#position();
    const { status } = await send({ origin, rawTarget }, { method: 'DELETE' });
    upload.deletedAt = this.#position();
    assert.equal(status, 204);
  }

  /** Uploads so much that others are evicted, and finds out which. */
  async evict(large: readonly RecordedUpload[], others: readonly RecordedUpload[]): Promise<void> {
    const stored = others.filter(({ deletedAt }) => deletedAt === Number.POSITIVE_INFINITY).length;
    await this.#program.waitForLog(({ msg, files }) => msg === 'swept' && files === stored);
    const begunAt = this.#position();
    await this.upload(large);
    const evicted: RecordedUpload[] = [];
    for (const upload of others) {
      if (upload.mayGoFrom === Number.POSITIVE_INFINITY && (await get(this.#program, upload.key)).status === 410) {
        upload.mayGoFrom = begunAt;
        evicted.push(upload);
      }
    }
    assert.ok(evicted.length > 0 && evicted.length < others.length, `${evicted.length} were evicted`);
  }
}

/** Has the program use a store, whose disk tells its position in the recording; resolves to all uploads. */
export async function recordUploads(
  t: TestContext,
  settings: Settings,
  position: () => number,
): Promise<{ readonly uploads: RecordedUpload[]; readonly first: number; readonly last: number }> {
  const first = position();
  const program = await startProgram(t, { ...settings, ...limits, secret, deleteSecret });
  const recording = new Recording(program, position);
  const early = Array.from({ length: 9 }, (_, index) => makeUpload(index, sizes[index % 3] ?? 0));
  for (let index = 0; index < early.length; index += 3) await recording.upload(early.slice(index, index + 3));

  const retried = makeUpload(9, 20_000);
  await recording.breakOff(t, retried);
  // The folders of the first two go with them, room1 stays.
  const [plain, withSidecar, , inRoom1] = early;
  assert.ok(plain !== undefined && withSidecar !== undefined && inRoom1 !== undefined);
  const late = makeUpload(10, 5000);
  await Promise.all([recording.delete(plain), recording.delete(withSidecar), recording.upload([late])]);
  await recording.delete(inRoom1);
  await recording.upload([retried]);

  const large = [makeUpload(11, largeSize), makeUpload(12, largeSize)];
  const others = [...early, retried, late];
  await recording.evict(large, others);
  const last = position();
  await program.stop();
  return { uploads: [...others, ...large], first, last };
}
