import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { accessSync, constants } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';

/** Where install-peers.sh puts peers that are no packages of this Debian. */
export const peersFolder = '/var/cache/prosody-filer-tests';

const systemFolders = ['/usr/local/sbin', '/usr/sbin', '/sbin'];

/** Finds an installed program in PATH and in the folders of system programs. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(':'), ...systemFolders];
  return folders.map((folder) => join(folder, name)).find(isExecutable);
}

/** Returns the reason to skip a test that needs these programs, if one is missing; throws it if CI=true. */
export function missingPeer(...programs: readonly string[]): string | undefined {
  const missing = programs.filter((name) => findProgram(name) === undefined);
  if (missing.length === 0) return undefined;
  return skipOrFail(`not installed: ${missing.join(', ')} (see test/e2e/install-peers.sh)`);
}

/** Returns this reason to skip a test; throws it if CI=true. */
export function skipOrFail(reason: string): string {
  if (process.env['CI'] === 'true') throw new Error(reason);
  return reason;
}

/**
 * Reserves a loopback port until this process ends. The port is below the range that Linux uses for outgoing connections.
 * No other test process gets it: each one holds the UDP port of the same number, which no peer uses.
 */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const port = 15_000 + Math.floor(Math.random() * 15_000);
    if ((await isReserved(port)) && (await isFree(port))) return port;
  }
  throw new Error('no free port found');
}

async function isReserved(port: number): Promise<boolean> {
  const reservation = createSocket('udp4').unref();
  reservation.bind({ port, address: '127.0.0.1', exclusive: true });
  return succeeds(once(reservation, 'listening'));
}

/** Programs that are not of these tests may listen there. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  if (!(await succeeds(once(server, 'listening')))) return false;
  server.close();
  await once(server, 'close');
  return true;
}

async function succeeds(opening: Promise<unknown>): Promise<boolean> {
  try {
    await opening;
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return false;
    throw error;
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
