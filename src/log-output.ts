/*
 * Writes log lines without waiting. Standard output may be a file on a full disk or a pipe that no process reads, and no
 * request should wait for either. A line is written at once if possible. If the pipe is full, lines wait, up to a limit.
 * Lines that cannot be written are lost and counted.
 */
import { constants, fstatSync, openSync, writeSync } from 'node:fs';
import { messageOf } from './errors.js';

/** How much may wait for a reader: some thousand lines. */
const maxWaitingBytes = 1024 * 1024;
const retryMs = 50;
/** How long the end of the process waits for a reader. */
const maxFlushMs = 1000;
const lineFeed = Buffer.from('\n');

/** Reports how many lines were lost, and why the last one was lost. */
export type ReportLoss = (lines: number, reason: string) => void;

/**
 * A new descriptor for the same pipe or terminal that does not block. Setting O_NONBLOCK on the old one would change it for
 * all processes that share it. A socket, or a pipe of another user, cannot be opened again. Then the result is `fd` itself,
 * on which Node.js does not let `process.stdout` block.
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
  /** Whether the output ends in the middle of a line. */
  #isMidLine = false;
  #lostLines = 0;
  #unreported = 0;
  #reason = '';
  #isReporting = false;

  constructor(fd: number, reportLoss: ReportLoss) {
    this.#fd = fd;
    this.#reportLoss = reportLoss;
  }

  /** How many lines have been lost so far. */
  get lostLines(): number {
    return this.#lostLines;
  }

  /** Writes a line now, or once there is room for it. */
  write(line: string): void {
    const bytes = Buffer.from(line);
    if (this.#waiting.length === 0) this.#writeNow(bytes);
    else this.#wait(bytes);
  }

  /** Writes the waiting lines, for at most 1 s, and reports lost ones. For the end of the process. */
  flush(): void {
    const end = performance.now() + maxFlushMs;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    this.#writeWaiting();
    while (this.#waiting.length > 0 && performance.now() < end) {
      Atomics.wait(pause, 0, 0, retryMs / 5);
      this.#writeWaiting();
    }
    // There will be no later line that reports it.
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
      this.#lose('no process reads standard output');
      return;
    }
    if (isFirst) this.#waiting.unshift(bytes);
    else this.#waiting.push(bytes);
    this.#waitingBytes += bytes.length;
    // The waiting rest completes the line.
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
    // The count stays if the report itself was lost.
    if (this.#unreported === lines) this.#unreported = 0;
  }
}
