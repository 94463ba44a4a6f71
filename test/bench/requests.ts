import { createHash, randomUUID } from 'node:crypto';
import { bearer, v2Token } from '../support/tokens.js';
import type { RequestKind } from './workloads.js';

/** How a server is spoken to: filer with v2 tokens, Prosody with Bearer tokens, nginx without any. */
export type Dialect = 'filer' | 'nginx' | 'prosody';

/** Where a server listens and which requests it takes. */
export interface Peer {
  readonly dialect: Dialect;
  readonly port: number;
  readonly secret: string;
}

/** The name of every upload. */
export const fileName = 'photo.jpg';

/** The Host of every request, by which Prosody finds its component. */
export const host = 'upload';

const slotBytes = 32;
const type = 'image/jpeg';
const basePaths: Readonly<Record<Dialect, string>> = { filer: '/upload', nginx: '/upload', prosody: '/file_share' };
// What nginx refuses in place of a token: a link of its secure_link module.
const wrongLink = `/refuse/${fileName}?md5=AAAAAAAAAAAAAAAAAAAAAA`;

/** The only status that counts as success. */
export function expectedStatus(kind: RequestKind, dialect: Dialect): number {
  if (kind === 'put') return 201;
  if (kind === 'refuse') return dialect === 'prosody' ? 401 : 403;
  return 200;
}

/** A slot that no other upload has: hexadecimal, which no server encodes in a file's name. */
export function newSlot(): string {
  return randomUUID().replaceAll('-', '');
}

function lineOf(kind: RequestKind, slot: string, size: number, { dialect, secret }: Peer): string {
  const target = `${basePaths[dialect]}/${slot}/${fileName}`;
  if (kind === 'get') return `GET ${target} HTTP/1.1`;
  if (kind === 'head') return `HEAD ${target} HTTP/1.1`;
  const key = kind === 'refuse' ? `not ${secret}` : secret;
  if (dialect === 'filer') return `PUT ${target}?v2=${v2Token(`${slot}/${fileName}`, size, type, key)} HTTP/1.1`;
  if (dialect === 'nginx') return `PUT ${kind === 'refuse' ? wrongLink : target} HTTP/1.1`;
  const now = Math.floor(Date.now() / 1000);
  const claims = { slot, filename: fileName, filesize: size, filetype: type, sub: 'u@localhost', iat: now };
  return `PUT ${target} HTTP/1.1\r\nAuthorization: ${bearer({ ...claims, exp: now + 600 }, { key })}`;
}

/** The head of a request for a slot, with its token and the blank line; `isLast`: the only one of its connection. */
export function requestHead(kind: RequestKind, slot: string, size: number, peer: Peer, isLast = false): string {
  const body = kind === 'put' || kind === 'refuse' ? `Content-Length: ${size}\r\nContent-Type: ${type}\r\n` : '';
  const connection = isLast ? 'Connection: close\r\n' : '';
  return `${lineOf(kind, slot, size, peer)}\r\nHost: ${host}\r\n${connection}${body}\r\n`;
}

/** What an upload of this size holds after its beginning, which is its slot: the same bytes in every process. */
export function bodyAfterSlot(size: number): Buffer {
  const rest = Buffer.allocUnsafe(Math.max(0, size - slotBytes));
  const pattern = createHash('shake256', { outputLength: 65_521 }).update('body').digest();
  return rest.fill(pattern);
}

/** The beginning of an upload's body. */
export function bodyStart(slot: string, size: number): string {
  return slot.slice(0, size);
}
