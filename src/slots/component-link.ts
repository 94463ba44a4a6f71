/*
 * One connection to an XMPP server as its component (XEP-0114), from beginning to end:
 *
 *   → <stream:stream to=JID>      ← <stream:stream id=ID>
 *   → <handshake>hex of SHA-1(ID + secret)</handshake>      ← <handshake/>
 *   ⇄ stanzas, whose `from` the server has checked
 *
 * If nothing arrives for a while, the component sends a ping (XEP-0199) to itself, which the server has to deliver. This
 * detects a half-open connection without knowing the server's domain.
 */
import { createHash } from 'node:crypto';
import { connect, type Socket } from 'node:net';
import { type Element, escapeXML } from 'ltx';
import { errorOf, mustBeAnswered, xml } from './stanza.js';
import { StanzaReader } from './stanza-reader.js';

/** The XMPP server, and the component's name and secret on it. */
export interface ComponentAccount {
  readonly host: string;
  readonly port: number;
  readonly jid: string;
  readonly secret: string;
}

/** The timeouts of a connection, ms. */
export interface LinkTimings {
  /** How long the server may be silent before it is pinged. */
  readonly idleMs: number;
  /** How long the server may take to accept the component, and to answer a ping. */
  readonly answerMs: number;
}

/** What a connection calls. */
export interface LinkHandlers {
  /** The server has accepted the component. */
  onReady(): void;
  /** The answer to a stanza; must not reject. */
  answer(stanza: Element): Promise<Element | undefined>;
}

/** The server ended the stream with an error (RFC 6120 §4.9). */
export class StreamError extends Error {
  readonly condition: string;

  constructor(condition: string, text: string | undefined) {
    super(text === undefined ? condition : `${condition} (${text})`);
    this.condition = condition;
  }
}

/** How long the server may take to close its side of the connection. */
const maxGoodbyeMs = 2000;

/** How many bytes may wait until the server reads them. */
const maxUnsentBytes = 1024 * 1024;

/** A connection. Creating one begins to connect. */
export class ComponentLink {
  /** Resolves to the reason once the connection has ended. */
  readonly ended: Promise<Error>;
  readonly #account: ComponentAccount;
  readonly #timings: LinkTimings;
  readonly #handlers: LinkHandlers;
  readonly #socket: Socket;
  #state: 'opening' | 'ready' | 'pinging' | 'closing' = 'opening';
  #reason: Error | undefined;

  constructor(account: ComponentAccount, timings: LinkTimings, handlers: LinkHandlers) {
    const { host, port, jid } = account;
    this.#account = account;
    this.#timings = timings;
    this.#handlers = handlers;
    const socket = connect({ host, port, keepAlive: true, noDelay: true }).setEncoding('utf8');
    this.#socket = socket;
    const reader = new StanzaReader({
      onOpen: (id) => this.#authenticate(id),
      onStanza: (stanza) => this.#receive(stanza),
      onSkipped: (root) => this.#refuse(root),
      onClose: () => this.#end(new Error('the server closed the stream')),
    });
    socket.setTimeout(timings.answerMs);
    socket.on('timeout', () => this.#doubt());
    socket.on('error', (error) => this.#end(error));
    socket.on('data', (text: string) => {
      if (this.#state === 'pinging') this.#beReady();
      try {
        reader.write(text);
      } catch (error) {
        this.#end(error instanceof Error ? error : new Error(String(error)));
      }
    });
    const namespaces = "xmlns='jabber:component:accept' xmlns:stream='http://etherx.jabber.org/streams'";
    socket.write(`<?xml version='1.0'?><stream:stream ${namespaces} to='${escapeXML(jid)}'>`);
    this.ended = new Promise((resolve) => {
      socket.once('close', () => resolve(this.#reason ?? new Error('the server closed the connection')));
    });
  }

  /** Closes the stream, and resolves once the connection is closed. */
  async close(): Promise<void> {
    if (this.#state === 'opening') this.#socket.destroy();
    this.#state = 'closing';
    this.#socket.setTimeout(maxGoodbyeMs);
    this.#socket.end('</stream:stream>');
    await this.ended;
  }

  #end(reason: Error): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  #authenticate(id = ''): void {
    const digest = createHash('sha1').update(`${id}${this.#account.secret}`).digest('hex');
    this.#socket.write(`<handshake>${digest}</handshake>`);
  }

  #beReady(): void {
    this.#state = 'ready';
    this.#socket.setTimeout(this.#timings.idleMs);
  }

  #doubt(): void {
    const { answerMs } = this.#timings;
    if (this.#state !== 'ready') {
      this.#end(new Error(`the server did not answer within ${answerMs / 1000} s`));
      return;
    }
    const { jid } = this.#account;
    this.#state = 'pinging';
    this.#socket.setTimeout(answerMs);
    this.#send(xml('iq', { type: 'get', id: 'ping', from: jid, to: jid }, xml('ping', { xmlns: 'urn:xmpp:ping' })));
  }

  #send(stanza: Element): void {
    if (this.#state === 'closing' || !this.#socket.writable) return;
    if (this.#socket.writableLength > maxUnsentBytes) this.#end(new Error('the server stopped reading'));
    else this.#socket.write(stanza.toString());
  }

  #receive(stanza: Element): void {
    if (stanza.name === 'stream:error') {
      const [condition] = stanza.getChildElements();
      const text = stanza.getChildText('text') ?? undefined;
      this.#end(new StreamError(condition?.getName() ?? 'undefined-condition', text));
    } else if (this.#state !== 'opening') {
      this.#handlers.answer(stanza).then((answer) => answer !== undefined && this.#send(answer));
    } else if (stanza.is('handshake')) {
      this.#beReady();
      this.#handlers.onReady();
    } else {
      this.#end(new Error(`the server answered the handshake with <${stanza.name}>`));
    }
  }

  #refuse(root: Element): void {
    if (mustBeAnswered(root)) this.#send(errorOf(root, { type: 'modify', condition: 'policy-violation' }));
  }
}
