import { setTimeout as wait } from 'node:timers/promises';
import { messageOf, systemErrorCode } from '../errors.js';
import {
  type ComponentAccount,
  ComponentLink,
  type LinkHandlers,
  type LinkTimings,
  StreamError,
} from './component-link.js';

/** When a component tries again, ms. */
export interface ComponentTimings extends LinkTimings {
  /** The first pause; each further one is twice as long, and all vary by half so that several do not go in step. */
  readonly minPauseMs: number;
  readonly maxPauseMs: number;
  /** The least pause after the server has refused us, which only an operator will change. */
  readonly refusedPauseMs: number;
}

const usualTimings: ComponentTimings = {
  idleMs: 60_000,
  answerMs: 20_000,
  minPauseMs: 500,
  maxPauseMs: 30_000,
  refusedPauseMs: 5000,
};

/** What a component works with. */
export interface ComponentContext {
  readonly answer: LinkHandlers['answer'];
  readonly logger: Record<'debug' | 'info' | 'error', (line: object, message: string) => void>;
  readonly timings?: ComponentTimings;
}

/** What the operator can do about a connection that failed, by the code of the system or the condition of the stream. */
const explanations: Readonly<Record<string, (account: ComponentAccount) => string>> = {
  ECONNREFUSED: () =>
    'component.port: expected the port on which the XMPP server takes components, nobody listens there',
  ENOTFOUND: ({ host }) => `component.host: expected the host of the XMPP server, ${host} is unknown`,
  'not-authorized': () => "component.secret: expected the component's secret on the XMPP server, got another one",
  'host-unknown': ({ jid }) => `component.jid: expected a component that the XMPP server knows, ${jid} is none`,
  conflict: ({ jid }) => `component.jid: expected one that nobody else is connected as, ${jid} is connected already`,
};

/** Why a connection ended, by what the operator can do about it if that is known. */
export function explainEnd(reason: Error, account: ComponentAccount): string {
  const code = reason instanceof StreamError ? reason.condition : systemErrorCode(reason);
  return explanations[code ?? '']?.(account) ?? `the XMPP server: ${messageOf(reason) || code}`;
}

/** A component of an XMPP server: connected as long as it can be, and connecting again when it is not. */
export class Component {
  readonly #account: ComponentAccount;
  readonly #context: ComponentContext;
  readonly #timings: ComponentTimings;
  readonly #stopping = new AbortController();
  readonly #stopped: Promise<void>;
  #link: ComponentLink | undefined;
  #lastReason: string | undefined;

  /** Starts to connect. */
  constructor(account: ComponentAccount, context: ComponentContext) {
    this.#account = account;
    this.#context = context;
    this.#timings = context.timings ?? usualTimings;
    this.#stopped = this.#run();
  }

  /** Disconnects, and resolves when that is done. */
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
      // One that is thrown out again and again waits longer and longer as well.
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
    this.#lastReason = undefined;
    this.#context.logger.info({ jid, server: `${host} port ${port}` }, 'connected to the XMPP server');
  }

  /** The first time for all to see, and again only if there is another reason. */
  #complain(reason: string): void {
    const { host, port, jid } = this.#account;
    const level = reason === this.#lastReason ? 'debug' : 'error';
    this.#lastReason = reason;
    const line = { jid, server: `${host} port ${port}`, reason };
    this.#context.logger[level](line, 'not connected to the XMPP server, trying again');
  }
}
