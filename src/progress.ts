import type { WriteStream } from 'node:tty';
import yoctoSpinner from 'yocto-spinner';
import { countOf, formatSize } from './units.js';

/** How often the line is redrawn. */
const intervalMs = 200;

/** Counts what a command has got through since the last call. */
export type Count = (uploads: number, bytes: number) => void;

/**
 * Runs the work of a command, which may take minutes. While it runs, the last line of the terminal shows how far it is:
 * "reading the store: 1200 uploads, 3.40 GB, 410 uploads/s". The line moves down when anything else is printed, and goes
 * when the work ends. Shows nothing if `terminal` is `undefined`.
 */
export async function withProgress<Result>(
  terminal: WriteStream | undefined,
  label: string,
  work: (count: Count) => Promise<Result>,
): Promise<Result> {
  if (terminal === undefined) return work(() => undefined);
  const frames = ['|', '/', '-', '\\'];
  const spinner = yoctoSpinner({ stream: terminal, spinner: { frames, interval: intervalMs } }).start(label);
  const startedAt = performance.now();
  let shownAt = startedAt;
  const total = { uploads: 0, bytes: 0 };
  try {
    return await work((uploads, bytes) => {
      total.uploads += uploads;
      total.bytes += bytes;
      const now = performance.now();
      if (now - shownAt < intervalMs) return;
      shownAt = now;
      spinner.text = `${label}: ${describe(total, (now - startedAt) / 1000)}`;
    });
  } finally {
    spinner.stop();
  }
}

function describe({ uploads, bytes }: { readonly uploads: number; readonly bytes: number }, seconds: number): string {
  if (uploads === 0) return `${formatSize(bytes)}, ${formatSize(Math.round(bytes / seconds))}/s`;
  return `${countOf(uploads, 'upload')}, ${formatSize(bytes)}, ${Math.round(uploads / seconds)} uploads/s`;
}
