/*
 * The hot loop of a PUT. One write runs at a time, and all bytes that arrive meanwhile go into the next one. A write begins
 * when 256 KiB are waiting, when the body is complete, or after 250 ms, so that the file of a slow upload never looks
 * abandoned. While all uploads together hold more than 16 MiB, 64 KiB are enough. When more than 1 MiB are waiting, the body is
 * paused. Bytes that are written are freed at once.
 * stream.pipeline to a WriteStream would write each chunk by itself, at half the rate.
 */
import { writev } from 'node:fs';
import type { Readable } from 'node:stream';
import { FilerError } from '../../errors.js';
import { freeMemory } from './free-memory.js';

/** A hand-over to the thread pool costs as much as copying 64 KiB, so fast uploads have four times that written at once. */
const gatherBytes = 256 * 1024;
const hurriedGatherBytes = 64 * 1024;
const muchBytes = 16 * 1024 * 1024;
const gatherMs = 250;
const pauseBytes = 1024 * 1024;

/** The buffers without their first `count` bytes. */
function dropBytes(buffers: readonly Buffer[], count: number): Buffer[] {
  let left = count;
  return buffers.flatMap((buffer) => {
    const dropped = Math.min(left, buffer.length);
    left -= dropped;
    return dropped < buffer.length ? [buffer.subarray(dropped)] : [];
  });
}

class BodyWriter {
  /** Bytes that wait in all uploads of this process. */
  static #allWaitingBytes = 0;
  readonly #body: Readable;
  readonly #fd: number;
  readonly #size: number;
  readonly #done: (error?: Error) => void;
  #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #received = 0;
  #written = 0;
  #isWriting = false;
  #wroteAt = performance.now();
  #failure: Error | undefined;

  constructor(body: Readable, fd: number, size: number, done: (error?: Error) => void) {
    this.#body = body;
    this.#fd = fd;
    this.#size = size;
    this.#done = done;
  }

  start(): void {
    this.#body.on('data', this.#onData).on('end', this.#onOver).on('close', this.#onOver).on('error', this.#onOver);
    if (this.#size === 0) this.#finish();
    else if (this.#body.destroyed) this.#onOver();
  }

  readonly #onData = (chunk: Buffer): void => {
    this.#received += chunk.length;
    if (this.#received > this.#size) {
      this.#fail(new FilerError('BODY_INCOMPLETE', 'the body is longer than its announced length'));
      return;
    }
    this.#waiting.push(chunk);
    this.#countWaiting(chunk.length);
    if (this.#waitingBytes > pauseBytes) this.#body.pause();
    this.#writeWaiting();
  };

  readonly #onOver = (error?: unknown): void => {
    if (this.#received === this.#size) return;
    const found = `the body ended after ${this.#received} of ${this.#size} bytes`;
    this.#fail(error instanceof FilerError ? error : new FilerError('BODY_INCOMPLETE', found));
  };

  #writeWaiting(): void {
    if (this.#isWriting) return;
    const isDue = performance.now() - this.#wroteAt > gatherMs;
    const enough = BodyWriter.#allWaitingBytes > muchBytes ? hurriedGatherBytes : gatherBytes;
    if (this.#waitingBytes < enough && this.#received < this.#size && !isDue) return;
    this.#wroteAt = performance.now();
    const buffers = this.#waiting;
    this.#waiting = [];
    this.#countWaiting(-this.#waitingBytes);
    this.#isWriting = true;
    this.#write(buffers);
  }

  #write(buffers: Buffer[]): void {
    writev(this.#fd, buffers, (error, count) => {
      const rest = error === null ? dropBytes(buffers, count) : [];
      if (error === null) this.#written += count;
      if (rest.length > 0) {
        this.#write(rest);
        return;
      }
      buffers.forEach(freeMemory);
      this.#isWriting = false;
      if (error !== null) this.#failure ??= error;
      this.#afterWrite();
    });
  }

  #afterWrite(): void {
    if (this.#failure !== undefined || this.#written === this.#size) {
      this.#finish();
      return;
    }
    this.#body.resume();
    if (this.#waitingBytes > 0) this.#writeWaiting();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    if (!this.#isWriting) this.#finish();
  }

  #countWaiting(change: number): void {
    this.#waitingBytes += change;
    BodyWriter.#allWaitingBytes += change;
  }

  #finish(): void {
    this.#countWaiting(-this.#waitingBytes);
    // The listener for errors stays: the connection may still break, and an error without a listener ends the process.
    this.#body.off('data', this.#onData).off('end', this.#onOver).off('close', this.#onOver);
    this.#done(this.#failure);
  }
}

/**
 * Writes a body of `size` bytes to the beginning of an open file. Throws `BODY_INCOMPLETE` when the body is longer, or ends or
 * breaks before, the body's own FilerError, or the error of a write. It settles when no write is running, so that the
 * descriptor can be closed at once. It frees the chunks that it has written, and does not read what follows the body.
 */
export function receiveBody(body: Readable, fd: number, size: number): Promise<void> {
  return new Promise((resolve, reject) => {
    new BodyWriter(body, fd, size, (error) => (error === undefined ? resolve() : reject(error))).start();
  });
}
