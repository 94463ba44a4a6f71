import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { missingPeer } from '../support/peers.js';
import type { Settings } from '../support/program.js';
import { startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { put } from '../support/uploading.js';

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

const traced =
  'write,writev,pwrite64,pwritev,sendto,sendmsg,openat,mkdir,mkdirat,link,linkat,fsync,fdatasync,sync_file_range';

/** The system calls of the program while it takes one upload in a new slot. */
async function traceUpload(t: TestContext, settings: Settings, contentType: string) {
  const file = path.join(await tempDir(t), 'trace');
  const strace = ['strace', '-f', '-y', '-ttt', '-s', '64', '-e', `trace=${traced}`, '-o', file];
  // strace does not see operations that go through io_uring.
  const program = await startProgram(t, settings, ['env', 'UV_USE_IO_URING=0', ...strace]);
  const answer = await put(program, 'a/b/f.jpg', Buffer.alloc(300_000, 'x'), { 'content-type': contentType });
  assert.equal(answer.status, 201);
  await program.stop();
  const calls = parseTrace(await readFile(file, 'utf8'));
  return { calls, storeDir: program.storeDir };
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
    const file = path.join(await tempDir(t), 'trace');
    const strace = ['strace', '-f', '-y', '-ttt', '-s', '64', '-e', `trace=${traced}`, '-o', file];
    const program = await startProgram(t, {}, ['env', 'UV_USE_IO_URING=0', ...strace]);
    assert.equal((await put(program, 's/first', Buffer.from('x'))).status, 201);
    assert.equal((await put(program, 's/second', Buffer.from('x'))).status, 201);
    await program.stop();
    const calls = parseTrace(await readFile(file, 'utf8'));
    const second = calls.filter(({ began }) => began > matching(calls, answered)[0].ended);
    assertOrder(second, dataFlushed, /^link(at)?\(.*\/s\/second"/);
    assertOrder(second, /^link(at)?\(.*\/s\/second"/, folderFlushed(`${program.storeDir}/s`));
    assertOrder(second, folderFlushed(`${program.storeDir}/s`), answered);
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
