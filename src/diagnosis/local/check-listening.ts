import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import type { ListenAddress } from '../../config/listen-address.js';
import { systemErrorCode } from '../../errors.js';
import { type ListenKey, listenOnTcp, probeSocket, toListenError } from '../../service/listen.js';
import type { Check } from './check.js';

async function tryPort(options: { host: string; port: number }): Promise<void> {
  const server = createServer().listen({ ...options, exclusive: true });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

/** Takes the port for a moment, or looks at the socket's path; throws what a start would. */
async function tryToListen(address: ListenAddress): Promise<void> {
  if (!('path' in address)) return listenOnTcp(tryPort, address.host, address.port);
  if ((await probeSocket(address.path)) === 'in use') {
    throw Object.assign(new Error('a server answers there'), { code: 'EADDRINUSE' });
  }
  await access(path.dirname(address.path), constants.W_OK | constants.X_OK);
}

/** Whether the server could listen where the setting of this key says; it may be running there already. */
export async function checkListening(address: ListenAddress, key: ListenKey): Promise<Check> {
  try {
    await tryToListen(address);
    return { verdict: 'ok', message: `${key}: the address is free` };
  } catch (error) {
    const { message } = toListenError(error, address, key);
    if (systemErrorCode(error) !== 'EADDRINUSE') return { verdict: 'failure', message };
    return { verdict: 'warning', message: `${message}; all is well if it is prosody-filer` };
  }
}
