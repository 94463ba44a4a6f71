import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { it, type TestContext } from 'node:test';
import { eventually } from '../support/eventually.js';
import { type Program, startProgram } from '../support/program.js';
import { connectTo, type RawConnection } from '../support/raw-socket.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { get, put, putHead, randomNumbers } from '../support/uploading.js';

const rounds = 4;
const uploadsPerRound = 40;

interface Upload {
  readonly key: string;
  readonly type: string;
  readonly body: Buffer;
  /** How many bytes are sent before the crash: all of them, or less. */
  readonly sentBytes: number;
}

/** Uploads of all stages; every body is told from any other, and every second type is not its extension's. */
function plan(round: number, random: () => number): Upload[] {
  return Array.from({ length: uploadsPerRound }, (_, index) => {
    const key = `round${round}/${index % 7}/${index}.jpg`;
    const size = 2 + Math.floor(random() ** 3 * 2_000_000);
    const body = Buffer.alloc(size, createHash('sha512').update(key).digest());
    const sentBytes = [0, Math.floor(random() * size), size - 1, size, size, size][index % 6] ?? 0;
    return { key, body, type: index % 2 === 0 ? 'image/jpeg' : 'image/webp', sentBytes };
  });
}

const isWholeSent = ({ sentBytes, body }: Upload) => sentBytes === body.length;

interface RunningUpload {
  readonly key: string;
  readonly connection: RawConnection;
  begin(): void;
}

async function connectFor(t: TestContext, program: Program, { key, type, body, sentBytes }: Upload) {
  const connection = await connectTo(t, program.origin);
  const head = putHead(program, key, body.length, `Content-Type: ${type}\r\n`);
  return {
    key,
    connection,
    begin() {
      connection.socket.write(head);
      if (sentBytes > 0) connection.socket.write(body.subarray(0, sentBytes));
    },
  };
}

const isCreated = ({ connection }: RunningUpload) => connection.received().startsWith('HTTP/1.1 201 ');

/** Kills the program in the moment in which this many uploads are answered. */
function killAfter(count: number, program: Program, uploads: readonly RunningUpload[]): Promise<unknown> {
  return new Promise((resolve) => {
    for (const { connection } of uploads) {
      connection.socket.on('data', () => {
        if (uploads.filter(isCreated).length === count) resolve(program.stop('SIGKILL'));
      });
    }
  });
}

/** Kills the program amid these uploads; resolves to the keys of all that were answered. */
async function crash(t: TestContext, program: Program, uploads: Upload[], random: () => number): Promise<Set<string>> {
  const connect = (upload: Upload) => connectFor(t, program, upload);
  const partial = await Promise.all(uploads.filter((upload) => !isWholeSent(upload)).map(connect));
  for (const upload of partial) upload.begin();
  await eventually(async () => {
    const names = await filesIn(program.storeDir);
    return names.filter((name) => name.includes('/temporary/')).length === partial.length;
  });
  const whole = await Promise.all(uploads.filter(isWholeSent).map(connect));
  const killed = killAfter(1 + Math.floor(random() * whole.length * 0.8), program, whole);
  for (const upload of whole) upload.begin();
  await killed;
  await Promise.all(whole.map(({ connection }) => connection.untilClosed()));
  return new Set(whole.filter(isCreated).map(({ key }) => key));
}

/** Downloads an upload: `false` if it does not exist; whatever is there must be whole and of its type. */
async function isServedWhole(program: Program, { key, body, type }: Upload): Promise<boolean> {
  const answer = await get(program, key);
  if (answer.status === 404) return false;
  assert.equal(answer.status, 200);
  assert.ok(answer.body.equals(body), `${key} is not whole`);
  assert.equal(answer.headers['content-type'], type);
  return true;
}

it('after SIGKILL during many uploads, answered ones are whole, others leave nothing and can be retried', async (t) => {
  const seed = Math.floor(Math.random() * 2 ** 32);
  t.diagnostic(`seed ${seed}`);
  const random = randomNumbers(seed);
  const settings = { storeDir: await tempDir(t), secret: 's3cret' };
  let program = await startProgram(t, settings);
  for (let round = 0; round < rounds; round += 1) {
    const uploads = plan(round, random);
    const created = await crash(t, program, uploads, random);
    program = await startProgram(t, settings);

    const bodies = new Map(uploads.map(({ key, body }) => [key, body]));
    const names = await filesIn(settings.storeDir);
    assert.deepEqual(
      names.filter((name) => name.includes('temporary')),
      [],
    );
    const stored = names.filter((name) => name.startsWith(`round${round}/`));
    for (const name of stored) {
      const bytes = await readFile(path.join(settings.storeDir, name));
      assert.ok(bodies.get(name)?.equals(bytes), `${name} is not whole`);
    }
    for (const upload of uploads) {
      const isServed = await isServedWhole(program, upload);
      if (created.has(upload.key)) assert.ok(isServed, `${upload.key} was answered 201 and is gone`);
      if (!isWholeSent(upload)) assert.ok(!isServed, `${upload.key} was not sent whole and is served`);
      const retry = await put(program, upload.key, upload.body, { 'content-type': upload.type });
      assert.equal(retry.status, isServed ? 409 : 201);
      assert.ok(await isServedWhole(program, upload));
    }
    t.diagnostic(`round ${round}: ${created.size} answered 201, ${stored.length} stored, ${uploads.length} begun`);
  }
  assert.equal(
    (await filesIn(settings.storeDir)).filter((name) => name.startsWith('round')).length,
    rounds * uploadsPerRound,
  );
});
