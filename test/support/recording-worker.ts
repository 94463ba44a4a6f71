/*
 * A disk with a volatile cache: it serves one file by the kernel's FUSE protocol, version 7.31 (<linux/fuse.h>; all numbers are
 * little-endian here), and records each write and each flush. The mount's root is that file, so there are no names to look up.
 * This thread only makes blocking calls, so that it answers while other threads wait for the file.
 */
import { readSync, writeSync } from 'node:fs';
import { endianness } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { systemErrorCode } from '../../src/errors.js';
import type { DiskEvent, RecordingTask } from './recorded-disk.js';

const headerBytes = 40;
const answerHeaderBytes = 16;
const maxWriteBytes = 128 * 1024;
/** An answer of 201 that does not wait for its flush comes before a flush of this length is recorded. */
const flushMs = 2;
/** A plain file that only its owner may read and write. */
const fileMode = 0o100600;
const notSupported = -38; // ENOSYS

const { fd, image, count } = workerData as RecordingTask;
const events: DiskEvent[] = [];

function record(event: DiskEvent): void {
  events.push(event);
  Atomics.store(count, 0, events.length);
}

function attributes(): Buffer {
  const answer = Buffer.alloc(104);
  answer.writeBigUInt64LE(3600n, 0); // s for which they are valid
  answer.writeBigUInt64LE(1n, 16); // inode
  answer.writeBigUInt64LE(BigInt(image.length), 24);
  answer.writeBigUInt64LE(BigInt(image.length / 512), 32);
  answer.writeUInt32LE(fileMode, 76);
  answer.writeUInt32LE(1, 80); // links
  answer.writeUInt32LE(4096, 96); // block size
  return answer;
}

function agreeOnVersion(): Buffer {
  const answer = Buffer.alloc(64);
  answer.writeUInt32LE(7, 0);
  answer.writeUInt32LE(31, 4);
  answer.writeUInt16LE(16, 16); // requests in the background
  answer.writeUInt16LE(12, 18); // so many count as congestion
  answer.writeUInt32LE(maxWriteBytes, 20);
  answer.writeUInt32LE(1, 24); // ns, the precision of times
  return answer;
}

function read(request: Buffer): Buffer {
  const offset = Number(request.readBigUInt64LE(8));
  return Buffer.from(image.subarray(offset, offset + request.readUInt32LE(16)));
}

function write(request: Buffer): Buffer {
  const offset = Number(request.readBigUInt64LE(8));
  const size = request.readUInt32LE(16);
  const data = new Uint8Array(request.subarray(40, 40 + size));
  image.set(data, offset);
  record({ offset, data });
  const answer = Buffer.alloc(8);
  answer.writeUInt32LE(size, 0);
  return answer;
}

function flush(): Buffer {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, flushMs);
  record('flush');
  return Buffer.alloc(0);
}

const nothing = () => Buffer.alloc(0);
/** What answers a request, by its opcode. */
const answers: Readonly<Record<number, (request: Buffer) => Buffer>> = {
  3: attributes, // GETATTR
  4: attributes, // SETATTR
  14: () => Buffer.alloc(16), // OPEN
  15: read,
  16: write,
  18: nothing, // RELEASE
  20: flush, // FSYNC
  25: nothing, // FLUSH: a descriptor was closed
  26: agreeOnVersion, // INIT
  38: nothing, // DESTROY
};
/** FORGET, INTERRUPT and BATCH_FORGET get no answer. */
const unanswered = new Set([2, 36, 42]);

function answer(message: Buffer): void {
  const opcode = message.readUInt32LE(4);
  if (unanswered.has(opcode)) return;
  const body = answers[opcode]?.(message.subarray(headerBytes));
  const header = Buffer.alloc(answerHeaderBytes);
  header.writeUInt32LE(answerHeaderBytes + (body?.length ?? 0), 0);
  header.writeInt32LE(body === undefined ? notSupported : 0, 4);
  header.writeBigUInt64LE(message.readBigUInt64LE(8), 8);
  writeSync(fd, body === undefined ? header : Buffer.concat([header, body]));
}

/** The next request; `undefined` after the file was unmounted. */
function nextMessage(buffer: Buffer): Buffer | undefined {
  try {
    return buffer.subarray(0, readSync(fd, buffer));
  } catch (error) {
    const code = systemErrorCode(error);
    if (code === 'ENODEV') return undefined;
    if (code === 'ENOENT' || code === 'EINTR') return nextMessage(buffer); // the request was withdrawn
    throw error;
  }
}

if (endianness() !== 'LE') throw new Error('expected a little-endian machine');
const buffer = Buffer.alloc(maxWriteBytes + 4096);
for (let message = nextMessage(buffer); message !== undefined; message = nextMessage(buffer)) answer(message);
parentPort?.postMessage(events);
