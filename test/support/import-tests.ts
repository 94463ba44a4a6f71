import { readdir } from 'node:fs/promises';

/** Runs all tests of a folder in this process: a process for each file takes up to three times the CPU time. */
export async function importTests(folder: URL): Promise<void> {
  for (const name of (await readdir(folder)).sort()) {
    if (name.endsWith('.test.ts')) await import(new URL(name, folder).href);
  }
}
