import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { createServer } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { mainFile, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { listenOnFreePort } from '../support/listening.js';
import { asNobody } from '../support/nobody.js';
import { missingPeer } from '../support/peers.js';
import { type Settings, startProgram } from '../support/program.js';
import { connectTo } from '../support/raw-socket.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { v1Token } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';

function prosodyFiler(args: readonly string[], cwd?: string) {
  return run(process.execPath, [mainFile, ...args], cwd);
}

function startIn(t: TestContext, cwd: string, args: readonly string[] = []): RunningProcess {
  const program = new RunningProcess(process.execPath, [mainFile, ...args], { cwd });
  t.after(() => program.stop());
  return program;
}

async function folderWith(t: TestContext, config: string): Promise<string> {
  const folder = await tempDir(t);
  await writeFile(path.join(folder, 'config.toml'), config);
  return folder;
}

const minimal = 'listenPort = "127.0.0.1:0"\nsecret = "s3cret"\nstoreDir = "./upload/"\n';

describe('the command line', () => {
  it('prints version and usage', async () => {
    assert.match(
      (await prosodyFiler(['--version'])).stdout,
      /^prosody-filer \d+\.\d+\.\d+( \(commit [0-9a-f]{12}( with changes)?\))?\n$/,
    );
    for (const flag of ['--help', '-h', '-help']) {
      const { code, stdout } = await prosodyFiler([flag]);
      assert.equal(code, 0);
      assert.match(stdout, /^Usage: prosody-filer/);
    }
  });

  it('ends with 2 for an unknown option or command', async () => {
    for (const args of [['--confg', 'x'], ['serve-it'], ['--config']]) {
      const { code, stdout, stderr } = await prosodyFiler(args);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /prosody-filer: See prosody-filer --help\n$/);
    }
  });

  it('exits with 2 for a configuration that does not exist, and writes none', async (t) => {
    const folder = await tempDir(t);
    for (const args of [['--config', 'typo.toml'], ['-config', 'typo.toml'], ['-config=typo.toml'], []]) {
      const { code, stderr } = await prosodyFiler(args, folder);
      assert.equal(code, 2);
      assert.match(stderr, /^prosody-filer: \S+\.toml: expected a configuration file, but it does not exist\n$/);
    }
    assert.deepEqual(await readdir(folder), []);
  });

  it('exits with 2 for an invalid configuration, with a line for each mistake and no stack trace', async (t) => {
    const folder = await folderWith(t, 'sekret = "x"\nstoreDir = 5\n');
    const { code, stdout, stderr } = await prosodyFiler([], folder);
    assert.deepEqual([code, stdout], [2, '']);
    assert.deepEqual(stderr.trimEnd().split('\n').sort(), [
      'prosody-filer: ./config.toml: secret: expected the secret that the XMPP server signs with, not empty, but it is not set',
      'prosody-filer: ./config.toml: sekret: expected a known key. Did you mean secret?',
      'prosody-filer: ./config.toml: storeDir: expected the folder for the uploads, or a table [s3], got 5',
    ]);
  });

  it("reads ./config.toml by default, and another file with Go's -config", async (t) => {
    const folder = await folderWith(t, minimal);
    await writeFile(path.join(folder, 'other.toml'), minimal);
    for (const args of [[], ['-config', 'other.toml'], ['--config=other.toml']]) {
      const program = startIn(t, folder, args);
      await program.waitForLine((line) => line.includes('"address":"http://127.0.0.1:'));
      await program.stop();
    }
    assert.deepEqual(await readdir(path.join(folder, 'upload')), ['.prosody-filer']);
  });

  it('warns at each start of a published secret', async (t) => {
    const folder = await folderWith(t, minimal.replace('s3cret', 'mysecret'));
    const program = startIn(t, folder);
    await program.waitForLine((line) => line.includes('"level":"warn"') && line.includes('this one is published'));
  });
});

