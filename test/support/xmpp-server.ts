import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';

/** The secret of every component. */
export const componentSecret = 'component-pass';

/** A component's connection as its XMPP server sees it. */
export interface AcceptedLink {
  readonly socket: Socket;
  /** Everything received so far. */
  received(): string;
  /** Resolves once what was received matches; rejects if the connection closes before. */
  waitFor(pattern: RegExp): Promise<string>;
}

/** An XMPP server that says no more than it is told to. */
export interface RawXmppServer {
  readonly port: number;
  /** The next connection, in the order in which they came. */
  nextLink(): Promise<AcceptedLink>;
  /** The next connection, once its stream is open and its handshake was taken. */
  nextReady(): Promise<AcceptedLink>;
}

function accept(socket: Socket): AcceptedLink {
  let text = '';
  socket.setEncoding('utf8').on('data', (piece) => {
    text += piece;
  });
  socket.on('error', () => undefined);
  return {
    socket,
    received: () => text,
    async waitFor(pattern) {
      while (!pattern.test(text)) {
        if (socket.destroyed || socket.readableEnded) throw new Error(`closed after ${text}`);
        await Promise.race([once(socket, 'data'), once(socket, 'close'), once(socket, 'end')]);
      }
      return text;
    },
  };
}

/** Answers the stream's header, and the handshake if its digest is right (XEP-0114 §3). */
async function welcome(link: AcceptedLink): Promise<AcceptedLink> {
  await link.waitFor(/<stream:stream [^>]*to='upload\.example\.org'>/);
  link.socket.write("<?xml version='1.0'?><stream:stream xmlns='jabber:component:accept' id='é1'>");
  const digest = createHash('sha1').update(`é1${componentSecret}`).digest('hex');
  await link.waitFor(new RegExp(`<handshake>${digest}</handshake>$`));
  link.socket.write('<handshake/>');
  return link;
}

/** Listens on a free port; the test's end closes it. */
export async function startRawXmppServer(t: TestContext): Promise<RawXmppServer> {
  const links: AcceptedLink[] = [];
  const server = createServer((socket) => links.push(accept(socket)));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    for (const { socket } of links) socket.destroy();
    server.close();
  });
  let taken = 0;
  const nextLink = async () => {
    while (links.length <= taken) await once(server, 'connection');
    const link = links[taken];
    taken += 1;
    if (link === undefined) throw new Error('no connection');
    return link;
  };
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('not on TCP');
  return { port: address.port, nextLink, nextReady: async () => welcome(await nextLink()) };
}
