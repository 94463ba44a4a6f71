import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, systemErrorCode } from '../errors.js';
import {
  type ComponentAccount,
  ComponentLink,
  type LinkHandlers,
  type LinkTimings,
  StreamError,
} from './component-link.js';

/** When a component reconnects, ms. */
export interface ComponentTimings extends LinkTimings {
  /** The first pause. Each further one is twice as long. All are shortened by a random part, up to half. */
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
  /** The shortest pause after the server refused the component, since an operator has to mend that. */
  readonly refusedPauseMs: number;
}

const usualTimings: ComponentTimings = {
  idleMs: 60_000,
  answerMs: 20_000,
  minPauseMs: 500,
  maxPauseMs: 30_000,
  refusedPauseMs: 5000,
};

/** What a component depends on. */
export interface ComponentContext {
  readonly answer: LinkHandlers['answer'];
  readonly logger: Record<'debug' | 'info' | 'error', (line: object, message: string) => void>;
  readonly timings?: ComponentTimings;
}

/** What an operator can do about a failed connection, by the error code of the system or the condition of the stream. */
const explanations: Readonly<Record<string, (account: ComponentAccount) => string>> = {
  ECONNREFUSED: ({ host, port }) =>
    `component.port: nothing listens on ${host} port ${port}. Set it to the port on which the XMPP server accepts components.`,
  ENOTFOUND: ({ host }) =>
    `component.host: the host name ${host} does not exist. Set it to the host of the XMPP server.`,
  'not-authorized': () =>
    'component.secret: the XMPP server refused it. Set it to the secret that the XMPP server has for this component.',
  'host-unknown': ({ jid }) =>
    `component.jid: the XMPP server does not know the component ${jid}. Add it there, or correct component.jid.`,
  conflict: ({ jid }) =>
    `component.jid: the XMPP server accepts only one program as ${jid}, and another one is connected already`,
};

/** Why a connection ended, and what the operator can do about it if that is known. One line. */
export function explainEnd(reason: Error, account: ComponentAccount): string {
  const code = reason instanceof StreamError ? reason.condition : systemErrorCode(reason);
  return (
    explanations[code ?? '']?.(account) ?? `the connection to the XMPP server failed: ${messageOf(reason) || code}`
  );
}

/** Whether the XMPP server has accepted the component. */
export interface ComponentConnection {
  readonly isConnected: boolean;
  /** Since when, ms since the epoch. */
  readonly since: number;
  /** Why the last attempt or connection ended. */
  readonly reason?: string;
}

/** A component of an XMPP server. It reconnects whenever the connection ends, until it is stopped. */
export class Component {
  readonly #account: ComponentAccount;
  readonly #context: ComponentContext;
  readonly #timings: ComponentTimings;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<void>;
  #link: ComponentLink | undefined;
  #connection: ComponentConnection = { isConnected: false, since: Date.now() };

  /** Begins to connect. */
  constructor(account: ComponentAccount, context: ComponentContext) {
    this.#account = account;
    this.#context = context;
    this.#timings = context.timings ?? usualTimings;
    this.#stopped = this.#run();
  }

  /** The present connection, or the lack of it. */
  get connection(): ComponentConnection {
    return this.#connection;
  }

  /** Disconnects, and resolves once that is done. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    await this.#link?.close();
    await this.#stopped;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    for (let attempt = 0; !signal.aborted; attempt += 1) {
      let readyAt = Number.POSITIVE_INFINITY;
      this.#link = new ComponentLink(this.#account, this.#timings, {
        answer: this.#context.answer,
        onReady: () => {
          readyAt = performance.now();
          this.#announce();
        },
      });
      const reason = await this.#link.ended;
      if (signal.aborted) return;
      this.#complain(explainEnd(reason, this.#account));
      // Only a connection that lasted resets the pauses. If the server ends each one soon, the pauses grow too.
      if (performance.now() - readyAt > this.#timings.maxPauseMs) attempt = 0;
      await wait(this.#pause(attempt, reason), undefined, { ref: false, signal }).catch(() => undefined);
    }
  }

  #pause(attempt: number, reason: Error): number {
    const { minPauseMs, maxPauseMs, refusedPauseMs } = this.#timings;
    const least = reason instanceof StreamError ? refusedPauseMs : minPauseMs;
    return Math.min(maxPauseMs, Math.max(least, minPauseMs * 2 ** attempt)) * (0.5 + Math.random() / 2);
  }

  #announce(): void {
    const { host, port, jid } = this.#account;
    this.#connection = { isConnected: true, since: Date.now() };
    this.#context.logger.info({ jid, server: `${host} port ${port}` }, 'connected to the XMPP server');
  }

  /** Logs an error once for each reason. Repetitions are logged at debug level. */
  #complain(reason: string): void {
    const { host, port, jid } = this.#account;
    const before = this.#connection;
    const level = reason === before.reason ? 'debug' : 'error';
    this.#connection = { isConnected: false, since: before.isConnected ? Date.now() : before.since, reason };
    const line = { jid, server: `${host} port ${port}`, reason };
    this.#context.logger[level](line, 'not connected to the XMPP server, trying again');
  }
}
