import type { TestContext } from 'node:test';
import { type Client, client, type Element, xml } from '@xmpp/client';

/** An XMPP server on loopback and an account on it. */
export interface XmppServer {
  readonly port: number;
  readonly domain: string;
  readonly username: string;
  readonly password: string;
}

/** The file for which a client requests a slot. */
export interface SlotRequest {
  readonly filename: string;
  readonly size: number;
  readonly contentType?: string;
}

/** Where to PUT the file, with which headers, and where it can be fetched from then on. */
export interface Slot {
  readonly put: { readonly url: string; readonly headers: Readonly<Record<string, string>> };
  readonly get: string;
}

/** A client that is logged in. */
export interface XmppClient {
  /** Asks for a slot; rejects with an Error that has the stanza error's `condition`. */
  requestSlot(request: SlotRequest): Promise<Slot>;
  /** Asks the upload service anything; resolves to the answer's child of that name. */
  ask(question: Element, answerName: string): Promise<Element>;
  /** Sends the upload service an iq of type set; resolves as `ask` does. */
  change(request: Element, answerName: string): Promise<Element>;
  stop(): Promise<void>;
}

const uploadNs = 'urn:xmpp:http:upload:0';
const itemsNs = 'http://jabber.org/protocol/disco#items';
const infoNs = 'http://jabber.org/protocol/disco#info';

/** Logs in without TLS and finds the server's upload service, as XEP-0363 §4 says. */
export async function connectXmppClient(t: Pick<TestContext, 'after'>, server: XmppServer): Promise<XmppClient> {
  const { port, domain, username, password } = server;
  const connection = client({
    service: `xmpp://127.0.0.1:${port}`,
    domain,
    // Named, because the library would rather do SCRAM here: two seconds of computing.
    credentials: (authenticate) => authenticate({ username, password }, 'PLAIN'),
  });
  connection.reconnect.stop();
  connection.on('error', () => {}); // start() rejects with it, or the next request fails
  let isStarted = false;
  const stop = async (): Promise<void> => {
    if (isStarted) await connection.stop();
    isStarted = false;
  };
  t.after(stop);
  isStarted = true;
  await connection.start();
  const uploadService = await findUploadService(connection, domain);
  return {
    requestSlot: (request) => requestSlot(connection, uploadService, request),
    ask: (question, answerName) => query(connection, uploadService, question, answerName),
    change: (request, answerName) => query(connection, uploadService, request, answerName, 'set'),
    stop,
  };
}

async function findUploadService(connection: Client, domain: string): Promise<string> {
  const list = await query(connection, domain, xml('query', { xmlns: itemsNs }), 'query');
  const items = list.getChildren('item').flatMap(({ attrs: { jid } }) => jid ?? []);
  for (const jid of items) {
    // A component that is not connected has no features.
    const info = await query(connection, jid, xml('query', { xmlns: infoNs }), 'query').catch(() => undefined);
    const features = info?.getChildren('feature') ?? [];
    if (features.some((feature) => feature.attrs['var'] === uploadNs)) return jid;
  }
  throw new Error(`${domain} has no upload service; its items: ${items.join(' ')}`);
}

async function requestSlot(
  connection: Client,
  uploadService: string,
  { filename, size, contentType }: SlotRequest,
): Promise<Slot> {
  const attributes = { xmlns: uploadNs, filename, size, 'content-type': contentType };
  const slot = await query(connection, uploadService, xml('request', attributes), 'slot');
  return toSlot(slot);
}

/** Sends an iq and returns the answer's child of that name. */
async function query(
  connection: Client,
  to: string,
  question: Element,
  answerName: string,
  type: 'get' | 'set' = 'get',
): Promise<Element> {
  const iq = xml('iq', { type, to }, question);
  const answer = (await connection.iqCaller.request(iq)).getChild(answerName);
  if (answer === undefined) throw new Error(`${to} answered without a ${answerName}`);
  return answer;
}

function toSlot(slot: Element): Slot {
  const put = slot.getChild('put');
  const putUrl = put?.attrs['url'];
  const getUrl = slot.getChild('get')?.attrs['url'];
  if (put === undefined || putUrl === undefined || getUrl === undefined) {
    throw new Error(`not a slot: ${slot}`);
  }
  const headers = put.getChildren('header').map((header) => [header.attrs['name'], header.text()]);
  return { put: { url: putUrl, headers: Object.fromEntries(headers) }, get: getUrl };
}
