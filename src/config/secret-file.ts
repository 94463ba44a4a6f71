import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../errors.js';
import { SettingProblem } from './setting-problem.js';

/** The secret in the file that the setting of this key names, less its last line break. Throws a SettingProblem. */
export function readSecretFile(key: string, file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    // Without its name, which may be the secret itself.
    throw new SettingProblem(`${key}: expected a file that this user can read, got ${systemErrorCode(error)}`);
  }
  const secret = bytes.toString().replace(/\r?\n$/, '');
  if (secret !== '' && isUtf8(bytes)) return secret;
  throw new SettingProblem(`${key}: expected the secret as text in ${file}, got ${bytes.length} bytes that are none`);
}

/** The one secret that stands under a key or in the file of another one. Throws a SettingProblem for none and for both. */
export function requireSecret(key: string, secret: string | undefined, file: string | undefined): string {
  if (secret !== undefined && file === undefined) return secret;
  if (secret === undefined && file !== undefined) return readSecretFile(`${key}File`, file);
  throw new SettingProblem(`${key}: expected it or ${key}File, got ${secret === undefined ? 'neither' : 'both'}`);
}
