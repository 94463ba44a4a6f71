import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A test, suite or file that runs its hooks, in their order, when it ends. */
export interface Teardown {
  after(hook: () => unknown): void;
}

/** Makes an empty folder with mode 0700 that is removed, with all that is in it, when `t` ends. */
export async function tempDir(t: Teardown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'prosody-filer-test-'));
  t.after(() => rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 100 }));
  return folder;
}
