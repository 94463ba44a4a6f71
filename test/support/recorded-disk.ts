import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { Worker } from 'node:worker_threads';

/** A write to a disk, or a flush of all writes before it. */
export type DiskEvent = { readonly offset: number; readonly data: Uint8Array } | 'flush';

/** What the recording thread works with. */
export interface RecordingTask {
  /** The descriptor of /dev/fuse. */
  readonly fd: number;
  readonly image: Uint8Array;
  /** Its only number is that of the events so far. */
  readonly count: Int32Array;
}

/** A file that stands for a disk and records what is written to it. */
export interface RecordedDisk {
  /** How many writes and flushes were recorded so far. */
  position(): number;
  /** All events; resolves after the file was unmounted. */
  events(): Promise<DiskEvent[]>;
}

/** tsx does not load TypeScript in other threads by itself. */
const loadWorker = `
  import(${JSON.stringify(import.meta.resolve('tsx/esm/api'))}).then(({ register }) => {
    register();
    return import(${JSON.stringify(new URL('./recording-worker.ts', import.meta.url))});
  });`;

/** Mounts the content of a disk as a file, over a new one at this path. */
export async function mountRecorded(image: Uint8Array, file: string): Promise<RecordedDisk> {
  await writeFile(file, '');
  const fd = openSync('/dev/fuse', 'r+');
  const count = new Int32Array(new SharedArrayBuffer(4));
  const task: RecordingTask = { fd, image, count };
  const worker = new Worker(loadWorker, { eval: true, workerData: task });
  const recorded = once(worker, 'message').finally(() => closeSync(fd));
  recorded.catch(() => undefined); // whoever asks for the events is told
  const options = 'fd=3,rootmode=100600,user_id=0,group_id=0';
  const mount = spawn('mount', ['--internal-only', '--types', 'fuse', '--options', options, 'recorder', file], {
    stdio: ['ignore', 'inherit', 'inherit', fd],
  });
  assert.deepEqual(await once(mount, 'close'), [0, null], 'the recorded disk could not be mounted');
  return { position: () => Atomics.load(count, 0), events: async () => (await recorded)[0] };
}
