import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { missingPeer } from '../support/peers.js';
import type { Settings } from '../support/program.js';
import { type Program, startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { deleteToken, secret } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { get, put } from '../support/uploading.js';

const needsStrace = { skip: missingPeer('strace') ?? false };

/** A system call that succeeded; lines of the trace say when it began and when it had its result. */
interface SystemCall {
  readonly text: string;
  readonly began: number;
  readonly ended: number;
}

/** Reads `strace -f`, where a call during which another thread makes one stands in two parts. */
function parseTrace(trace: string): SystemCall[] {
  const unfinished = new Map<string, { text: string; began: number }>();
  const calls: SystemCall[] = [];
  for (const [index, line] of trace.split('\n').entries()) {
    const [, thread = '', rest = ''] = /^(\d+)\s+\d+\.\d+ (.*)$/.exec(line) ?? [];
    const beginning = /^(.*?)\s*<unfinished \.\.\.>$/.exec(rest)?.[1];
    const end = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest)?.[1];
    if (beginning !== undefined) {
      unfinished.set(thread, { text: beginning, began: index });
      continue;
    }
    const { text, began } = (end === undefined ? undefined : unfinished.get(thread)) ?? { text: '', began: index };
    const whole = text + (end ?? rest);
    if (/\) += (0|[1-9]\d*)(<.*>)?$/.test(whole)) calls.push({ text: whole, began, ended: index });
  }
  return calls;
}

const traced = [
  'write,writev,pwrite64,pwritev,sendto,sendmsg,openat,mkdir,mkdirat,link,linkat,unlink,unlinkat,rmdir',
  'fsync,fdatasync,sync_file_range',
].join();

/** A command that writes the system calls of another one to a file. strace does not see those that go through io_uring. */
function straceTo(file: string): string[] {
  return `env UV_USE_IO_URING=0 strace -f -y -ttt -s 64 -e trace=${traced} -o`.split(' ').concat(file);
}

/** The system calls of the program with a new store, while `use` uses it. */
async function trace(t: TestContext, settings: Settings, use: (program: Program) => Promise<void>) {
  const file = path.join(await tempDir(t), 'trace');
  const program = await startProgram(t, settings, straceTo(file));
  await use(program);
  await program.stop();
  return { calls: parseTrace(await readFile(file, 'utf8')), storeDir: program.storeDir };
}

/** The system calls of the program while it takes one upload in a new slot. */
function traceUpload(t: TestContext, settings: Settings, contentType: string) {
  return trace(t, settings, async (program) => {
    const answer = await put(program, 'a/b/f.jpg', Buffer.alloc(300_000, 'x'), { 'content-type': contentType });
    assert.equal(answer.status, 201);
  });
}

function matching(calls: readonly SystemCall[], pattern: RegExp): [SystemCall, ...SystemCall[]] {
  const [first, ...more] = calls.filter(({ text }) => pattern.test(text));
  if (first === undefined) assert.fail(`no call matches ${pattern}:\n${calls.map(({ text }) => text).join('\n')}`);
  return [first, ...more];
}

/** Asserts that every call of the one pattern has its result before any of the other begins. */
function assertOrder(calls: readonly SystemCall[], earlier: RegExp, later: RegExp): void {
  const ended = Math.max(...matching(calls, earlier).map((call) => call.ended));
  const began = Math.min(...matching(calls, later).map((call) => call.began));
  assert.ok(ended < began, `${earlier} at ${ended} is not over before ${later} at ${began}`);
}

