import { stat } from 'node:fs/promises';
import type { LoadedConfig } from '../../config/load-config.js';
import type { Verdict } from '../finding.js';

const minSecretBytes = 16;
const change = 'Replace it by a random secret, here and in the XMPP server: openssl rand -hex 32';

/** Whether the secrets can be guessed. */
export function checkSecrets({ config, warnings }: LoadedConfig): Verdict[] {
  if (warnings.length > 0) return warnings.map((found) => ({ found, change }));
  const shortest = Math.min(...config.secrets.map((secret) => Buffer.byteLength(secret)));
  if (shortest >= minSecretBytes) return [`Each secret has ${shortest} bytes or more.`];
  return [{ found: `A secret of ${shortest} bytes can be guessed. It needs ${minSecretBytes} bytes or more.`, change }];
}

/** Whether everybody on this host can read the secrets, and whether other programs would read others in the same files. */
export async function checkSecretFiles({ secretFiles, oddFiles }: LoadedConfig): Promise<Verdict[]> {
  const rights = secretFiles.map(async (file): Promise<Verdict> => {
    const { mode } = await stat(file);
    if ((mode & 0o004) === 0) return `Only the owner and the group of ${file} can read it.`;
    return { found: `Everybody on this host can read the secret in ${file}.`, change: `chmod o= ${file}` };
  });
  return [...(await Promise.all(rights)), ...oddFiles.map((odd) => ({ outcome: 'warning', ...odd }) as const)];
}
