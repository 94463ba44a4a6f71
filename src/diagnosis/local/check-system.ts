import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Config } from '../../config/config.js';
import type { Check } from './check.js';

const run = promisify(execFile);

/** What an upload has open: a connection and a file. */
const filesPerUpload = 2;
const filesBesides = 100;

async function checkClock(): Promise<Check> {
  const answer = await run('timedatectl', ['show', '--property=NTPSynchronized', '--value']).then(
    ({ stdout }) => stdout.trim(),
    () => 'unknown',
  );
  if (answer === 'yes') return { verdict: 'ok', message: 'clock: synchronised' };
  const found = answer === 'no' ? 'not synchronised' : 'whether it is synchronised is unknown (no timedatectl)';
  return {
    verdict: 'warning',
    message: `clock: ${found}: Bearer tokens are valid for minutes, so let this host and Prosody's use NTP`,
  };
}

/** The hard limit counts, since Node raises the soft one; a service's own may be another one. */
async function checkOpenFiles({ maxUploads, workers }: Config): Promise<Check> {
  const needed = Math.ceil((maxUploads * filesPerUpload) / workers) + filesBesides;
  const limits = await readFile('/proc/self/limits', 'utf8');
  const [, hard = ''] = /^Max open files +\S+ +(\S+)/m.exec(limits) ?? [];
  if (hard === 'unlimited' || Number(hard) >= needed) {
    return {
      verdict: 'ok',
      message: `maxUploads: ${hard} files may be open here, ${maxUploads} uploads need ${needed}`,
    };
  }
  const advice = `raise the limit (LimitNOFILE=${needed} in the unit, ulimit -n) or lower maxUploads`;
  return {
    verdict: 'warning',
    message: `maxUploads: ${hard} files may be open here, ${maxUploads} uploads need ${needed}: ${advice}`,
  };
}

/** Whether the host is set up for it: clock and limits. */
export async function checkSystem(config: Config): Promise<Check[]> {
  return Promise.all([checkClock(), checkOpenFiles(config)]);
}