describe('--create-config', () => {
  it('exits with 2 if it cannot write', async () => {
    const { code, stderr } = await prosodyFiler(['-create-config', '--config', '/nonexistent/config.toml']);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^prosody-filer: \/nonexistent\/config\.toml: cannot write a configuration there: ENOENT[^\n]*\n$/,
    );
  });

  it('writes a configuration once, serves with it, and prints snippets without the secret', async (t) => {
    const folder = await tempDir(t);
    const program = startIn(t, folder, ['--create-config']);
    await program.waitForLine((line) => line.includes('listening') || line.includes('listens there already'));
    await program.stop();
    const file = path.join(folder, 'config.toml');
    assert.equal((await stat(file)).mode & 0o777, 0o600);
    const config = await readFile(file, 'utf8');
    const [, secret = ''] = /secret += "([0-9a-f]{64})"/.exec(config) ?? [];
    assert.notEqual(secret, '');
    const output = program.lines.join('\n');
    assert.match(output, /wrote \.\/config\.toml with a random secret/);
    assert.match(output, /http_upload_external_base_url/);
    assert.match(output, /mod_http_upload:/);
    assert.ok(!output.includes(secret));

    const again = startIn(t, folder, ['--create-config']);
    await again.waitForLine((line) => line.includes('listening') || line.includes('listens there already'));
    assert.equal(await readFile(file, 'utf8'), config);
  });
});

describe('the address to listen on', () => {
  it('exits with 1 and a reason if another program listens there', async (t) => {
    const port = await listenOnFreePort(t, createServer());
    const folder = await folderWith(t, minimal.replace(':0', `:${port}`));
    const { code, stderr } = await prosodyFiler([], folder);
    assert.equal(code, 1);
    assert.equal(
      stderr,
      `prosody-filer: listenPort: cannot listen on 127.0.0.1 port ${port}: another program listens there already\n`,
    );
  });

  it('may be all addresses', async (t) => {
    const { address } = await (await startProgram(t, { listenPort: ':0' })).waitForLog(
      ({ msg }) => msg === 'listening',
    );
    const port = new URL(String(address)).port;
    assert.equal((await send(`http://127.0.0.1:${port}/upload/s/f`)).status, 404);
  });

  async function getOverSocket(socketPath: string): Promise<number | undefined> {
    return new Promise((resolve, reject) => {
      const get = request({ socketPath, path: '/s/f', agent: false });
      get.on('response', (response) => resolve(response.resume().statusCode)).on('error', reject);
      get.end();
    });
  }

  async function folderWithSocket(t: TestContext): Promise<[folder: string, socketPath: string]> {
    const folder = await folderWith(t, '');
    const socketPath = path.join(folder, 'filer.sock');
    const lines = ['unixSocket = true', `listenPort = "${socketPath}"`, 'unixSocketMode = "0620"'];
    await writeFile(path.join(folder, 'config.toml'), `${lines.join('\n')}\nsecret = "s"\nstoreDir = "upload"\n`);
    return [folder, socketPath];
  }

  it('may be a Unix socket, which replaces a stale one but not one in use', async (t) => {
    const [folder, socketPath] = await folderWithSocket(t);
    const first = startIn(t, folder);
    await first.waitForLine((line) => line.includes(`"address":"unix:${socketPath}"`));
    assert.equal((await stat(socketPath)).mode & 0o777, 0o620);
    assert.equal(await getOverSocket(socketPath), 404);

    const { code, stderr } = await prosodyFiler([], folder);
    assert.equal(code, 1);
    assert.match(stderr, /filer\.sock: another program listens there already/);
    assert.equal(await getOverSocket(socketPath), 404);

    await first.stop('SIGKILL');
    assert.ok((await stat(socketPath)).isSocket());
    await startIn(t, folder).waitForLine((line) => line.includes('listening'));
    assert.equal(await getOverSocket(socketPath), 404);
  });

  it('is named with the reason if a socket cannot be created', async (t) => {
    const folder = await tempDir(t);
    const file = path.join(folder, 'config.toml');
    for (const [socketPath, cause] of [
      [`${folder}/none/s`, `the folder ${folder}/none does not exist. Create it`],
      [`${file}/s`, `${file} is not a folder`],
      ['/proc/s', 'a socket cannot be created in /proc'],
    ]) {
      const lines = [
        'unixSocket = true',
        `listenPort = "${socketPath}"`,
        'secret = "s"',
        `storeDir = "${folder}/store"`,
      ];
      await writeFile(file, lines.join('\n'));
      const { code, stderr } = await run(process.execPath, [mainFile, '--config', file]);
      assert.deepEqual([code, stderr], [1, `prosody-filer: listenPort: cannot listen on ${socketPath}: ${cause}\n`]);
    }
  });

  it('is never a socket that may be in use', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const [folder, socketPath] = await folderWithSocket(t);
    const first = startIn(t, folder);
    await first.waitForLine((line) => line.includes('listening'));
    await chmod(socketPath, 0o600);
    await chmod(folder, 0o777);
    const config = await readFile(path.join(folder, 'config.toml'), 'utf8');
    await writeFile(path.join(folder, 'other.toml'), config.replace('"upload"', '"other"'));
    const other = [...asNobody, process.execPath, mainFile, '--config', 'other.toml'];
    const { code, stderr } = await run('env', other, folder);
    assert.equal(code, 1);
    assert.match(stderr, /filer\.sock: connecting to it fails with EACCES, so another program may be using it/);
    assert.ok((await stat(socketPath)).isSocket());
  });

  it('is never a file that is not a socket; the file stays as it is', async (t) => {
    const [folder, socketPath] = await folderWithSocket(t);
    await writeFile(socketPath, 'precious');
    const { code, stderr } = await prosodyFiler([], folder);
    assert.equal(code, 1);
    assert.match(stderr, /filer\.sock exists and is not a socket/);
    assert.equal(await readFile(socketPath, 'utf8'), 'precious');
  });
});

