/* The log's reader or disk is what fails here: the program's standard output is not read by the test but where it says so. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { describe, it, type TestContext } from 'node:test';
import { programCommand, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { send } from '../support/http-client.js';
import { freePort } from '../support/peers.js';
import { type Settings, toToml } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';

const needsRoot = { skip: process.getuid?.() !== 0 && 'needs root' };

/** A path so long that some hundred lines with it fill a pipe and what may wait for its reader. */
const longPath = `/upload/${Array.from({ length: 40 }, () => 'x'.repeat(250)).join('/')}`;

/** Starts the program with its standard output in this file, or in a socket (Node's 'pipe') that nobody reads yet. */
async function startWith(t: TestContext, settings: Settings, stdout: 'pipe' | number, env: NodeJS.ProcessEnv = {}) {
  let child: ChildProcess | undefined;
  t.after(() => child?.kill('SIGKILL'));
  const [listenPort, metricsListen] = [`127.0.0.1:${await freePort()}`, `127.0.0.1:${await freePort()}`];
  const configFile = path.join(await tempDir(t), 'config.toml');
  const used = { listenPort, metricsListen, secret: 's3cret', storeDir: await tempDir(t), uploadSubDir: 'upload/' };
  await writeFile(configFile, toToml({ ...used, ...settings }));
  const [command = '', ...args] = [...programCommand, '--config', configFile];
  child = spawn(command, args, { stdio: ['ignore', stdout, 'inherit'], env: { ...process.env, ...env } });
  const exit = once(child, 'exit');
  const { pid = 0 } = child;
  const origin = `http://${listenPort}`;
  const answers = () =>
    send(`${origin}/upload/x`).then(
      ({ status }) => status === 404,
      () => false,
    );
  await eventually(answers);
  const metrics = async () => (await send(`http://${metricsListen}/metrics`)).body.toString();
  return {
    /** The read end of the pipe. */
    output: child.stdout as Readable,
    ask: async (target = '/upload/x') => assert.equal((await send({ origin, rawTarget: target })).status, 404),
    lostLines: async () => Number(/^prosody_filer_log_lines_lost_total (\d+)$/m.exec(await metrics())?.[1]),
    exit,
    signal: (name: NodeJS.Signals) => process.kill(pid, name),
    /** Ends it by SIGTERM, and says with which code and after how long. */
    stop: async () => {
      const startedAt = performance.now();
      process.kill(pid, 'SIGTERM');
      const [code] = await exit;
      return { code, ms: performance.now() - startedAt };
    },
  };
}

async function askOften({ ask }: { ask: (target: string) => Promise<void> }, times: number): Promise<void> {
  for (let count = 0; count < times; count += 1) await ask(longPath);
}

it('a log in an unread pipe loses lines and counts them; requests and shutdown are not delayed', async (t) => {
  const fifo = path.join(await tempDir(t), 'fifo');
  assert.equal((await run('mkfifo', [fifo])).code, 0);
  const pipe = await open(fifo, 'r+');
  t.after(() => pipe.close());
  const program = await startWith(t, { workers: 2 }, pipe.fd);
  await askOften(program, 400);
  assert.ok((await program.lostLines()) > 0);
  const { code, ms } = await program.stop();
  assert.equal(code, 0);
  assert.ok(ms < 4000, `${ms} ms`);
});

