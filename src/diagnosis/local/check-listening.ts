import { once } from 'node:events';
import { access, constants } from 'node:fs/promises';
import { createServer } from 'node:net';
import path from 'node:path';
import type { ListenAddress } from '../../config/listen-address.js';
import { systemErrorCode } from '../../errors.js';
import { type ListenKey, listenOnTcp, probeSocket, toListenError } from '../../service/listen.js';
import type { Verdict } from '../finding.js';
import { withoutKey } from './without-key.js';

async function tryPort(options: { host: string; port: number }): Promise<void> {
  const server = createServer().listen({ ...options, exclusive: true });
  await once(server, 'listening');
  server.close();
  await once(server, 'close');
}

/** Listens on the port for a moment, or looks at the socket's path; throws what a start would. */
async function tryToListen(address: ListenAddress): Promise<void> {
  if (!('path' in address)) return listenOnTcp(tryPort, address.host, address.port);
  if ((await probeSocket(address.path)) === 'in use') {
    throw Object.assign(new Error('a server answers there'), { code: 'EADDRINUSE' });
  }
  await access(path.dirname(address.path), constants.W_OK | constants.X_OK);
}

/** Whether the server could listen on the address of the setting with this key; it may be running there already. */
export async function checkListening(address: ListenAddress, key: ListenKey): Promise<Verdict> {
  try {
    await tryToListen(address);
    return `${'path' in address ? address.path : `${address.host} port ${address.port}`} is free.`;
  } catch (error) {
    const found = withoutKey(toListenError(error, address, key).message, key);
    if (systemErrorCode(error) !== 'EADDRINUSE') return { outcome: 'failure', found };
    const change = `Nothing, if that program is prosody-filer. Otherwise stop it, or change ${key}.`;
    return { outcome: 'warning', found, change };
  }
}