it('has many threads for durable uploads, and few for others, unless the environment says how many', async (t) => {
  const countThreads = async (settings: Settings, command?: readonly string[]) => {
    const { pid } = await startProgram(t, settings, command);
    return (await readdir(`/proc/${pid}/task`)).length;
  };
  const few = await countThreads({ durability: 'none' });
  assert.equal((await countThreads({})) - few, 14);
  assert.equal((await countThreads({}, ['env', 'UV_THREADPOOL_SIZE=5'])) - few, 3);
});

it('loads the packages for metrics, buckets and slots only where they are needed', async (t) => {
  const packagesFor = async (settings: Settings): Promise<string[]> => {
    const folder = await tempDir(t);
    // Node.js writes there which scripts a process has loaded.
    const program = await startProgram(t, settings, ['env', `NODE_V8_COVERAGE=${folder}`]);
    await program.stop();
    const [report = ''] = await readdir(folder);
    const { result }: { result: { url: string }[] } = JSON.parse(await readFile(path.join(folder, report), 'utf8'));
    const files = result.map(({ url }) => url).filter((url) => url.startsWith('file:'));
    const texts = await Promise.all(files.map((url) => readFile(fileURLToPath(url), 'utf8')));
    return ['fastify', 'prom-client', '@smithy/core', 'rate-limiter-flexible'].filter((name) =>
      texts.some((text) => text.includes(`node_modules/${name}/`)),
    );
  };
  assert.deepEqual(await packagesFor({}), ['fastify']);
  assert.deepEqual(await packagesFor({ metricsListen: '127.0.0.1:0' }), ['fastify', 'prom-client']);
});

