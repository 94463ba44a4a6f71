import { readFileSync } from 'node:fs';
import toml from '@iarna/toml';
import { messageOf, systemErrorCode } from '../errors.js';
import { ConfigError } from './config-error.js';

interface TomlError extends Error {
  /** 0-based. */
  readonly line: number;
  readonly col: number;
}

function isTomlError(error: unknown): error is TomlError {
  return error instanceof Error && 'fromTOML' in error && 'line' in error && 'col' in error;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    const isMissing = systemErrorCode(error) === 'ENOENT';
    const found = isMissing ? 'it does not exist' : `reading it failed: ${messageOf(error)}`;
    throw new ConfigError([`${file}: expected a configuration file, but ${found}`], { cause: error });
  }
}

/** The top-level keys and values of a TOML file. Throws a ConfigError that names line and column but never shows the line. */
export function readToml(file: string): Record<string, unknown> {
  try {
    return toml.parse(readText(file));
  } catch (error) {
    if (error instanceof ConfigError) throw error;
    if (!isTomlError(error)) throw new ConfigError([`${file}: expected TOML, but a value in it is invalid`]);
    // The rest of the message shows the lines around the mistake, and one of them may hold the secret.
    const [reason = 'invalid TOML'] = error.message.split(/ at row \d+/);
    throw new ConfigError([`${file}:${error.line + 1}:${error.col + 1}: ${reason}`]);
  }
}
