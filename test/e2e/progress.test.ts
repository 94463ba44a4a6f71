import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { missingPeer } from '../support/peers.js';
import { tempDir } from '../support/temp-dir.js';

const label = 'reading the store';
const erase = '\x1b[0K';

/** A folder with a configuration and one upload. */
async function folderWithUpload(t: TestContext): Promise<string> {
  const folder = await tempDir(t);
  await writeFile(path.join(folder, 'config.toml'), 'secret = "s3cret"\nstoreDir = "store"\n');
  await mkdir(path.join(folder, 'store/slot'), { recursive: true });
  await writeFile(path.join(folder, 'store/slot/f'), 'hello');
  return folder;
}

/** Runs prosody-filer in a shell on a pseudo-terminal; resolves to everything that the terminal received. */
async function onTerminal(folder: string, args: string, variables = 'TERM=xterm'): Promise<string> {
  const command = `env -u CI ${variables} "${process.execPath}" "${mainFile}" ${args}`;
  const { code, stdout } = await run('script', ['-qec', command, '/dev/null'], folder);
  assert.equal(code, 0, stdout);
  return stdout;
}

describe('progress', { skip: missingPeer('script') ?? false }, () => {
  for (const [args, result] of [
    ['stats', '1 upload, 5 B in '],
    ['purge --older-than 0s --dry-run', 'would delete 1 upload, 5 bytes'],
  ] as const) {
    it(`is shown on a terminal and erased before the result: ${args}`, async (t) => {
      const shown = await onTerminal(await folderWithUpload(t), args);
      assert.ok(shown.includes(label) && shown.includes(`${erase}${result}`), JSON.stringify(shown));
      assert.ok(shown.lastIndexOf(erase) > shown.lastIndexOf(label), JSON.stringify(shown));
    });
  }

  it('is not shown with --json', async (t) => {
    const folder = await folderWithUpload(t);
    assert.equal(JSON.parse(await onTerminal(folder, 'stats --json')).files, 1);
    assert.equal(JSON.parse(await onTerminal(folder, 'purge --older-than 0s --dry-run --json')).size, 5);
  });

  it('is not written to a file or a pipe', async (t) => {
    const folder = await folderWithUpload(t);
    assert.match(await onTerminal(folder, 'stats 2>errors'), /^1 upload, 5 B in /);
    assert.equal(await readFile(path.join(folder, 'errors'), 'utf8'), '');
    const { stdout, stderr } = await run(process.execPath, [mainFile, 'stats'], folder);
    assert.match(stdout, /^1 upload, 5 B in /);
    assert.equal(stderr, '');
  });

  it('leaves a redirected result as it is', async (t) => {
    const folder = await folderWithUpload(t);
    assert.ok((await onTerminal(folder, 'stats >result')).includes(label));
    const result = await readFile(path.join(folder, 'result'), 'utf8');
    assert.ok(result.startsWith('1 upload, 5 B in ') && !result.includes('\x1b'), JSON.stringify(result));
  });

  it('is not shown on a terminal that cannot redraw a line', async (t) => {
    assert.match(await onTerminal(await folderWithUpload(t), 'stats', 'TERM=dumb'), /^1 upload, 5 B in /);
  });
});