const temporary = /\/\.prosody-filer\/temporary\//.source;
const dataWritten = new RegExp(`^p?writev?(64)?\\(\\d+<[^>]*${temporary}`);
const dataFlushed = new RegExp(`^f(data)?sync\\(\\d+<[^>]*${temporary}`);
const linked = /^link(at)?\(.*\/a\/b\/f\.jpg"/;
const answered = /^(writev?|sendto|sendmsg)\(\d+<(socket|TCP)[^>]*>.*HTTP\/1\.1 201/;

function folderFlushed(folder: string): RegExp {
  return new RegExp(`^fsync\\(\\d+<${folder.replaceAll('.', '\\.')}>\\)`);
}

describe('durability = "sync"', needsStrace, () => {
  it('flushes the bytes, then links, then flushes each folder with a new entry, then answers', async (t) => {
    const { calls, storeDir } = await traceUpload(t, { durability: 'sync' }, 'image/jpeg');
    assert.equal(matching(calls, dataFlushed).length, 1);
    assertOrder(calls, dataWritten, dataFlushed);
    assertOrder(calls, dataFlushed, linked);
    for (const folder of [`${storeDir}/a/b`, `${storeDir}/a`, storeDir]) {
      assertOrder(calls, linked, folderFlushed(folder));
      assertOrder(calls, folderFlushed(folder), answered);
    }
  });

  it('flushes a sidecar and its folders before the upload that it describes is linked', async (t) => {
    const { calls, storeDir } = await traceUpload(t, { durability: 'sync' }, 'image/webp');
    const reserved = `${storeDir}/.prosody-filer`;
    const sidecar = `\\d+<${reserved.replaceAll('.', '\\.')}/sidecars/[0-9a-f]{2}/[0-9a-f]{64}>`;
    const sidecarWritten = new RegExp(`^p?writev?(64)?\\(${sidecar}`);
    const sidecarFlushed = new RegExp(`^f(data)?sync\\(${sidecar}`);
    const [folder = ''] = /[^<]+\/sidecars\/[0-9a-f]{2}/.exec(matching(calls, sidecarFlushed)[0].text) ?? [];
    assertOrder(calls, sidecarWritten, sidecarFlushed);
    for (const flushed of [sidecarFlushed, ...[folder, `${reserved}/sidecars`, reserved].map(folderFlushed)]) {
      assertOrder(calls, flushed, linked);
    }
    // The sidecar is bound to the mtime, which fdatasync leaves out.
    assertOrder(calls, new RegExp(`^fsync\\(\\d+<[^>]*${temporary}`), linked);
    assertOrder(calls, linked, folderFlushed(`${storeDir}/a/b`));
    assertOrder(calls, folderFlushed(`${storeDir}/a/b`), answered);
  });

  it('flushes the folder of a slot that is used again', async (t) => {
    const { calls, storeDir } = await trace(t, {}, async (program) => {
      assert.equal((await put(program, 's/first', Buffer.from('x'))).status, 201);
      assert.equal((await put(program, 's/second', Buffer.from('x'))).status, 201);
    });
    const second = calls.filter(({ began }) => began > matching(calls, answered)[0].ended);
    assertOrder(second, dataFlushed, /^link(at)?\(.*\/s\/second"/);
    assertOrder(second, /^link(at)?\(.*\/s\/second"/, folderFlushed(`${storeDir}/s`));
    assertOrder(second, folderFlushed(`${storeDir}/s`), answered);
  });
});

const deleteSecret = 'other';

/** The system calls of a DELETE, with the answers to it. Before, these uploads are stored. */
async function traceDeletion(t: TestContext, settings: Settings, deleted: string, stored: readonly string[]) {
  const { calls, storeDir } = await trace(t, { secret, deleteSecret, ...settings }, async (program) => {
    for (const key of stored) {
      // A type that is not its extension's, so that it has a sidecar.
      assert.equal((await put(program, key, Buffer.from('x'), { 'content-type': 'image/webp' })).status, 201);
    }
    const rawTarget = `/upload/${deleted}?token=${deleteToken(deleted, deleteSecret)}`;
    assert.equal((await send({ origin: program.origin, rawTarget }, { method: 'DELETE' })).status, 204);
    assert.equal((await get(program, deleted)).status, settings['replayWindow'] === '0s' ? 404 : 410);
  });
  const lastAnswer = stored.length === 0 ? -1 : (matching(calls, answered)[stored.length - 1]?.ended ?? 0);
  return { calls: calls.filter(({ began }) => began > lastAnswer), storeDir };
}

const deletionAnswered = /^(writev?|sendto|sendmsg)\(\d+<(socket|TCP)[^>]*>.*HTTP\/1\.1 204/;

describe('a deletion with durability = "sync"', needsStrace, () => {
  it('flushes the tombstone and its folders, then removes the upload, flushes the folder above, then answers', async (t) => {
    const { calls, storeDir } = await traceDeletion(t, {}, 'a/b/f.jpg', ['a/b/f.jpg', 'a/c/f.jpg']);
    const reserved = `${storeDir}/.prosody-filer`;
    const tombstone = `${reserved.replaceAll('.', '\\.')}/tombstones/[0-9a-f]{2}`;
    const removed = /^unlink\(.*\/a\/b\/f\.jpg"/;
    for (const flushed of [
      new RegExp(`^f(data)?sync\\(\\d+<${tombstone}/[0-9a-f]{64}>`),
      new RegExp(`^fsync\\(\\d+<${tombstone}>`),
      folderFlushed(`${reserved}/tombstones`),
      folderFlushed(reserved),
    ]) {
      assertOrder(calls, flushed, removed);
    }
    const folderRemoved = /^rmdir\(.*\/a\/b"/;
    assertOrder(calls, removed, folderRemoved);
    assertOrder(calls, folderRemoved, folderFlushed(`${storeDir}/a`));
    assertOrder(calls, folderFlushed(`${storeDir}/a`), deletionAnswered);
  });

  it("flushes the slot's folder if other uploads are in it", async (t) => {
    const settings = { replayWindow: '0s' };
    const { calls, storeDir } = await traceDeletion(t, settings, 's/first.jpg', ['s/first.jpg', 's/second.jpg']);
    assertOrder(calls, /^unlink\(.*\/s\/first\.jpg"/, folderFlushed(`${storeDir}/s`));
    assertOrder(calls, folderFlushed(`${storeDir}/s`), deletionAnswered);
  });

  it('flushes even if the upload is gone, since a sweep or another request may have removed it just now', async (t) => {
    const { calls, storeDir } = await traceDeletion(t, { replayWindow: '0s' }, 's/gone.jpg', []);
    assertOrder(calls, folderFlushed(storeDir), deletionAnswered);
  });

  it('shares flushes with others of the same purge', async (t) => {
    const program = await startProgram(t, { replayWindow: '0s' });
    const keys = Array.from({ length: 32 }, (_, index) => `s${index}/f.jpg`);
    await Promise.all(keys.map((key) => put(program, key, Buffer.from('x'))));
    const file = path.join(await tempDir(t), 'trace');
    const [command = '', ...args] = straceTo(file);
    const purge = [mainFile, 'purge', '--older-than', '0s', '--config', program.configFile];
    assert.equal((await run(command, [...args, process.execPath, ...purge])).code, 0);
    assert.deepEqual(await filesIn(program.storeDir), []);
    const calls = parseTrace(await readFile(file, 'utf8'));
    const { length } = matching(calls, folderFlushed(program.storeDir));
    assert.ok(length <= keys.length / 2, `${length} flushes for ${keys.length} deletions`);
    const lastRemoved = Math.max(...matching(calls, /^unlink\(.*\/f\.jpg"/).map(({ ended }) => ended));
    const lastFlushed = Math.max(...matching(calls, folderFlushed(program.storeDir)).map(({ began }) => began));
    assert.ok(lastRemoved < lastFlushed);
  });
});

describe('durability = "none"', needsStrace, () => {
  it('links without any flush', async (t) => {
    const { calls } = await traceUpload(t, { durability: 'none' }, 'image/webp');
    assertOrder(calls, dataWritten, linked);
    assertOrder(calls, linked, answered);
    assert.deepEqual(
      calls.filter(({ text }) => /^(fsync|fdatasync|sync_file_range)\(/.test(text)),
      [],
    );
  });
});
