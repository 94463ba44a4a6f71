import { open, stat, truncate } from 'node:fs/promises';
import { bodyAfterSlot, bodyStart } from './requests.js';

const sampleCount = 16;
const sampleBytes = 256 * 1024 * 1024;
const parallel = 16;
/** Larger files are emptied at once for the disk's sake; removing any would slow down the next runs' new files. */
const keptBytes = 64 * 1024;

async function requireBytes(file: string, slot: string, size: number, rest: Buffer): Promise<void> {
  const expected = Buffer.concat([Buffer.from(bodyStart(slot, size)), rest]);
  const handle = await open(file);
  try {
    if (!expected.equals(await handle.readFile())) throw new Error(`${file} does not hold what was uploaded`);
  } finally {
    await handle.close();
  }
}

/**
 * Checks the size of every upload and all bytes of some, spread over the run, and empties the large ones.
 * Throws at the first that differs from what was sent.
 */
export async function verifyUploads(
  slots: readonly string[],
  size: number,
  fileOf: (slot: string) => string,
  isKept = false,
): Promise<void> {
  const count = Math.max(1, Math.min(sampleCount, Math.floor(sampleBytes / Math.max(1, size))));
  const step = Math.ceil(slots.length / count);
  const rest = bodyAfterSlot(size);
  for (let index = 0; index < slots.length; index += step) {
    const slot = slots[index] ?? '';
    await requireBytes(fileOf(slot), slot, size, rest);
  }
  let next = 0;
  const checkNext = async (): Promise<void> => {
    for (let slot = slots[next++]; slot !== undefined; slot = slots[next++]) {
      const file = fileOf(slot);
      const found = await stat(file);
      if (found.size !== size) throw new Error(`${file} has ${found.size} bytes, not ${size}`);
      if (size > keptBytes && !isKept) await truncate(file);
    }
  };
  await Promise.all(Array.from({ length: parallel }, checkNext));
}

/** Empties files that are not asked for any more. */
export async function emptyFiles(files: readonly string[]): Promise<void> {
  for (const file of files) await truncate(file);
}
