import { execFile } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import { projectFolder } from '../support/command.js';
import { findProgram, missingPeer, skipOrFail } from '../support/peers.js';

const run = promisify(execFile);
const python = '/usr/bin/python3';
const install = 'not installed: python3-slixmpp (see test/e2e/install-peers.sh)';

/** The gateway's domain and its secret on the XMPP server. */
export const gatewayJid = 'slidge.localhost';
export const gatewaySecret = 'gateway-pass';

/** Returns the reason to skip a test with a gateway, if there is one; throws it if CI=true. */
export async function gatewayRefusal(): Promise<string | undefined> {
  if (findProgram('python3') === undefined) return missingPeer('python3');
  return run(python, ['-c', 'import slixmpp, aiohttp']).then(
    () => undefined,
    () => skipOrFail(install),
  );
}

/** Uploads a file as slixmpp's component, and asks for more slots; resolves to the file's URL and the number of slots that it got. */
export async function uploadByGateway(
  port: number,
  file: string,
  slots: number,
): Promise<{ url: string; given: number }> {
  const script = path.join(projectFolder, 'test/e2e/gateway.py');
  const args = [script, gatewayJid, gatewaySecret, String(port), 'localhost', file, String(slots)];
  const { stdout } = await run(python, args, { timeout: 60_000 });
  return JSON.parse(stdout);
}
