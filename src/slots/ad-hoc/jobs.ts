/*
 * Work on the store that may take longer than a client waits for an answer. A user has one job at a time, and few jobs run at
 * the same time: the others wait for their turn.
 */
import { setTimeout as wait } from 'node:timers/promises';
import type { Walk } from '../../retention/user-uploads.js';
import { CommandRefusal } from './command-refusal.js';
import { type FormTexts, fillableForm } from './data-form.js';
import type { Stage } from './stage.js';

/** Each job reads the store with many calls at once, so that more of them would slow down uploads and downloads. */
const maxRunning = 2;
const maxJobs = 100;

/** A job, running or waiting. */
interface Job {
  /** Whether another job of the user may take its place. */
  readonly isReplaceable: boolean;
  readonly stopping: AbortController;
}

/** What a job does, and what a client shows while it lasts. */
export interface JobPlan<Result> {
  readonly texts: FormTexts;
  /** Says how far it is, for so many uploads. */
  progress(uploads: number): string;
  readonly isReplaceable: boolean;
  work(walk: Walk): Promise<Result>;
}

/** The jobs of all users. A client waits for the answer for `patienceMs`, and then asks again. */
export class Jobs {
  readonly #patienceMs: number;
  readonly #jobs = new Map<string, Job>();
  readonly #waiting: (() => void)[] = [];
  #running = 0;

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /** Ends all jobs. */
  stop(): void {
    for (const { stopping } of this.#jobs.values()) stopping.abort(new CommandRefusal('busy'));
  }

  /**
   * Starts a job of a bare JID; resolves to the stage that its result leads to, or to one that asks for patience. Throws a
   * CommandRefusal if there are too many jobs, and what the job throws.
   */
  async run<Result>(jid: string, plan: JobPlan<Result>, then: (result: Result) => Promise<Stage>): Promise<Stage> {
    const former = this.#jobs.get(jid);
    if (former?.isReplaceable === false) {
      throw new CommandRefusal('busy', 'Your last command is still being carried out. Wait until that is done.');
    }
    if (former === undefined && this.#jobs.size >= maxJobs) throw new CommandRefusal('busy');
    former?.stopping.abort(new CommandRefusal('session-expired', 'Another command of yours has replaced this one.'));
    const job = { isReplaceable: plan.isReplaceable, stopping: new AbortController() };
    this.#jobs.set(jid, job);
    let uploads = 0;
    const count = () => {
      uploads += 1;
    };
    const { signal } = job.stopping;
    const result = this.#inTurn(signal, () => plan.work({ signal, count })).finally(() => {
      if (this.#jobs.get(jid) === job) this.#jobs.delete(jid);
    });
    // A client that asks no more does not hear of it.
    result.catch(() => undefined);
    return this.#stageOf(result, () => fillableForm(plan.texts, [plan.progress(uploads)]), then);
  }

  async #stageOf<Result>(
    result: Promise<Result>,
    patience: () => Stage['payload'][number],
    then: (result: Result) => Promise<Stage>,
  ): Promise<Stage> {
    const ended = new AbortController();
    const late = wait(this.#patienceMs, 'late', { ref: false, signal: ended.signal }).catch(() => 'late' as const);
    const first = await Promise.race([result.then(() => 'done' as const), late]).finally(() => ended.abort());
    if (first === 'done') return then(await result);
    return { payload: [patience()], actions: { next: () => this.#stageOf(result, patience, then) }, usual: 'next' };
  }

  async #inTurn<Result>(signal: AbortSignal, work: () => Promise<Result>): Promise<Result> {
    if (this.#running < maxRunning) this.#running += 1;
    // Whoever ends hands over the turn.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      signal.throwIfAborted();
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next === undefined) this.#running -= 1;
      else next();
    }
  }
}
