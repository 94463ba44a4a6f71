import { createHash } from 'node:crypto';
import { createServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { eventually } from './eventually.js';
import { listenOnFreePort } from './listening.js';
import { collectText, type ReceivedText } from './received-text.js';

/** The secret of every component. */
export const componentSecret = 'component-pass';

/** A component's connection as its XMPP server sees it, and what it receives. */
export interface AcceptedLink extends ReceivedText {
  readonly socket: Socket;
}

/** An XMPP server that sends only what a test has it send. */
export interface RawXmppServer {
  readonly port: number;
  /** The next connection, in the order in which they came. */
  nextLink(): Promise<AcceptedLink>;
  /** The next connection, once its stream is open and its handshake was accepted. */
  nextReady(): Promise<AcceptedLink>;
}

/** Answers the stream's header, and the handshake if its digest is right (XEP-0114 §3). Rejects if the connection closes. */
export async function welcome(link: AcceptedLink): Promise<AcceptedLink> {
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
  const server = createServer((socket) => links.push({ socket, ...collectText(socket, 'utf8') }));
  const port = await listenOnFreePort(t, server);
  let taken = 0;
  const nextLink = async () => {
    await eventually(() => links.length > taken);
    const link = links[taken];
    taken += 1;
    if (link === undefined) throw new Error('no connection');
    return link;
  };
  return { port, nextLink, nextReady: async () => welcome(await nextLink()) };
}
