/** How a check came out; of a failure the start fails too. */
export type Verdict = 'ok' | 'warning' | 'problem' | 'failure';

/** One thing that was checked: what was found and, unless it is ok, what to do. */
export interface Check {
  readonly verdict: Verdict;
  readonly message: string;
  /** What the message asks for, to be pasted as it stands. */
  readonly paste?: string;
}
