import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from '../support/command.js';
import { findProgram } from '../support/peers.js';
import type { Job, JobResult } from './generator-jobs.js';
import { cpuSecondsOfEndedChildren } from './processes.js';
import { newSlot, requestHead } from './requests.js';

const script = fileURLToPath(new URL('wrk.lua', import.meta.url));
const refusedHeads = 64;

/** Whether wrk is installed (install-tools.sh). */
export function hasWrk(): boolean {
  return findProgram('wrk') !== undefined;
}

interface Summary {
  readonly requests: number;
  readonly seconds: number;
  /** Connections that broke. */
  readonly broken: number;
  /** Answers with a status from 400 on. */
  readonly refused: number;
}

/** Loads a server with wrk, whose requests cost a fraction of Node's; rejects at the first answer that is wrong. */
export async function runWrk(job: Job, folder: string): Promise<JobResult> {
  const { peer, kind, size, clients, seconds, isReconnecting } = job;
  const slots = job.slots ?? Array.from({ length: refusedHeads }, newSlot);
  const requestFile = path.join(folder, 'wrk-requests');
  await writeFile(requestFile, slots.map((slot) => requestHead(kind, slot, size, peer, isReconnecting)).join('\0'));
  const cpuAtStart = cpuSecondsOfEndedChildren();
  const options = ['-t1', `-c${clients}`, `-d${Math.ceil(seconds)}s`, '-s', script];
  const command = [`REQUESTS=${requestFile}`, 'wrk', ...options, `http://127.0.0.1:${peer.port}/`];
  const { code, stdout, stderr } = await run('env', command);
  if (code !== 0) throw new Error(`wrk failed: ${stderr}`);
  const summary = JSON.parse(stdout.slice(stdout.lastIndexOf('{'))) as Summary;
  const wanted = kind === 'refuse' ? summary.requests : 0;
  if (summary.broken > 0 || summary.refused !== wanted || summary.requests === 0) {
    throw new Error(`${kind} of ${peer.dialect} by wrk: ${stdout}`);
  }
  const cpuSeconds = cpuSecondsOfEndedChildren() - cpuAtStart;
  return { requests: summary.requests, seconds: summary.seconds, cpuSeconds, slots: [] };
}
