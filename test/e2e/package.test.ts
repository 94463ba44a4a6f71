import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { it } from 'node:test';
import { projectFolder, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { v1Token } from '../support/tokens.js';

interface PackResult {
  readonly filename: string;
  /** Bytes. */
  readonly size: number;
  readonly unpackedSize: number;
  readonly files: readonly { readonly path: string }[];
}

const contrib = [
  'src/contrib/docker/compose.yaml',
  'src/contrib/grafana/prosody-filer.json',
  'src/contrib/prometheus/prosody-filer.rules.yml',
  'src/contrib/prosody/mod_file_share_move.lua',
  'src/contrib/systemd/prosody-filer.socket',
];

it('the packed tarball contains all that is needed and serves with npx', async (t) => {
  let program: RunningProcess | undefined;
  t.after(() => program?.stop());
  const folder = await tempDir(t);
  const packed = await run('npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], projectFolder);
  const [{ filename, files, size, unpackedSize } = assert.fail()] = JSON.parse(packed.stdout) as PackResult[];
  const names = files.map((file) => file.path);
  for (const name of [
    'src/prosody-filer.sh',
    'dist/main.js',
    'README.md',
    'LICENSE',
    'config.example.toml',
    'nginx.example.conf',
    'dist/LICENSES.txt',
    ...contrib,
  ]) {
    assert.ok(names.includes(name), `${name} is not packed`);
  }
  assert.deepEqual(
    names.filter((name) => /^(src|test|\.)/.test(name)),
    [...contrib, 'src/prosody-filer.sh'],
  );

  const elsewhere = path.join(folder, 'elsewhere');
  await mkdir(elsewhere);
  const config = 'listenPort = "127.0.0.1:0"\nsecret = "s3cret"\nstoreDir = "upload"\nuploadSubDir = "upload/"\n';
  await writeFile(path.join(elsewhere, 'config.toml'), config);
  const npx = ['--yes', `--package=${path.join(folder, filename)}`, 'prosody-filer', '--config', 'config.toml'];
  program = new RunningProcess('npx', npx, { cwd: elsewhere });
  const line = await program.waitForLine((text) => text.includes('"msg":"listening"'), 120_000);
  const { address } = JSON.parse(line) as { address: string };
  const url = `${address}/upload/slot/f`;
  const put = await send(`${url}?v=${v1Token('slot/f', 5, 's3cret')}`, { method: 'PUT', body: Buffer.from('hello') });
  assert.equal(put.status, 201);
  assert.equal((await send(url)).body.toString(), 'hello');
  const { dependencies } = JSON.parse(await readFile(path.join(projectFolder, 'package.json'), 'utf8'));
  assert.equal(dependencies, undefined);
  t.diagnostic(
    `${names.length} files packed, ${(size / 1e6).toFixed(1)} MB, ${(unpackedSize / 1e6).toFixed(1)} MB unpacked`,
  );
});

it('every way to start the program passes the Node.js flags, and nothing changes them later', async () => {
  const flags = '--no-incremental-marking"?,? "?--max-semi-space-size=4';
  for (const name of ['src/prosody-filer.sh', 'Dockerfile']) {
    assert.match(await readFile(path.join(projectFolder, name), 'utf8'), new RegExp(`node"?,? "?${flags}`), name);
  }
  const { stdout } = await run('grep', ['-rlE', 'setFlagsFromString|node:v8', path.join(projectFolder, 'src')]);
  assert.equal(stdout, '');
});