describe('storeDir', () => {
  it('fails the start with exit code 2 if it is a file', async (t) => {
    const folder = await folderWith(t, minimal);
    await writeFile(path.join(folder, 'upload'), '');
    const { code, stderr } = await prosodyFiler([], folder);
    assert.equal(code, 2);
    assert.match(stderr, /^prosody-filer: \.\/config\.toml: storeDir: expected a folder .*upload is a file\n$/);
  });

  it('fails the start with exit code 2 if the user may not write to it', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const folder = await folderWith(t, minimal);
    await chmod(folder, 0o755);
    const { code, stderr } = await run('env', [...asNobody, process.execPath, mainFile], folder);
    assert.equal(code, 2);
    assert.match(stderr, /storeDir: expected a folder that this user may write to, EACCES/);
  });

  it('is named with what systemd needs if its filesystem is read-only', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    let mountPoint = '';
    t.after(() => run('umount', ['--lazy', mountPoint])); // before its folder is removed
    mountPoint = await folderWith(t, minimal);
    assert.equal((await run('mount', ['--bind', '-o', 'ro', mountPoint, mountPoint])).code, 0);
    const { code, stderr } = await prosodyFiler([], mountPoint);
    assert.equal(code, 2);
    assert.match(stderr, /EROFS: read-only file system, mkdir '.*upload'\. If systemd .* set ReadWritePaths=/);
  });

  it('that fails ends the start with exit code 1, so that a service manager tries again', {
    skip: missingPeer('strace') ?? false,
  }, async (t) => {
    const folder = await folderWith(t, minimal);
    const failing = ['-f', '-o', '/dev/null', '-e', 'trace=/^mkdir', '-e', 'inject=/^mkdir:error=EIO'];
    const { code, stderr } = await run('strace', [...failing, process.execPath, mainFile], folder);
    assert.deepEqual([code, stderr], [1, `prosody-filer: storeDir: EIO: i/o error, mkdir '${folder}/upload'\n`]);
  });

  it('that is full is 507, leaves nothing behind, and the server continues', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    let mountPoint = '';
    t.after(() => run('umount', ['--lazy', mountPoint])); // before its folder is removed
    mountPoint = await tempDir(t);
    assert.equal((await run('mount', ['-t', 'tmpfs', '-o', 'size=2m', 'tmpfs', mountPoint])).code, 0);
    const { origin, secret } = await startProgram(t, { storeDir: path.join(mountPoint, 'upload') });
    const put = (name: string, size: number) => {
      const token = v1Token(`s/${name}`, size, secret);
      return send(`${origin}/upload/s/${name}?v=${token}`, { method: 'PUT', body: Buffer.alloc(size) });
    };
    assert.equal((await put('large', 5_000_000)).status, 507);
    assert.deepEqual(await filesIn(mountPoint), []);
    assert.equal((await put('small', 100_000)).status, 201);
  });

  it('gets files and folders with the configured modes, whatever the umask', async (t) => {
    const { origin, secret, storeDir } = await startProgram(t, { fileMode: '0664', dirMode: '0775' });
    await send(`${origin}/upload/s/f?v=${v1Token('s/f', 1, secret)}`, { method: 'PUT', body: Buffer.alloc(1) });
    assert.equal((await stat(path.join(storeDir, 's'))).mode & 0o777, 0o775);
    assert.equal((await stat(path.join(storeDir, 's/f'))).mode & 0o777, 0o664);
  });
});

