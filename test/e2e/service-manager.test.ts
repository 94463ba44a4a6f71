import assert from 'node:assert/strict';
import { stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { freePort, missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';

/** Node has no datagram sockets in the filesystem. */
const receiver =
  'socket(S, AF_UNIX, SOCK_DGRAM, 0); bind(S, sockaddr_un($ARGV[0])); $| = 1; print "bound\n"; print "$m\n" while defined recv(S, $m, 4096, 0)';

/** A stand-in for a service manager: the lines that it receives, and the command that starts a program under it. */
async function startManager(t: TestContext, watchdogMs: number) {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop());
  const socket = path.join(await tempDir(t), 'notify');
  const manager = new RunningProcess('perl', ['-MSocket', '-e', receiver, socket]);
  running = manager;
  await manager.waitForLine((line) => line === 'bound');
  return { manager, command: ['env', `NOTIFY_SOCKET=${socket}`, `WATCHDOG_USEC=${watchdogMs * 1000}`] };
}

function countOf(manager: RunningProcess, line: string): number {
  return manager.lines.filter((text) => text === line).length;
}

describe('a service manager', { skip: missingPeer('perl', 'systemd-notify') ?? false }, () => {
  for (const workers of [1, 2]) {
    it(`is notified of start, life and end by ${workers} worker(s)`, async (t) => {
      const { manager, command } = await startManager(t, 60);
      const program = await startProgram(t, { workers }, command);
      await manager.waitForLine((line) => line === 'READY=1');
      await eventually(() => countOf(manager, 'WATCHDOG=1') >= 3);
      await program.stop();
      await manager.waitForLine((line) => line === 'STOPPING=1');
      assert.equal(countOf(manager, 'READY=1'), 1);
      assert.ok(!program.output().includes('failed'), program.output());
    });
  }

  it('gets no sign of life while the store does not answer', {
    skip: missingPeer('strace') ?? false,
  }, async (t) => {
    const { manager, command } = await startManager(t, 600);
    const strace = [
      'strace',
      '-f',
      '-o',
      '/dev/null',
      '-e',
      'trace=fdatasync',
      '-e',
      'inject=fdatasync:delay_enter=5s',
    ];
    await startProgram(t, { shutdownTimeout: '1s' }, [...command, ...strace]);
    await manager.waitForLine((line) => line === 'READY=1');
    // Twice the watchdog's period, to see that nothing comes.
    await new Promise((resolve) => setTimeout(resolve, 1200));
    assert.equal(countOf(manager, 'WATCHDOG=1'), 0);
  });
});

describe('a passed socket', { skip: missingPeer('systemd-socket-activate') ?? false }, () => {
  /** Starts the program at the first connection to these sockets; resolves to the line it ends with. */
  async function refusalOf(t: TestContext, settings: string, ...sockets: readonly string[]): Promise<string> {
    const folder = await tempDir(t);
    const file = path.join(folder, 'config.toml');
    await writeFile(file, `secret = "s"\nstoreDir = "${folder}/upload"\n${settings}\n`);
    const listen = sockets.map((socket) => `--listen=${socket}`);
    const program = new RunningProcess('systemd-socket-activate', [
      ...listen,
      process.execPath,
      mainFile,
      '--config',
      file,
    ]);
    t.after(() => program.stop());
    await program.waitForLine((line) => line.startsWith(`Listening on ${sockets.at(-1)}`));
    const [first = ''] = sockets;
    const poke = first.startsWith('/') ? connect(first) : connect(Number(first.split(':')[1]), '127.0.0.1');
    poke.on('error', () => undefined);
    t.after(() => poke.destroy());
    return program.waitForLine((line) => line.startsWith('prosody-filer: '));
  }

  it('is refused if the configuration names the other kind of socket, or there are several', async (t) => {
    const socket = path.join(await tempDir(t), 'filer.sock');
    const tcp = `127.0.0.1:${await freePort()}`;
    assert.match(
      await refusalOf(t, '', socket),
      /unixSocket: expected true, because ListenStream= passes a Unix socket, got false$/,
    );
    const unixSocket = 'unixSocket = true\nlistenPort = "/nonexistent"';
    assert.match(await refusalOf(t, unixSocket, tcp), /unixSocket: expected false/);
    assert.match(
      await refusalOf(t, '', tcp, `127.0.0.1:${await freePort()}`),
      /LISTEN_FDS: expected one socket .*, got 2$/,
    );
  });

  it('may be a Unix socket, which stays for the next start', async (t) => {
    const socket = path.join(await tempDir(t), 'filer.sock');
    const starting = startProgram(t, { unixSocket: true, listenPort: socket }, [
      'systemd-socket-activate',
      `--listen=${socket}`,
    ]);
    const poke = () =>
      new Promise<boolean>((resolve) => {
        const connection = connect(socket, () => resolve(true)).on('error', () => resolve(false));
        t.after(() => connection.destroy());
      });
    await eventually(poke);
    const program = await starting;
    assert.equal(program.origin, 'the passed socket');
    assert.equal((await program.stop()).code, 0);
    await eventually(async () => !(await poke())); // nobody holds it any more, but its name is not ours to remove
    assert.ok((await stat(socket)).isSocket());
  });
});
