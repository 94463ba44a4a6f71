import assert from 'node:assert/strict';
import { chmod, chown, mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { eventually } from '../support/eventually.js';
import { asNobody, nobody } from '../support/nobody.js';
import { missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { connectTo, type RawConnection } from '../support/raw-socket.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { beginPut, get, put, putHead } from '../support/uploading.js';

const needsRoot = { skip: process.getuid?.() !== 0 && 'needs root' };

async function isTemporaryEmpty(storeDir: string): Promise<boolean> {
  return !(await filesIn(storeDir)).some((name) => name.includes('temporary'));
}

describe('too many open files', () => {
  it('are 503, leave nothing, and are over when files are closed', async (t) => {
    const program = await startProgram(t, {}, ['prlimit', '--nofile=128:128']);
    const body = Buffer.from('hello');
    assert.equal((await put(program, 's/first', body)).status, 201);
    const connections: RawConnection[] = [];
    const open = () => connections.filter(({ socket }) => !socket.readableEnded && !socket.destroyed);
    while (open().length === connections.length) {
      assert.ok(connections.length < 128, 'as many connections as files may be open');
      connections.push(await connectTo(t, program.origin));
      const latest = connections.at(-1)?.socket;
      latest?.write('OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n');
      await eventually(() => latest?.bytesRead !== 0 || latest.readableEnded || latest.destroyed);
    }
    const [first, second] = open();
    first?.socket.write(`${putHead(program, 's/f', 5)}hello`);
    assert.match((await first?.waitFor(/HTTP\/1\.1 503 [\s\S]*The server is busy/)) ?? '', /\r\nretry-after: \d+\r\n/);
    second?.socket.write('GET /upload/s/first HTTP/1.1\r\nHost: x\r\n\r\n');
    await second?.waitFor(/HTTP\/1\.1 503 [\s\S]*The server is busy/);
    await program.waitForLog(({ level, reason }) => level === 'error' && /too many files.*limit/.test(String(reason)));
    assert.deepEqual(await filesIn(program.storeDir), ['s/first']);

    for (const { socket } of connections) socket.destroy();
    await eventually(async () => (await program.openFiles()) < 32);
    assert.equal((await put(program, 's/f', body)).status, 201);
    assert.equal((await get(program, 's/first')).body.toString(), 'hello');
  });
});

describe('storeDir', () => {
  it(
    'that is made read-only is 500 with the reason in the log, and works again when it is not',
    needsRoot,
    async (t) => {
      const storeDir = await tempDir(t);
      await chown(storeDir, nobody, nobody);
      const program = await startProgram(t, { storeDir }, asNobody);
      const body = Buffer.from('hello');
      assert.equal((await put(program, 's/first', body)).status, 201);
      await chmod(storeDir, 0o555);
      assert.equal((await put(program, 't/f', body)).status, 500);
      const { reason } = await program.waitForLog(({ status }) => status === 500);
      assert.match(String(reason), /EACCES: permission denied, mkdir '.*\/t'/);
      assert.deepEqual(await filesIn(storeDir), ['s/first']);
      assert.equal((await get(program, 's/first')).body.toString(), 'hello');
      await chmod(storeDir, 0o755);
      assert.equal((await put(program, 't/f', body)).status, 201);
    },
  );

  it('that is removed is 500 with the reason in the log, and is used again when it is back', async (t) => {
    const storeDir = path.join(await tempDir(t), 'upload');
    const program = await startProgram(t, { storeDir });
    const body = Buffer.from('hello');
    assert.equal((await put(program, 's/first', body)).status, 201);
    await rename(storeDir, `${storeDir}-away`);
    assert.equal((await put(program, 't/f', body)).status, 500);
    const { reason } = await program.waitForLog(({ status }) => status === 500);
    assert.match(String(reason), /ENOENT: no such file or directory, mkdir '.*\/upload\/\.prosody-filer'/);
    assert.equal((await get(program, 's/first')).status, 404);
    await rename(`${storeDir}-away`, storeDir);
    assert.equal((await get(program, 's/first')).body.toString(), 'hello');
    assert.equal((await put(program, 't/f', body)).status, 201);
    await rm(storeDir, { recursive: true });
    await mkdir(storeDir);
    assert.equal((await put(program, 't/f', body)).status, 201);
    assert.deepEqual(await filesIn(storeDir), ['t/f']);
  });
});

it('a setgid bit that may not be set causes a warning at the start, and uploads are stored without it', {
  skip: missingPeer('strace') ?? needsRoot.skip,
}, async (t) => {
  const storeDir = await tempDir(t);
  await chown(storeDir, 0, nobody);
  await chmod(storeDir, 0o2750);
  // As with RestrictSUIDSGID= of systemd the first chmod, which has the bit in it, fails; the second one has not.
  const strace = ['strace', '-f', '-qq', '-o', '/dev/null', '-e', 'inject=chmod,fchmodat:error=EPERM:when=1'];
  const command = ['env', 'UV_THREADPOOL_SIZE=1', 'sh', '-c', 'umask 077; exec "$@"', 'sh', ...strace];
  const program = await startProgram(t, { storeDir, dirMode: '0750', fileMode: '0640' }, command);
  assert.match(program.output(), /new folders do not keep its setgid bit.*Set UMask=0027 in the unit/);
  assert.equal((await put(program, 'a/b/f', Buffer.from('hello'))).status, 201);
  const { mode, gid } = await stat(path.join(storeDir, 'a/b/f'));
  assert.deepEqual([mode & 0o777, gid], [0o640, nobody]);
});

describe('a path', () => {
  const longest = 'n'.repeat(255);
  for (const [what, key, status, reason] of [
    ['with a name over 255 bytes', `s/${longest}n`, 414, /has 256 bytes/],
    ['longer than the system takes', `${`${longest}/`.repeat(17)}f`, 414, /too long for the filesystem/],
    ['below a file', 'file/f', 409, /a file is where this path needs a folder/],
    ['that is a folder', 'folder', 409, /exists/],
  ] as const) {
    it(`${what} is ${status} with the reason in the log, and the server continues`, async (t) => {
      const program = await startProgram(t);
      await writeFile(path.join(program.storeDir, 'file'), 'precious');
      await mkdir(path.join(program.storeDir, 'folder'));
      assert.equal((await put(program, key, Buffer.from('hello'))).status, status);
      await program.waitForLog((line) => line['status'] === status && reason.test(String(line['reason'])));
      assert.deepEqual(await filesIn(program.storeDir), ['file']);
      assert.equal((await get(program, key)).status, key.includes(`${longest}n`) ? 414 : 404);
      assert.equal((await put(program, `s/${longest}`, Buffer.from('hello'))).status, 201);
    });
  }
});

describe('SIGTERM', () => {
  it('a second time ends at once and leaves no upload visible', async (t) => {
    const program = await startProgram(t, { shutdownTimeout: '20s' });
    await beginPut(t, program, 's/f', 200_000, Buffer.alloc(100_000));
    await eventually(async () => !(await isTemporaryEmpty(program.storeDir)));
    const startedAt = performance.now();
    const stopped = program.stop();
    await program.waitForLog(({ msg }) => msg === 'SIGTERM: finishing the running transfers');
    program.stop();
    assert.deepEqual(await stopped, { code: 1, signal: null });
    assert.ok(performance.now() - startedAt < 5000);
    const { storeDir, secret } = program;
    await startProgram(t, { storeDir, secret });
    assert.deepEqual(await filesIn(storeDir), []);
  });

  it('ends after shutdownTimeout although an upload trickles, and leaves no upload visible', async (t) => {
    const program = await startProgram(t, { shutdownTimeout: '1s' });
    const { socket } = await beginPut(t, program, 's/f', 200_000, Buffer.alloc(100_000));
    const trickle = setInterval(() => socket.write('x'), 50);
    t.after(() => clearInterval(trickle));
    await eventually(async () => !(await isTemporaryEmpty(program.storeDir)));
    const startedAt = performance.now();
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
    const took = performance.now() - startedAt;
    assert.ok(took >= 990 && took < 5000, `ended after ${took} ms`);
    const { storeDir, secret } = program;
    assert.deepEqual(await filesIn(storeDir), []);
    const next = await startProgram(t, { storeDir, secret });
    assert.equal((await get(next, 's/f')).status, 404);
    assert.equal((await put(next, 's/f', Buffer.alloc(200_000))).status, 201);
  });
});
