import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { xml } from '../../src/slots/stanza.js';
import { listenOnFreePort } from '../support/listening.js';
import { collectText } from '../support/received-text.js';
import { type AcceptedLink, welcome } from '../support/xmpp-server.js';
import type { Dice } from './dice.js';
import type { History } from './history.js';

/** The file for which a slot is asked. */
export interface SlotQuestion {
  readonly jid: string;
  readonly filename: string;
  readonly size: number;
  readonly type: string;
  /** ms since the epoch. */
  readonly expiresAt: number | undefined;
}

/** How the server ends a connection. */
const ends = {
  closes: ({ socket }: AcceptedLink) => socket.destroy(),
  'ends the stream': ({ socket }: AcceptedLink) => socket.end('</stream:stream>'),
  'reports a conflict': ({ socket }: AcceptedLink) =>
    socket.end("<stream:error><conflict xmlns='urn:ietf:params:xml:ns:xmpp-streams'/></stream:error></stream:stream>"),
  'sends garbage': ({ socket }: AcceptedLink) => socket.end('<a><b></a>'),
} as const;

type End = keyof typeof ends;
const endNames = Object.keys(ends) as [End, ...End[]];

/** An XMPP server that drops its component again and again, and is asked for slots in between. */
export class FlappingXmpp {
  readonly #dice: Dice;
  readonly #history: History;
  #port = 0;
  #link: AcceptedLink | undefined;
  #count = 0;

  private constructor(dice: Dice, history: History) {
    this.#dice = dice;
    this.#history = history;
  }

  /** Starts the server. It accepts the component for `longestMs` at most. */
  static async start(t: TestContext, dice: Dice, history: History, longestMs: number): Promise<FlappingXmpp> {
    const xmpp = new FlappingXmpp(dice, history);
    const server = createServer((socket) => void xmpp.#serve(socket, longestMs).catch(() => undefined));
    xmpp.#port = await listenOnFreePort(t, server);
    return xmpp;
  }

  get port(): number {
    return this.#port;
  }

  /** Rejects if the component leaves before it is accepted. */
  async #serve(socket: Socket, longestMs: number): Promise<void> {
    const lifetimeMs = this.#dice.between(longestMs / 10, longestMs);
    const end = this.#dice.pick(endNames);
    if (this.#dice.chance(0.15)) {
      this.#history.note('XMPP server refuses');
      socket.destroy();
      return;
    }
    // Each user who waits for an answer listens.
    socket.setMaxListeners(0);
    const link = await welcome({ socket, ...collectText(socket, 'utf8') });
    this.#link = link;
    const timer = setTimeout(() => {
      this.#history.note(`XMPP server ${end}`);
      ends[end](link);
    }, lifetimeMs);
    socket.once('close', () => {
      clearTimeout(timer);
      if (this.#link === link) this.#link = undefined;
    });
  }

  /** Asks for a slot; `undefined` if the component is not there or refuses it. */
  async ask({ jid, filename, size, type, expiresAt }: SlotQuestion): Promise<string | undefined> {
    const link = this.#link;
    if (link === undefined) return undefined;
    const id = `q${this.#count++}`;
    const purpose = 'urn:xmpp:http:upload:purpose:0';
    const expiry = expiresAt === undefined ? undefined : new Date(expiresAt).toISOString();
    const ephemeral = expiry === undefined ? undefined : xml('ephemeral', { xmlns: purpose, 'expire-before': expiry });
    const attributes = { xmlns: 'urn:xmpp:http:upload:0', filename, size, 'content-type': type };
    const from = `${jid}/phone`;
    const iq = xml('iq', { type: 'get', id, from, to: 'upload.example.org' }, xml('request', attributes, ephemeral));
    link.socket.write(iq.toString());
    const pattern = new RegExp(`<iq type="(result|error)" id="${id}".*?</iq>`, 's');
    const received = await link.waitFor(pattern).catch(() => '');
    const [answer = '', kind = 'lost'] = pattern.exec(received) ?? [];
    this.#history.note(`slot ${kind}`, jid);
    return /<put url="([^"]*)"/.exec(answer)?.[1]?.replaceAll('&amp;', '&');
  }
}
