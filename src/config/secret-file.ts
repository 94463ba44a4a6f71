import { isUtf8 } from 'node:buffer';
import { readFileSync } from 'node:fs';
import { systemErrorCode } from '../errors.js';
import { SettingProblem } from './config-error.js';

/** The whole text of the file that this key names. */
function readText(key: string, file: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    // The name is left out: an operator may have put the secret itself there.
    throw new SettingProblem(
      `${key}: expected a file that this user can read, but reading it failed: ${systemErrorCode(error)}`,
    );
  }
  const text = bytes.toString();
  if (text.trim() !== '' && isUtf8(bytes)) return text;
  const found = text.trim() === '' ? 'the file is empty' : 'the file is not UTF-8 text';
  throw new SettingProblem(`${key}: expected the secret as text in ${file}, but ${found}`);
}

/** The secret in the file that this key names, without a byte order mark and white space around it. Throws a SettingProblem. */
export function readSecretFile(key: string, file: string): string {
  return readText(key, file).trim();
}

/**
 * The secret in the file, and as Prosody 13 reads it there: `FileLine` leaves out one line break, `Credential` and
 * `FileContents` nothing. A first line counts only if it is the whole secret: it might be a comment that anybody can guess.
 * Throws a SettingProblem.
 */
export function readSecretsOfFile(key: string, file: string): string[] {
  const text = readText(key, file);
  const secret = text.trim();
  const [firstLine = ''] = text.split('\n', 1);
  return [...new Set([secret, ...(firstLine.trim() === secret ? [firstLine] : []), text])];
}

/** What is odd about a file with a secret, and what to change. */
export interface OddFile {
  readonly found: string;
  readonly change: string;
}

/** White space but U+0020, control characters and invisible ones. */
const oddCharacter = /[^\S ]|[\p{Cc}\p{Cf}]/u;

/** What may keep another program from reading the same secret in the file. A line break at its end is as usual. */
export function findOddities(key: string, file: string): OddFile[] {
  const text = readText(key, file);
  const secret = text.trim();
  const change = `Write the secret alone into ${file}, in one line, and restart both servers.`;
  const oddities = [
    ...(text.replace(/\r?\n$/, '') === secret
      ? []
      : ['has a byte order mark, white space or empty lines around the secret. prosody-filer leaves them out']),
    ...(oddCharacter.test(secret)
      ? ['has a line break, a tab or an invisible character inside the secret. prosody-filer takes it as it is']
      : []),
  ];
  return oddities.map((oddity) => ({ found: `${key}: ${file} ${oddity}, other programs may not.`, change }));
}

/** The secret that stands under a key or in the file that `<key>File` names. Throws a SettingProblem unless exactly one is set. */
export function requireSecret(key: string, secret: string | undefined, file: string | undefined): string {
  if (secret !== undefined && file === undefined) return secret;
  if (secret === undefined && file !== undefined) return readSecretFile(`${key}File`, file);
  throw new SettingProblem(
    `${key}: expected either it or ${key}File, got ${secret === undefined ? 'neither' : 'both'}`,
  );
}
