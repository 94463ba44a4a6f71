import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Job, JobResult } from './generator-jobs.js';

const program = fileURLToPath(new URL('generator-process.ts', import.meta.url));
/** How long after a job's time its last answers may take. */
const graceMs = 20_000;

/** The load generator, in a process of its own that lives as long as the run, so that it is warm. */
export class Generator {
  readonly #child: ChildProcess = fork(program, { execArgv: ['--import', 'tsx'] });

  /** Rejects if any answer was not the expected one or failed to come. */
  async run(job: Job): Promise<JobResult> {
    this.#child.send(job);
    const ended = new AbortController();
    const late = wait(job.seconds * 1000 + graceMs, undefined, { signal: ended.signal }).then(() => {
      throw new Error(`${job.kind} of ${job.peer.dialect}: an answer does not come`);
    });
    const answers = once(this.#child, 'message', { signal: ended.signal });
    const end = once(this.#child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error('the load generator ended');
    });
    const [message] = await Promise.race([answers, end, late]).finally(() => {
      answers.catch(() => undefined);
      end.catch(() => undefined);
      late.catch(() => undefined);
      ended.abort();
    });
    const { result, error } = message as { result?: JobResult; error?: string };
    if (result === undefined) throw new Error(error);
    return result;
  }

  stop(): void {
    this.#child.disconnect();
  }
}
