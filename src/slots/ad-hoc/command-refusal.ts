import { type StanzaError, xml } from '../stanza.js';

/** The namespace of commands (XEP-0050), and the node under which clients find them. */
export const commandsNs = 'http://jabber.org/protocol/commands';

const refusals = {
  'bad-action': ['modify', 'bad-request', 'This step is not possible now.'],
  'bad-locale': ['modify', 'bad-request', 'The language of the request is not a language tag.'],
  'bad-payload': ['modify', 'bad-request', 'The form is not filled in correctly.'],
  'bad-sessionid': ['modify', 'bad-request', 'This command is not running. Begin again.'],
  'malformed-action': ['modify', 'bad-request', 'Unknown action.'],
  'session-expired': ['cancel', 'not-allowed', 'This command was left alone for too long. Begin again.'],
  forbidden: ['auth', 'forbidden', 'You are not allowed to run this command.'],
  unknown: ['cancel', 'item-not-found', 'There is no such command.'],
  busy: ['wait', 'resource-constraint', 'The server is busy. Try again in a minute.'],
  limited: ['wait', 'resource-constraint', 'Too many requests. Try again in a minute.'],
} as const;

/** Why a command does not go on. The first six are conditions of XEP-0050 §5.4. */
export type RefusalReason = keyof typeof refusals;

const conditionsOfCommands: readonly RefusalReason[] = [
  'bad-action',
  'bad-locale',
  'bad-payload',
  'bad-sessionid',
  'malformed-action',
  'session-expired',
];

/** A step of a command is refused. The message is a sentence for the user. */
export class CommandRefusal extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, sentence: string = refusals[reason][2]) {
    super(sentence);
    this.name = 'CommandRefusal';
    this.reason = reason;
  }

  /** The stanza error for the client. */
  get stanzaError(): StanzaError {
    const [type, condition] = refusals[this.reason];
    const detail = conditionsOfCommands.includes(this.reason) ? xml(this.reason, { xmlns: commandsNs }) : undefined;
    return { type, condition, text: this.message, detail };
  }
}