for (const settings of [{ logFormat: 'json' }, { logFormat: 'pretty' }, { logFormat: 'json', workers: 2 }]) {
  describe(`a log (${JSON.stringify(settings)})`, () => {
    it('that nobody reads loses lines and counts them; requests and shutdown are not delayed', async (t) => {
      const program = await startWith(t, settings, 'pipe');
      await askOften(program, 400);
      assert.ok((await program.lostLines()) > 0);
      const { code, ms } = await program.stop();
      assert.equal(code, 0);
      assert.ok(ms < 4000, `${ms} ms`);
    });

    it('that is read again contains the waiting lines and the number of lost lines', async (t) => {
      const program = await startWith(t, settings, 'pipe');
      await askOften(program, 400);
      const output = text(program.output);
      await program.ask('/upload/last');
      const lost = await program.lostLines();
      assert.equal((await program.stop()).code, 0);
      const lines = (await output).trimEnd().split('\n');
      const longLines = lines.filter((line) => line.includes(longPath));
      const reports = lines.flatMap((line) => /lost (\d+) lines of this log: no process reads/.exec(line)?.[1] ?? []);
      assert.equal(
        reports.map(Number).reduce((sum, count) => sum + count, 0),
        lost,
      );
      assert.equal(longLines.length + lost, 400);
      assert.ok(lines.some((line) => line.includes('stopped')));
      if (settings.logFormat === 'json') for (const line of lines) JSON.parse(line);
    });

    it('whose reader is gone loses lines and counts them; requests and shutdown are not delayed', async (t) => {
      const program = await startWith(t, settings, 'pipe');
      program.output.destroy();
      for (let count = 0; count < 10; count += 1) await program.ask();
      await eventually(async () => (await program.lostLines()) >= 10);
      const { code, ms } = await program.stop();
      assert.equal(code, 0);
      assert.ok(ms < 3000, `${ms} ms`);
    });

    it('on a full disk loses lines and counts them, and reports that when there is room', needsRoot, async (t) => {
      let folder = '';
      t.after(() => run('umount', ['--lazy', folder]));
      folder = await tempDir(t);
      const { code: mounted, stderr } = await run('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'tmpfs', folder]);
      assert.equal(mounted, 0, stderr);
      const file = path.join(folder, 'log');
      const log = await open(file, 'a');
      const program = await startWith(t, settings, log.fd);
      await log.close();
      await run('dd', ['if=/dev/zero', `of=${folder}/rest`, 'bs=1k']);
      await askOften(program, 10);
      assert.ok((await program.lostLines()) >= 5);
      await rm(`${folder}/rest`);
      await program.ask('/upload/again');
      const { code, ms } = await program.stop();
      assert.equal(code, 0);
      assert.ok(ms < 3000, `${ms} ms`);
      const lines = (await readFile(file, 'utf8')).trimEnd().split('\n');
      assert.ok(lines.some((line) => /lost \d+ lines of this log: ENOSPC/.test(line)));
      assert.ok(lines.some((line) => line.includes('stopped')));
    });

    it('on a disk that stays full does not delay the end', needsRoot, async (t) => {
      const full = await open('/dev/full', 'w');
      const program = await startWith(t, settings, full.fd);
      await full.close();
      await program.ask();
      const { code, ms } = await program.stop();
      assert.equal(code, 0);
      assert.ok(ms < 3000, `${ms} ms`);
    });
  });
}

/** Has the program crash when it gets SIGUSR2. */
const crash = "data:text/javascript,process.on('SIGUSR2', () => { throw new Error('boom') })";

describe('the last lines', () => {
  it('of a crash are in the log', async (t) => {
    const program = await startWith(t, {}, 'pipe', { NODE_OPTIONS: `--import="${crash}"` });
    const output = text(program.output);
    program.signal('SIGUSR2');
    assert.equal((await program.exit)[0], 1);
    assert.match(await output, /"level":"fatal".*boom.*unexpected error, stopping"}\n(.*"swept"}\n)?.*"stopped"}\n$/);
  });

  it('of a crash do not delay the end if nobody reads them', async (t) => {
    const program = await startWith(t, {}, 'pipe', { NODE_OPTIONS: `--import="${crash}"` });
    await askOften(program, 10);
    program.signal('SIGUSR2');
    assert.equal((await program.exit)[0], 1);
  });

  it('of a failed start do not change its exit code if standard error is full', async (t) => {
    const command = programCommand.map((part) => `'${part}'`).join(' ');
    const folder = await tempDir(t);
    const { code } = await run('sh', ['-c', `${command} --config '${folder}/absent' 2>/dev/full`]);
    assert.equal(code, 2);
  });
});
