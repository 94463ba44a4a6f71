import assert from 'node:assert/strict';
import { readdir, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { send } from '../support/http-client.js';
import { type Program, type Settings, startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { bearer } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { ids } from '../support/uploader-ids.js';
import { get, put } from '../support/uploading.js';

const day = 24 * 60 * 60 * 1000;

/** A server with an old upload, a young one, and two of Romeo's: by Bearer token and by ejabberd. */
async function startWithUploads(t: TestContext, settings: Settings = {}): Promise<Program> {
  const program = await startProgram(t, settings);
  for (const name of ['old/f', 'young/f', `${ids.ofEjabberd}/x/f`]) await put(program, name, Buffer.from('hello'));
  const claims = { slot: 's', filename: 'f', filesize: 5, sub: 'romeo@example.org', exp: Date.now() / 1000 + 60 };
  const headers = { authorization: bearer(claims, { key: program.secret }) };
  await send(`${program.uploadUrl}s/f`, { method: 'PUT', headers, body: Buffer.from('hello') });
  const then = (Date.now() - 29 * day) / 1000;
  await utimes(path.join(program.storeDir, 'old/f'), then, then);
  return program;
}

async function uploads({ storeDir }: Program): Promise<string[]> {
  return (await filesIn(storeDir)).filter((name) => !name.startsWith('.prosody-filer/'));
}

/** A line of the README, the whole of it or its beginning, run with the program's configuration. */
function runLine(program: Program, beginning: string) {
  const lines = readmeBlock('sh', beginning).split('\n');
  const line = lines.find((text) => text === beginning) ?? lines.find((text) => text.startsWith(beginning)) ?? '';
  const [, ...args] = line.replace(/https:\S+/, `${program.uploadUrl}young/f`).split(' ');
  return run(process.execPath, [mainFile, ...args, '--config', program.configFile]);
}

describe('purge', () => {
  it('prints the uploads with --dry-run, and deletes none', async (t) => {
    const program = await startWithUploads(t);
    const before = await filesIn(program.storeDir);
    const { code, stdout } = await runLine(program, 'prosody-filer purge --older-than 28d --dry-run');
    assert.equal(code, 0);
    assert.match(stdout, /^\S+Z 5 old\/f\nwould delete 1 upload, 5 bytes\n$/);
    assert.deepEqual(await filesIn(program.storeDir), before);
  });

  it('deletes old uploads beside a running server', async (t) => {
    const program = await startWithUploads(t);
    const { code, stdout } = await runLine(program, 'prosody-filer purge --older-than 28d');
    assert.deepEqual([code, stdout.split('\n').at(-2)], [0, 'deleted 1 upload, 5 bytes']);
    assert.deepEqual(await uploads(program), [`${ids.ofEjabberd}/x/f`, 's/f', 'young/f']);
    assert.ok(!(await readdir(program.storeDir)).includes('old'));
    assert.equal((await get(program, 'old/f')).status, 410);
    assert.equal((await put(program, 'old/f', Buffer.from('hello'))).status, 409);
  });

  it('deletes the uploads of a user whose name ejabberd writes into the paths, also those from before', async (t) => {
    const before = await startProgram(t, {});
    await put(before, 'o_brien/x1/f', Buffer.from('hello'));
    const program = await startProgram(t, { storeDir: before.storeDir, jidInUrlDomain: 'localhost' });
    for (const name of ['o_brien/x2/f', 'juliet/x3/f']) await put(program, name, Buffer.from('hello'));
    const args = ['purge', '--uploader', "o'brien@localhost", '--config', program.configFile];
    const { stdout } = await run(process.execPath, [mainFile, ...args]);
    assert.match(stdout, /deleted 2 uploads, 10 bytes\n$/);
    assert.deepEqual(await uploads(program), ['juliet/x3/f']);
  });

  it("deletes all uploads of an uploader, also under ejabberd's hash", async (t) => {
    const program = await startWithUploads(t);
    assert.equal((await runLine(program, 'prosody-filer purge --uploader')).code, 0);
    assert.deepEqual(await uploads(program), ['old/f', 'young/f']);
  });

  it('accepts a JID in any letter case, with or without a resource', async (t) => {
    const program = await startWithUploads(t);
    const args = ['purge', '--uploader', 'Romeo@Example.org/phone', '--config', program.configFile];
    assert.match((await run(process.execPath, [mainFile, ...args])).stdout, /deleted 2 uploads, \d+ bytes\n$/);
    assert.deepEqual(await uploads(program), ['old/f', 'young/f']);
  });

  it('finds a JID under the ids of all secrets, and accepts an id', async (t) => {
    const program = await startWithUploads(t, { secret: 'mysecret', secrets: ['old-secret'] });
    const stranger = 'c0ffee'.padEnd(64, '0');
    const byId = [ids.ofMysecret, ids.ofOldSecret, stranger].map((id) => `${id}/x/f`);
    for (const name of byId) await put(program, name, Buffer.from('hello'));
    const purgeOf = (uploader: string) =>
      run(process.execPath, [mainFile, 'purge', '--uploader', uploader, '--config', program.configFile]);
    assert.match((await purgeOf(stranger)).stdout, / 5 c0ffee0+\/x\/f\ndeleted 1 upload, 5 bytes\n$/);
    // The file that the Bearer token's JID names goes by each of the ids.
    assert.match((await purgeOf(ids.ofOldSecret)).stdout, /deleted 2 uploads, 10 bytes\n$/);
    assert.match((await purgeOf('romeo@example.org')).stdout, /deleted 2 uploads, 10 bytes\n$/);
    assert.deepEqual(await uploads(program), ['old/f', 'young/f']);
  });

  it('warns of entries that it cannot read, as stats does, and goes on', async (t) => {
    const program = await startWithUploads(t);
    const odd = path.join(program.storeDir, 'two\nlines');
    await writeFile(odd, 'x');
    for (const args of [['stats'], ['purge', '--older-than', '28d']]) {
      const { code, stderr } = await run(process.execPath, [mainFile, ...args, '--config', program.configFile]);
      const shown = path.join(program.storeDir, 'two\\nlines');
      const warning = `prosody-filer: cannot read ${shown}, skipping it: no upload can have this name\n`;
      assert.deepEqual([code, stderr], [0, warning]);
    }
    assert.deepEqual(await uploads(program), [`${ids.ofEjabberd}/x/f`, 's/f', 'two\nlines', 'young/f']);
  });

  it('prints JSON for scripts', async (t) => {
    const program = await startWithUploads(t);
    const args = ['purge', '--older-than', '28d', '--json', '--config', program.configFile];
    const { stdout } = await run(process.execPath, [mainFile, ...args]);
    const { modifiedAt, ...line } = JSON.parse(stdout);
    assert.deepEqual(line, { key: 'old/f', size: 5, deleted: true });
    assert.ok(Math.abs(Date.parse(modifiedAt) - (Date.now() - 29 * day)) < 60_000);
  });

  it('refuses to run without a selection or with an invalid age', async (t) => {
    const program = await startWithUploads(t);
    for (const args of [[], ['--older-than', 'monday']]) {
      const { code, stderr } = await run(process.execPath, [
        mainFile,
        'purge',
        ...args,
        '--config',
        program.configFile,
      ]);
      assert.equal(code, 2);
      assert.match(stderr, /--older-than/);
    }
    assert.equal((await uploads(program)).length, 4);
  });

  it('only works for the owner of the store', { skip: process.getuid?.() !== 0 && 'needs root' }, async (t) => {
    const program = await startWithUploads(t);
    await run('chown', ['-R', '65534', program.storeDir]);
    const args = ['purge', '--older-than', '28d', '--config', program.configFile];
    const { code, stderr } = await run(process.execPath, [mainFile, ...args]);
    assert.equal(code, 2);
    assert.match(stderr, /belongs to user 65534, but this command runs as user 0\. Run it with sudo -u '#65534'/);
    assert.equal((await uploads(program)).length, 4);
  });
});

describe('delete', () => {
  it('deletes one upload by its URL or path', async (t) => {
    const program = await startWithUploads(t);
    assert.equal((await runLine(program, 'prosody-filer delete')).code, 0);
    const byPath = ['delete', 's/f', '--config', program.configFile];
    assert.equal((await run(process.execPath, [mainFile, ...byPath])).stdout, 'deleted s/f\n');
    assert.deepEqual(await uploads(program), [`${ids.ofEjabberd}/x/f`, 'old/f']);
    const again = await run(process.execPath, [mainFile, ...byPath]);
    assert.deepEqual([again.code, again.stderr], [1, 'prosody-filer: s/f: there is no such upload\n']);
  });

  it('refuses a target that is not an upload', async (t) => {
    const program = await startWithUploads(t);
    for (const target of ['../config.toml', `${program.origin}/other/f`, '.prosody-filer/sidecars', '/s/f']) {
      const { code } = await run(process.execPath, [mainFile, 'delete', target, '--config', program.configFile]);
      assert.equal(code, 2, target);
    }
    assert.equal((await uploads(program)).length, 4);
  });
});
