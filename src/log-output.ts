/*
 * Where log lines go. Standard output may be a file on a full disk, or a pipe that nobody reads: no request waits for
 * either. A line is written at once where that works. What a pipe has no room for waits, up to a limit; what cannot be
 * written is lost and counted.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { messageOf } from './errors.js';

/** What waits for a reader at most: some thousand lines. */
const maxWaitingBytes = 1024 * 1024;
const retryMs = 50;
/** How long the end of the process waits for a reader. */
const maxFlushMs = 1000;
const lineFeed = Buffer.from('\n');

/** Says how many lines were lost, and why the last one was. */
export type ReportLoss = (lines: number, reason: string) => void;

/**
 * A new descriptor on the same pipe or terminal that does not block: O_NONBLOCK on the old one would change it for all
 * processes that share it. A socket or a pipe of another user cannot be opened again, and is taken as it is: Node.js does
 * not let `process.stdout` block there.
 */
export function openWithoutWaiting(fd: number): number {
  const stat = fstatSync(fd);
  if (!stat.isFIFO() && !stat.isCharacterDevice()) return fd;
  try {
    return openSync(`/proc/self/fd/${fd}`, constants.O_WRONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  } catch {
    return fd;
  }
}

function isFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

/** Writes lines to a descriptor that does not block, and never throws. */
export class LogOutput {
  readonly #fd: number;
  readonly #reportLoss: ReportLoss;
  readonly #waiting: Buffer[] = [];
  #waitingBytes = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Whether the last thing written is part of a line that was lost. */
  #isMidLine = false;
  #lostLines = 0;
  #unreported = 0;
  #reason = '';
  #isReporting = false;

  constructor(fd: number, reportLoss: ReportLoss) {
    this.#fd = fd;
    this.#reportLoss = reportLoss;
  }

  /** How many lines were lost so far. */
  get lostLines(): number {
    return this.#lostLines;
  }

  /** Writes a line now, or when there is room for it. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.length === 0) this.#writeNow(bytes);
    else this.#wait(bytes);
  }

  /** Writes what waits, for a second at most, and what was lost: called at the end of the process. */
  flush(): void {
    const end = performance.now() + maxFlushMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    this.#writeWaiting();
    while (this.#waiting.length > 0 && performance.now() < end) {
      Atomics.wait(pause, 0, 0, retryMs / 5);
      this.#writeWaiting();
    }
    // No later line will say so.
    if (this.#unreported > 0 && this.#waiting.length === 0) this.#report();
  }

  #writeNow(bytes: Buffer): void {
    let rest = this.#isMidLine ? Buffer.concat([lineFeed, bytes]) : bytes;
    try {
      while (rest.length > 0) {
        rest = rest.subarray(writeSync(this.#fd, rest));
        this.#isMidLine = rest.length > 0;
      }
    } catch (error) {
      if (isFull(error)) this.#wait(rest, true);
      else this.#lose(messageOf(error));
      return;
    }
    if (this.#unreported > 0 && !this.#isReporting && this.#waiting.length === 0) this.#report();
  }

  #wait(bytes: Buffer, isFirst = false): void {
    if (this.#waitingBytes + bytes.length > maxWaitingBytes) {
      this.#lose('nobody reads standard output');
      return;
    }
    if (isFirst) this.#waiting.unshift(bytes);
    else this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // The rest of a line goes on where it stopped.
    if (isFirst) this.#isMidLine = false;
    this.#timer ??= setInterval(() => this.#writeWaiting(), retryMs).unref();
  }

  #writeWaiting(): void {
    let before = Number.POSITIVE_INFINITY;
    while (this.#waiting.length > 0 && this.#waitingBytes < before) {
      before = this.#waitingBytes;
      const bytes = this.#waiting.shift() ?? lineFeed;
      this.#waitingBytes -= bytes.length;
      this.#writeNow(bytes);
    }
    if (this.#waiting.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #lose(reason: string): void {
    this.#lostLines += 1;
    this.#unreported += 1;
    this.#reason = reason;
  }

  #report(): void {
    const lines = this.#unreported;
    this.#isReporting = true;
    this.#reportLoss(lines, this.#reason);
    this.#isReporting = false;
    // Unless the report was lost as well.
    if (this.#unreported === lines) this.#unreported = 0;
  }
}