describe('SIGTERM', () => {
  it('lets a running upload finish, accepts no new one, and exits with 0', async (t) => {
    const program = await startProgram(t);
    const connection = await connectTo(t, program.origin);
    const target = `/upload/s/f?v=${v1Token('s/f', 10, program.secret)}`;
    connection.socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
    await eventually(async () => (await filesIn(program.storeDir)).length > 0);
    const stopped = program.stop();
    await program.waitForLog(({ msg }) => msg === 'SIGTERM: finishing the running transfers');
    // A connection that was waiting to be accepted is reset, a later one refused.
    await assert.rejects(send(`${program.origin}/upload/s/f`), { code: /^ECONN(REFUSED|RESET)$/ });
    connection.socket.write('56789');
    await connection.waitFor(/^HTTP\/1\.1 201 Created/);
    assert.deepEqual(await stopped, { code: 0, signal: null });
    assert.deepEqual(await filesIn(program.storeDir), ['s/f']);
  });

  it('closes connections that are idle, silent or in the middle of a head', async (t) => {
    const program = await startProgram(t, { shutdownTimeout: '20s' });
    const idle = await connectTo(t, program.origin);
    idle.socket.write('OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n');
    await idle.waitFor(/^HTTP\/1\.1 204/);
    await connectTo(t, program.origin);
    (await connectTo(t, program.origin)).socket.write('GET / HTTP/1.1\r\nHo');
    const startedAt = performance.now();
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
    assert.ok(performance.now() - startedAt < 5000);
  });
});

describe('a restart', () => {
  it('keeps the signed type, and removes unfinished uploads of a killed process', async (t) => {
    const storeDir = await tempDir(t);
    const settings = { storeDir, secret: 's3cret' };
    const first = await startProgram(t, settings);
    const query = `?v=${v1Token('s/f.jpg', 5, 's3cret')}`;
    const headers = { 'content-type': 'image/webp' };
    await send(`${first.uploadUrl}s/f.jpg${query}`, { method: 'PUT', headers, body: Buffer.from('hello') });
    const connection = await connectTo(t, first.origin);
    const target = `/upload/s/g?v=${v1Token('s/g', 200_000, 's3cret')}`;
    connection.socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n`);
    connection.socket.write(Buffer.alloc(100_000));
    await eventually(async () => (await filesIn(storeDir)).length >= 3);
    await first.stop('SIGKILL');
    assert.equal((await filesIn(storeDir)).length, 3);

    const { uploadUrl } = await startProgram(t, settings);
    assert.equal((await filesIn(storeDir)).filter((name) => name.includes('temporary')).length, 0);
    assert.equal((await send(`${uploadUrl}s/f.jpg`)).headers['content-type'], 'image/webp');
    assert.equal((await send(`${uploadUrl}s/g`)).status, 404);
  });
});

describe('the log', () => {
  it('has one line of text for each request with logFormat = "pretty"', async (t) => {
    const folder = await folderWith(t, `${minimal}logFormat = "pretty"\n`);
    const program = startIn(t, folder);
    await program.waitForLine((line) => line.includes('INFO: listening'));
    const address = await program.waitForLine((line) => line.includes('address: "http'));
    const [, origin = ''] = /"(http[^"]+)"/.exec(address) ?? [];
    await send(`${origin}/slot/f`);
    const line = await program.waitForLine((text) => text.includes('GET'));
    assert.match(
      line,
      /^\[\d\d:\d\d:\d\d\.\d{3}\] INFO: GET \/slot\/f 404, 0 bytes in [\d.]+ ms: there is no such upload$/,
    );
  });

  it('has the reason in the line of an event', async (t) => {
    const component = '[component]\njid = "upload.localhost"\nsecret = "s"\nport = 1\nbaseUrl = "http://127.0.0.1/"\n';
    const folder = await folderWith(t, `${minimal}logFormat = "pretty"\n${component}`);
    const line = await startIn(t, folder).waitForLine((text) => text.includes('ERROR'));
    assert.match(
      line,
      /ERROR: not connected to the XMPP server, trying again: component\.port: nothing listens on .* port 1\. Set it/,
    );
  });

  it('is shorter with a higher logLevel', async (t) => {
    const folder = await folderWith(t, `${minimal}logLevel = "Error"\n`);
    const program = startIn(t, folder);
    await eventually(() =>
      stat(path.join(folder, 'upload/.prosody-filer')).then(
        () => true,
        () => false,
      ),
    );
    await program.stop();
    assert.deepEqual(program.lines, []);
  });
});
