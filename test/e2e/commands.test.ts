import assert from 'node:assert/strict';
import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { loadConfig } from '../../src/config/load-config.js';
import { type CommandResult, mainFile, run } from '../support/command.js';
import { readmeBlock } from '../support/readme.js';
import { tempDir } from '../support/temp-dir.js';

/** Runs a command of the README in a shell, with the built program. */
function runFromReadme(containing: string, cwd: string): Promise<CommandResult> {
  const program = `prosody-filer() { ${process.execPath} ${mainFile} "$@"; }\n`;
  return run('bash', ['-c', program + readmeBlock('sh', containing)], cwd);
}

function prosodyFiler(args: readonly string[], cwd?: string): Promise<CommandResult> {
  return run(process.execPath, [mainFile, ...args], cwd);
}

describe('every command', () => {
  for (const name of ['serve', 'init']) {
    it(`has help: ${name}`, async () => {
      const { code, stdout } = await prosodyFiler([name, '--help']);
      assert.equal(code, 0);
      assert.match(stdout, new RegExp(`^Usage: prosody-filer ${name} [^]+ --config <file> `));
    });

    it(`ends with 2 for an option that it does not know: ${name}`, async () => {
      const { code, stdout, stderr } = await prosodyFiler([name, '--confg', 'x']);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^prosody-filer: unknown option '--confg'/);
    });
  }
});

describe('init', () => {
  it("is run as in the README: writes a configuration for one's own eyes, and prints what others need of it", async (t) => {
    const folder = await tempDir(t);
    const { code, stdout, stderr } = await runFromReadme('prosody-filer init', folder);
    assert.deepEqual([code, stderr], [0, '']);
    const file = path.join(folder, 'config.toml');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const { config } = loadConfig(file);
    const [secret = ''] = config.secrets;
    assert.match(secret, /^[0-9a-f]{64}$/);
    for (const line of [
      '    http_upload_external_base_url = "https://uploads.example.org/upload/"',
      `    http_upload_external_secret = "${secret}"`,
      `    http_file_share_secret = "${secret}"`,
      '    put_url: "https://uploads.example.org/upload"',
      `    external_secret: "${secret}"`,
      `    http_file_secret = "${secret}"`,
      'location /upload/ {',
    ]) {
      assert.ok(stdout.split('\n').includes(line), line);
    }
    const [, deleteSecret = ''] = /http_file_delete_secret = "([0-9a-f]{64})"/.exec(stdout) ?? [];
    assert.ok((await readFile(file, 'utf8')).includes(`# deleteSecret = "${deleteSecret}"`));
    assert.equal(config.deleteSecret, undefined);
  });

  it('never replaces a configuration, and writes none for what is no URL', async (t) => {
    const folder = await tempDir(t);
    const wrong = await prosodyFiler(['init', '--base-url', 'uploads.example.org'], folder);
    assert.deepEqual([wrong.code, wrong.stdout, await readdir(folder)], [2, '', []]);
    assert.match(wrong.stderr, /^prosody-filer: --base-url: expected a URL such as .*, got 'uploads\.example\.org'\n$/);
    await prosodyFiler(['init'], folder);
    const before = await readFile(path.join(folder, 'config.toml'), 'utf8');
    const again = await prosodyFiler(['init'], folder);
    assert.deepEqual([again.code, again.stdout], [2, '']);
    assert.match(again.stderr, /config\.toml: expected to write a configuration there, EEXIST/);
    assert.equal(await readFile(path.join(folder, 'config.toml'), 'utf8'), before);
  });
});
