import type { Config } from '../config/config.js';

/**
 * How many threads of Node.js make the system calls of the store. Each hand-over to a thread that sleeps costs more than most
 * of these calls, and threads without work compete for the next one: with 4, Node's default, an upload of 10 KiB takes five
 * times as many futex calls as with 2. Two, so that one long call does not stop the others. A flush only waits, and the
 * flushes of many uploads end together, so durable uploads get many threads. S3 needs threads for names (DNS) only.
 */
function diskThreads({ s3, isDurable }: Config): number | undefined {
  if (s3 !== undefined) return undefined;
  return isDurable ? 16 : 2;
}

/**
 * Sets the number of threads for this process and its workers, unless the environment says it. Has to be called before
 * Node.js uses the first of them, so before any asynchronous call that concerns files.
 */
export function setDiskThreads(config: Config): void {
  const threads = diskThreads(config);
  if (threads !== undefined) process.env['UV_THREADPOOL_SIZE'] ??= String(threads);
}
