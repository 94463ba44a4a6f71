import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type CommandResult, projectFolder, run } from '../support/command.js';
import { eventually } from '../support/eventually.js';
import { missingPeer, skipOrFail } from '../support/peers.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';

/** A systemd that runs as PID 1 of its own namespaces, with prosody-filer installed. */
export interface Systemd {
  /** Runs a command beside its services. */
  run(...command: string[]): Promise<CommandResult>;
  /** The value of a unit's property from systemctl. */
  show(unit: string, property: string): Promise<string>;
  /** Everything that prosody-filer has printed. */
  output(): Promise<string>;
}

const bootScript = fileURLToPath(new URL('boot-systemd.sh', import.meta.url));
const namespaces = ['--mount', '--pid', '--uts', '--ipc', '--cgroup', '--fork', '--kill-child', '--mount-proc'];

async function cgroupFolder(): Promise<string | undefined> {
  const mounts = await readFile('/proc/self/mounts', 'utf8');
  return /^\S+ (\S+) cgroup2 rw/m.exec(mounts)?.[1];
}

/** Says why systemd cannot be booted here, if so. */
export async function systemdSkipReason(): Promise<string | undefined> {
  const missing = missingPeer('systemd-analyze', 'unshare', 'nsenter', 'findmnt');
  if (missing !== undefined) return missing;
  if (process.getuid?.() !== 0) return 'needs root';
  if ((await cgroupFolder()) === undefined) return 'needs a cgroup2 hierarchy';
  const tried = await run('unshare', [...namespaces, 'true']);
  return tried.code === 0 ? undefined : skipOrFail(`no namespaces here: ${tried.stderr.trim()}`);
}

/** A unit that stands for one of the system's. */
function target(name: string, lines = ''): [string, string] {
  return [`${name}.target`, `[Unit]\nDescription=${name}\nDefaultDependencies=no\n${lines}`];
}

/**
 * Boots systemd with units that are started at once, and files for /etc/prosody-filer; only root may read `secret`. The shell
 * command `setUp` runs before.
 */
export async function bootSystemd(
  t: Pick<TestContext, 'after'>,
  units: Readonly<Record<string, string>>,
  etc: Readonly<Record<string, string | Buffer>>,
  setUp: string,
): Promise<Systemd> {
  let running: RunningProcess | undefined;
  const cgroup = path.join((await cgroupFolder()) ?? '', `prosody-filer-test-${process.pid}`);
  t.after(async () => {
    await running?.stop('SIGKILL');
    await eventually(async () => (await run('find', [cgroup, '-depth', '-type', 'd', '-delete'])).code === 0);
  });
  const folder = await tempDir(t);
  const targets = ['sysinit', 'basic', 'shutdown', 'sockets', 'multi-user', 'network-online'].map((name) =>
    target(name),
  );
  const all = [...Object.entries(units), ...targets, target('test', `Wants=${Object.keys(units).join(' ')}\n`)];
  await Promise.all([mkdir(path.join(folder, 'units')), mkdir(path.join(folder, 'etc')), mkdir(cgroup)]);
  for (const [name, text] of all) await writeFile(path.join(folder, 'units', name), text);
  for (const [name, text] of Object.entries(etc))
    await writeFile(path.join(folder, 'etc', name), text, { mode: name === 'secret' ? 0o600 : 0o644 });

  const joinGroup = 'echo $$ >"$0/cgroup.procs"; exec "$@"';
  const boot = [
    bootScript,
    process.execPath,
    projectFolder,
    path.join(folder, 'etc'),
    path.join(folder, 'units'),
    setUp,
  ];
  const manager = new RunningProcess('sh', ['-c', joinGroup, cgroup, 'unshare', ...namespaces, 'bash', ...boot]);
  running = manager;
  const beside = async (...command: string[]) => {
    const unshare = manager.pid ?? 0;
    const pid = (await readFile(`/proc/${unshare}/task/${unshare}/children`, 'utf8')).trim();
    return run('nsenter', ['--target', pid, '--mount', '--pid', '--cgroup', ...command]);
  };
  await eventually(async () => /^(running|degraded)$/m.test((await beside('systemctl', 'is-system-running')).stdout));
  return {
    run: beside,
    show: async (unit, property) =>
      (await beside('systemctl', 'show', '--value', '--property', property, unit)).stdout.trim(),
    output: async () => (await beside('cat', '/run/output')).stdout,
  };
}
