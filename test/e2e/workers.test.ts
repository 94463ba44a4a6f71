import assert from 'node:assert/strict';
import { readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { mainFile, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { type Program, startProgram, toToml } from '../support/program.js';
import { connectTo } from '../support/raw-socket.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { put, putTarget } from '../support/uploading.js';

async function workersOf({ pid }: Pick<Program, 'pid'>): Promise<number[]> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8').catch(() => '');
  return children.split(' ').filter(Boolean).map(Number);
}

/** True if the process is stopped (T), or has ended and its parent has not noticed yet (Z). */
async function isInState(state: 'T' | 'Z', pid: number): Promise<boolean> {
  return (await readFile(`/proc/${pid}/status`, 'utf8')).includes(`State:\t${state}`);
}

function isRunning(pid: number): Promise<boolean> {
  return stat(`/proc/${pid}`).then(
    () => true,
    () => false,
  );
}

/** Kills a worker and waits for its replacement. */
async function replaceWorker(program: Program, worker: number): Promise<void> {
  const before = newWorkers(program);
  process.kill(worker, 'SIGKILL');
  await eventually(async () => newWorkers(program) > before);
}

function newWorkers(program: Program): number {
  return program.logLines().filter(({ msg }) => msg === 'a new worker is listening').length;
}

describe('several workers', () => {
  it('serve one address, and store exactly one of racing uploads', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    assert.equal((await workersOf(program)).length, 2);
    const bodies = Array.from({ length: 30 }, (_, index) => Buffer.from(String(index).padStart(200_000)));
    const url = program.origin + putTarget(program, 's/f', 200_000);
    const answers = await Promise.all(bodies.map((body) => send(url, { method: 'PUT', body })));
    const winners = bodies.filter((_, index) => answers[index]?.status === 201);
    assert.equal(winners.length, 1);
    assert.equal(answers.filter(({ status }) => status === 409).length, 29);
    for (let count = 0; count < 4; count += 1)
      assert.deepEqual((await send(`${program.uploadUrl}s/f`)).body, winners[0]);
    assert.deepEqual(await filesIn(program.storeDir), ['s/f']);
  });

  it('let a running upload finish when all are signalled at once, and exit with 0', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    const connections = await Promise.all([1, 2, 3, 4].map(() => connectTo(t, program.origin)));
    for (const [index, { socket }] of connections.entries()) {
      const target = putTarget(program, `s/${index}`, 10);
      socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n01234`);
    }
    await eventually(async () => (await filesIn(program.storeDir)).length === 4);
    const stopped = program.stop();
    await program.waitForLog(({ msg }) => msg === 'SIGTERM: finishing the running transfers');
    for (const { socket } of connections) socket.write('56789');
    for (const connection of connections) await connection.waitFor(/^HTTP\/1\.1 201 Created/);
    assert.deepEqual(await stopped, { code: 0, signal: null });
    assert.deepEqual(await filesIn(program.storeDir), ['s/0', 's/1', 's/2', 's/3']);
  });

  it('share the limit of running uploads', async (t) => {
    const program = await startProgram(t, { workers: 2, maxUploads: 4, shutdownTimeout: '1s' });
    const begin = async (name: string) => {
      const connection = await connectTo(t, program.origin);
      const head = `PUT ${putTarget(program, name, 10)} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n`;
      connection.socket.write(`${head}Expect: 100-continue\r\n\r\n`);
      return (await connection.waitFor(/\r\n/)).split('\r\n')[0];
    };
    let count = 0;
    let running = 0;
    // Whichever worker accepts a connection first, so one of them may be full while the other is not.
    await eventually(async () => {
      const firstLine = await begin(`s/${count++}`);
      if (firstLine === 'HTTP/1.1 100 Continue') running += 1;
      else assert.equal(firstLine, 'HTTP/1.1 503 Service Unavailable');
      return running === 4;
    });
    const more = await Promise.all(Array.from({ length: 16 }, () => begin(`s/${count++}`)));
    assert.deepEqual(new Set(more), new Set(['HTTP/1.1 503 Service Unavailable']));
  });

  it('are replaced when they die, and leave nothing of unfinished uploads', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    const before = await workersOf(program);
    const connection = await connectTo(t, program.origin);
    const target = putTarget(program, 's/f', 200_000);
    connection.socket.write(`PUT ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n`);
    connection.socket.write(Buffer.alloc(100_000));
    await eventually(async () => (await filesIn(program.storeDir)).length === 1);
    // One after the other: with none left, port 0 would become another port.
    let replaced = 0;
    for (const worker of before) {
      process.kill(worker, 'SIGKILL');
      await program.waitForLog(
        ({ msg, pid }) => msg === 'a worker ended unexpectedly, starting another' && pid === worker,
      );
      replaced += 1;
      await eventually(async () => newWorkers(program) === replaced);
    }
    const body = Buffer.alloc(200_000, 'x');
    const retry = () => send(program.origin + target, { method: 'PUT', body });
    await eventually(() =>
      retry().then(
        ({ status }) => status === 201,
        () => false,
      ),
    );
    await eventually(async () => (await filesIn(program.storeDir)).join() === 's/f');
  });

  it('that hang or die leave new connections to the others', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    const workers = await workersOf(program);
    const [dying = 0, other = 0] = workers;
    for (const worker of workers) process.kill(worker, 'SIGSTOP');
    for (const worker of workers) await eventually(() => isInState('T', worker));
    const clients = await Promise.all(Array.from({ length: 8 }, () => connectTo(t, program.origin)));
    for (const { socket } of clients) socket.write('OPTIONS / HTTP/1.1\r\nHost: x\r\n\r\n');
    process.kill(other, 'SIGCONT');
    for (const { waitFor } of clients.slice(0, 4)) await waitFor(/^HTTP\/1\.1 /);
    process.kill(dying, 'SIGKILL');
    for (const { waitFor } of clients) await waitFor(/^HTTP\/1\.1 /);
  });

  it('close when their supervisor is killed', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    const workers = await workersOf(program);
    process.kill(program.pid ?? 0, 'SIGKILL');
    for (const pid of workers) await eventually(async () => !(await isRunning(pid)));
  });

  it('keep the configuration of the start when its files change or go', async (t) => {
    const secretFile = path.join(await tempDir(t), 'credential');
    await writeFile(secretFile, 'from the credential');
    const program = await startProgram(t, { workers: 2, secretFile });
    await writeFile(program.configFile, 'secret = ');
    await rm(secretFile);
    for (const worker of await workersOf(program)) await replaceWorker(program, worker);
    const { status } = await put({ ...program, secret: 'from the credential' }, 's/f', Buffer.from('x'));
    assert.equal(status, 201);
    for (const pid of await workersOf(program)) {
      const shown = await Promise.all(['cmdline', 'environ'].map((name) => readFile(`/proc/${pid}/${name}`, 'utf8')));
      assert.ok(!shown.join().includes(program.secret) && !shown.join().includes('from the credential'));
    }
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
  });

  it('exit with 0 when a signal arrives while they start', async (t) => {
    const folder = await tempDir(t);
    const file = path.join(folder, 'config.toml');
    await writeFile(
      file,
      toToml({ listenPort: '127.0.0.1:0', secret: 's3cret', storeDir: path.join(folder, 'store'), workers: 2 }),
    );
    for (const delayMs of [0, 50, 100, 150, 200, 250, 300, 350, 400]) {
      const running = new RunningProcess(process.execPath, [mainFile, '--config', file]);
      t.after(() => running.stop('SIGKILL'));
      const pid = running.pid ?? 0;
      let workers: number[] = [];
      await eventually(async () => {
        workers = await workersOf({ pid });
        return workers.length === 2;
      });
      await wait(delayMs);
      if (delayMs % 100 === 0) process.kill(pid, 'SIGTERM');
      else process.kill(-pid, 'SIGTERM');
      const end = await running.ended;
      assert.deepEqual(end, { code: 0, signal: null }, `${delayMs} ms: ${running.lines.join('\n')}`);
      for (const worker of workers) assert.equal(await isRunning(worker), false);
    }
  });

  it('may die while messages to them are on their way', async (t) => {
    const program = await startProgram(t, { workers: 2, metricsListen: '127.0.0.1:0' });
    const { address } = await program.waitForLog(({ msg }) => msg === 'exposing /metrics and /healthz');
    const scraper = await connectTo(t, String(address));
    scraper.socket.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
    await scraper.waitFor(/^HTTP\/1\.1 200/);
    const [worker = 0] = await workersOf(program);
    // It reads the request for all metrics before it reads that a worker has died.
    process.kill(program.pid, 'SIGSTOP');
    await new Promise((resolve) => scraper.socket.write('GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n', resolve));
    process.kill(worker, 'SIGKILL');
    await eventually(() => isInState('Z', worker));
    process.kill(program.pid, 'SIGCONT');
    await eventually(async () => newWorkers(program) === 1);
    assert.equal((await put(program, 's/f', Buffer.from('x'))).status, 201);
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
  });

  it('keep serving when one cannot be replaced, which is retried', async (t) => {
    const program = await startProgram(t, { workers: 2 });
    assert.equal((await put(program, 's/f', Buffer.from('x'))).status, 201);
    const reserved = path.join(program.storeDir, '.prosody-filer');
    await rename(reserved, `${reserved}-away`);
    await writeFile(reserved, 'no folder');
    const [worker = 0, other = 0] = await workersOf(program);
    process.kill(worker, 'SIGKILL');
    await program.waitForLog(({ pauseMs }) => pauseMs === 2000);
    assert.match(program.output(), /storeDir: expected a folder that this user may write to/);
    assert.ok(await isRunning(other));
    await rm(reserved);
    await rename(`${reserved}-away`, reserved);
    await eventually(async () => newWorkers(program) === 1);
    assert.deepEqual(await program.stop(), { code: 0, signal: null });
  });

  it('exit with 1 and say why if they cannot listen', async (t) => {
    const { origin, storeDir } = await startProgram(t);
    const file = path.join(await tempDir(t), 'config.toml');
    const port = new URL(origin).port;
    await writeFile(file, `listenPort = "127.0.0.1:${port}"\nsecret = "s"\nstoreDir = "${storeDir}"\nworkers = 2\n`);
    const { code, stderr } = await run(process.execPath, [mainFile, '--config', file]);
    assert.equal(code, 1);
    assert.match(stderr, /^prosody-filer: listenPort: cannot listen on 127\.0\.0\.1 port \d+: another program listens/);
  });

  it('listen on one Unix socket', async (t) => {
    const socketPath = path.join(await tempDir(t), 'filer.sock');
    const settings = { workers: 2, unixSocket: true, listenPort: socketPath };
    const program = await startProgram(t, settings);
    assert.equal(program.origin, `unix:${socketPath}`);
    assert.equal((await stat(socketPath)).mode & 0o777, 0o660);
    assert.equal((await program.stop()).code, 0);
  });
});
