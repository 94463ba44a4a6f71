import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Config } from '../../config/config.js';
import type { Verdict } from '../finding.js';

const run = promisify(execFile);

/** An upload has a connection and a file open. */
const filesPerUpload = 2;
const filesBesides = 100;

/** Whether the host keeps its clock right. */
export async function checkSynchronisation(): Promise<Verdict> {
  const answer = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value']).then(
    ({ stdout }) => stdout.trim(),
    () => 'unknown',
  );
  if (answer === 'yes') return 'The clock of this host is synchronised.';
  const found =
    answer === 'no'
      ? 'The clock of this host is not synchronised.'
      : 'There is no timedatectl to ask whether the clock of this host is synchronised.';
  return {
    outcome: 'warning',
    found: `${found} Bearer tokens are valid for minutes only, so a wrong clock refuses uploads.`,
    change: 'Use NTP on this host and on the host of the XMPP server.',
  };
}

/** Whether as many files may be open as maxUploads needs, by the hard limit, since Node.js raises the soft limit to it. */
export async function checkOpenFiles({ maxUploads, workers }: Config): Promise<Verdict> {
  const needed = Math.ceil((maxUploads * filesPerUpload) / workers) + filesBesides;
  const limits = await readFile('/proc/self/limits', 'utf8');
  const [, hard = ''] = /^Max open files +\S+ +(\S+)/m.exec(limits) ?? [];
  const found = `maxUploads = ${maxUploads} needs ${needed} open files in each process. The limit here is ${hard}.`;
  if (hard === 'unlimited' || Number(hard) >= needed) return found;
  const change = `Raise the limit (LimitNOFILE=${needed} in the unit, or ulimit -n), or lower maxUploads.`;
  return { outcome: 'warning', found, change };
}
