import { stat } from 'node:fs/promises';
import type { LoadedConfig } from '../../config/load-config.js';
import type { Check } from './check.js';

const minSecretBytes = 16;

/** Whether the secrets can be guessed, or read by anybody on this host. */
export async function checkSecrets({ config, warnings, secretFiles }: LoadedConfig): Promise<Check[]> {
  const checks: Check[] = warnings.map((message) => ({ verdict: 'problem', message }));
  const shortest = Math.min(...config.secrets.map((secret) => Buffer.byteLength(secret)));
  if (warnings.length === 0) {
    checks.push(
      shortest < minSecretBytes
        ? {
            verdict: 'problem',
            message: `secret: ${shortest} bytes can be guessed: take a random one (openssl rand -hex 32)`,
          }
        : { verdict: 'ok', message: `secret: ${shortest} bytes or more` },
    );
  }
  for (const file of secretFiles) {
    const { mode } = await stat(file);
    checks.push(
      (mode & 0o004) === 0
        ? { verdict: 'ok', message: `${file}: not everybody on this host can read it` }
        : { verdict: 'problem', message: `${file}: everybody on this host can read the secret: chmod o= ${file}` },
    );
  }
  return checks;
}
