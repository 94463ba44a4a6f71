import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../errors.js';
import { SettingProblem } from './config-error.js';

/** The secret in the file that this key names, without the line break at its end. Throws a SettingProblem. */
export function readSecretFile(key: string, file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    // The name is left out: an operator may have put the secret itself there.
    throw new SettingProblem(
      `${key}: expected a file that this user can read, but reading it failed: ${systemErrorCode(error)}`,
    );
  }
  const secret = bytes.toString().replace(/\r?\n$/, '');
  if (secret !== '' && isUtf8(bytes)) return secret;
  const found = secret === '' ? 'the file is empty' : 'the file is not UTF-8 text';
  throw new SettingProblem(`${key}: expected the secret as text in ${file}, but ${found}`);
}

/** The secret that stands under a key or in the file that `<key>File` names. Throws a SettingProblem unless exactly one is set. */
export function requireSecret(key: string, secret: string | undefined, file: string | undefined): string {
  if (secret !== undefined && file === undefined) return secret;
  if (secret === undefined && file !== undefined) return readSecretFile(`${key}File`, file);
  throw new SettingProblem(
    `${key}: expected either it or ${key}File, got ${secret === undefined ? 'neither' : 'both'}`,
  );
}
