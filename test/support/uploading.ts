import type { OutgoingHttpHeaders } from 'node:http';
import type { TestContext } from 'node:test';
import { type Answer, send } from './http-client.js';
import type { Program } from './program.js';
import { connectTo, type RawConnection } from './raw-socket.js';
import { v1Token } from './tokens.js';

/** The parts of a program that an upload needs. */
export type Uploadable = Pick<Program, 'origin' | 'secret'>;

/** The target of a PUT with its token; a key is not encoded, so it must need none. */
export function putTarget({ secret }: Uploadable, key: string, size: number): string {
  return `/upload/${key}?v=${v1Token(key, size, secret)}`;
}

/** The head of a PUT. */
export function putHead(program: Uploadable, key: string, size: number, extra = ''): string {
  return `PUT ${putTarget(program, key, size)} HTTP/1.1\r\nHost: x\r\nContent-Length: ${size}\r\n${extra}\r\n`;
}

/** Uploads at once, on a connection of its own. */
export function put(program: Uploadable, key: string, body: Buffer, headers: OutgoingHttpHeaders = {}) {
  const to = { origin: program.origin, rawTarget: putTarget(program, key, body.length) };
  return send(to, { method: 'PUT', body, headers });
}

/** Downloads, on a connection of its own. */
export function get({ origin }: Uploadable, key: string): Promise<Answer> {
  return send({ origin, rawTarget: `/upload/${key}` });
}

/** Begins an upload: sends its head and the beginning of its body. */
export async function beginPut(
  t: TestContext,
  program: Uploadable,
  key: string,
  size: number,
  beginning: Buffer | string = '',
): Promise<RawConnection> {
  const connection = await connectTo(t, program.origin);
  connection.socket.write(putHead(program, key, size));
  if (beginning.length > 0) connection.socket.write(beginning);
  return connection;
}

/** A generator of numbers in [0, 1) that gives the same ones for the same seed (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
