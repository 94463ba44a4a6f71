import type { Element } from 'ltx';
import { xml } from '../stanza.js';
import { commandsNs } from './command-refusal.js';
import type { FormValues } from './data-form.js';

/** What a client may do at a stage, beside cancelling the command. */
export type StageAction = 'prev' | 'next' | 'complete';

/** A stage of a command: what the client shows, and where it may go from there (XEP-0050 §2.4). */
export interface Stage {
  readonly payload: readonly Element[];
  /** Leads to the next stage, by the action. Without any, the command is completed. Throws a CommandRefusal to stay here. */
  readonly actions: { readonly [Action in StageAction]?: (values: FormValues) => Promise<Stage> };
  /** The action that a client takes by default. */
  readonly usual?: StageAction;
}

/**
 * The last stage of a command, with a sentence. It never has a text from a user in it: Profanity up to 0.13 takes it as a
 * format of printf.
 */
export function lastStage(sentence: string, type: 'info' | 'error' = 'info', ...payload: readonly Element[]): Stage {
  return { payload: [xml('note', { xmlns: commandsNs, type }, sentence), ...payload], actions: {} };
}
