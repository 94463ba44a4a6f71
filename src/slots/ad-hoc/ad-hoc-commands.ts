/*
 * Ad-hoc commands (XEP-0050): who may run which, their steps, and what service discovery tells of them (§2.1, §2.2). Texts are in
 * English, whatever language a client asks for: an answer in English helps its user more than an error.
 */
import type { Element } from 'ltx';
import { RateLimiterMemory, RateLimiterRes } from 'rate-limiter-flexible';
import { FilerError, messageOf } from '../../errors.js';
import { bareJid } from '../../upload/uploader.js';
import { errorOf, resultOf, xml } from '../stanza.js';
import type { Command } from './command.js';
import { CommandRefusal, commandsNs } from './command-refusal.js';
import { submittedValues } from './data-form.js';
import { type Session, Sessions } from './sessions.js';
import type { Stage, StageAction } from './stage.js';

/** How often each JID may take a step of a command. The JIDs of a domain without access count as one. */
const stepsPerMinute = 60;

/** What commands depend on. */
export interface AdHocContext {
  /** The commands that a bare JID may run. */
  commandsFor(jid: string): readonly Command[];
  /** All commands. */
  readonly commands: readonly Command[];
  /** By whom the steps of a bare JID are counted. */
  paceOf(jid: string): string;
  readonly logger: Record<'info' | 'warn', (line: object, message: string) => void>;
  /** ms since the epoch. */
  readonly now: () => number;
}

const stageActions: readonly string[] = ['prev', 'next', 'complete'] satisfies StageAction[];

function isStageAction(action: string): action is StageAction {
  return stageActions.includes(action);
}

/** Refuses a language that is not a language tag (RFC 5646). */
function requireLanguage(language = ''): void {
  try {
    if (language !== '') Intl.getCanonicalLocales(language);
  } catch {
    throw new CommandRefusal('bad-locale');
  }
}

function actionsElement({ actions, usual }: Stage): Element | undefined {
  const names = Object.keys(actions);
  return names.length === 0 ? undefined : xml('actions', { execute: usual }, ...names.map((name) => xml(name, {})));
}

function answerWith(
  iq: Element,
  session: Pick<Session, 'id' | 'node'>,
  status: string,
  children: readonly (Element | undefined)[],
) {
  const attributes = { xmlns: commandsNs, node: session.node, sessionid: session.id, status, 'xml:lang': 'en' };
  return resultOf(iq, xml('command', attributes, ...children));
}

/** Answers the requests of clients about commands. */
export class AdHocCommands {
  readonly #context: AdHocContext;
  readonly #sessions: Sessions;
  readonly #pace = new RateLimiterMemory({ points: stepsPerMinute, duration: 60 });

  constructor(context: AdHocContext) {
    this.#context = context;
    this.#sessions = new Sessions(context.now);
  }

  /** The commands that a bare JID may run, for service discovery. */
  listFor(jid: string): readonly Pick<Command, 'node' | 'name'>[] {
    return this.#context.commandsFor(jid);
  }

  /** The command of a node, if this bare JID may run it. Throws a CommandRefusal. */
  require(node: string | undefined, jid: string): Command {
    const command = this.#context.commandsFor(jid).find((known) => known.node === node);
    if (command !== undefined) return command;
    const isKnown = this.#context.commands.some((known) => known.node === node);
    throw new CommandRefusal(isKnown ? 'forbidden' : 'unknown');
  }

  /** Answers an iq with a command. Rejects with unexpected errors. */
  async answer(iq: Element, command: Element): Promise<Element> {
    const jid = bareJid(iq.attrs['from'] ?? '');
    try {
      await this.#requirePace(jid);
      const found = this.require(command.attrs['node'], jid);
      requireLanguage(command.attrs['xml:lang'] ?? iq.attrs['xml:lang']);
      const { sessionid, action = 'execute' } = command.attrs;
      if (!['execute', 'cancel'].includes(action) && !isStageAction(action))
        throw new CommandRefusal('malformed-action');
      if (sessionid !== undefined) return await this.#continue(iq, command, sessionid, action);
      if (action !== 'execute') throw new CommandRefusal('bad-action');
      return await this.#begin(iq, found, jid);
    } catch (error) {
      return errorOf(iq, this.#toRefusal(error, jid).stanzaError);
    }
  }

  async #begin(iq: Element, { node, start }: Command, jid: string): Promise<Element> {
    this.#context.logger.info({ uploader: jid, command: node }, 'command begun');
    const session = this.#sessions.begin(iq.attrs['from'] ?? '', node, await start(jid));
    return this.#show(iq, session);
  }

  async #continue(iq: Element, command: Element, id: string, action: string): Promise<Element> {
    const session = this.#sessions.find(id, iq.attrs['from'] ?? '', command.attrs['node'] ?? '');
    if (action === 'cancel') {
      this.#sessions.end(session);
      return answerWith(iq, session, 'canceled', []);
    }
    const { actions, usual } = session.stage;
    const name = action === 'execute' ? usual : action;
    const step = name !== undefined && isStageAction(name) ? actions[name] : undefined;
    if (step === undefined) throw new CommandRefusal('bad-action');
    const values = submittedValues(command);
    if (values === undefined) throw new CommandRefusal('bad-payload');
    session.isBusy = true;
    try {
      session.stage = await step(values);
    } catch (error) {
      if (!(error instanceof CommandRefusal)) this.#sessions.end(session);
      throw error;
    } finally {
      session.isBusy = false;
    }
    return this.#show(iq, session);
  }

  #show(iq: Element, session: Session): Element {
    const actions = actionsElement(session.stage);
    if (actions === undefined) this.#sessions.end(session);
    const status = actions === undefined ? 'completed' : 'executing';
    return answerWith(iq, session, status, [actions, ...session.stage.payload]);
  }

  async #requirePace(jid: string): Promise<void> {
    const asker = this.#context.paceOf(jid);
    try {
      await this.#pace.consume(asker);
    } catch (error) {
      if (!(error instanceof RateLimiterRes)) throw error;
      if (error.consumedPoints === stepsPerMinute + 1) {
        const reason = `${asker} took more than ${stepsPerMinute} steps of commands within a minute`;
        this.#context.logger.warn({ uploader: jid, reason }, 'commands refused until the minute is over');
      }
      throw new CommandRefusal('limited');
    }
  }

  /** What the client is told. Throws an error that is no refusal. */
  #toRefusal(error: unknown, jid: string): CommandRefusal {
    const isBusy = error instanceof FilerError && error.code === 'STORE_BUSY';
    const refusal = isBusy ? new CommandRefusal('busy') : error;
    if (!(refusal instanceof CommandRefusal)) throw error;
    if (refusal.reason === 'forbidden' || isBusy) {
      this.#context.logger.warn({ uploader: jid, reason: messageOf(error) }, 'command refused');
    }
    return refusal;
  }
}
