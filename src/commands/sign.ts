import { stat } from 'node:fs/promises';
import path from 'node:path';
import { parseBaseUrl } from '../config/base-url.js';
import type { Config } from '../config/config.js';
import { loadConfig } from '../config/load-config.js';
import { FilerError, messageOf, UsageError } from '../errors.js';
import type { Output, ResultOptions } from '../output.js';
import { describeTcpAddress } from '../service/listen.js';
import { signPut, type TokenScheme } from '../token/sign-token.js';
import { typeOfName } from '../upload/content-type.js';
import { encodedPath } from '../upload/encoded-path.js';
import { parseUploadKey } from '../upload/upload-key.js';

/** What `sign` is started with. */
export interface SignOptions extends ResultOptions {
  /** The upload's path below the base URL, not percent-encoded. */
  readonly path: string;
  /** A file to upload, or a number of bytes. */
  readonly fileOrSize: string;
  readonly scheme: TokenScheme;
  /** The content type; that of the path's extension if not set. */
  readonly type?: string;
  /** Where the configuration listens if not set. */
  readonly baseUrl?: string;
}

function localBaseUrl({ listen, baseSegments }: Config): string {
  if ('path' in listen) throw new UsageError('--base-url: expected one, since listenPort is a Unix socket');
  const host = ['::', '0.0.0.0'].includes(listen.host) ? '127.0.0.1' : listen.host;
  return describeTcpAddress(host, listen.port) + encodedPath(['', ...baseSegments, ''].join('/'));
}

const bytes = /^\d{1,15}$/;

async function sizeOf(fileOrSize: string): Promise<number> {
  if (bytes.test(fileOrSize)) return Number(fileOrSize);
  const stats = await stat(fileOrSize).catch((error: unknown) => {
    throw new UsageError(`file: expected a file or a number of bytes, got '${fileOrSize}': ${messageOf(error)}`);
  });
  if (stats.isFile()) return stats.size;
  throw new UsageError(`file: expected a file or a number of bytes, got '${fileOrSize}', which is no plain file`);
}

/** Signs what the encoded path names as the server will see it. */
async function signPath(target: string, options: SignOptions, secret: string, size: number, contentType: string) {
  try {
    const key = parseUploadKey(`/${target}`, []);
    return await signPut(options.scheme, secret, { key, size, contentType });
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new UsageError(`path: expected one such as slot/photo.jpg, got '${options.path}': ${error.message}`);
  }
}

function quoteForShell(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function curlCommand(file: string, headers: Readonly<Record<string, string>>, url: string): string {
  const headerOptions = Object.entries(headers).map(
    ([name, value]) => `--header ${quoteForShell(`${name}: ${value}`)}`,
  );
  return [
    // curl would take brackets and braces in names for patterns.
    'curl --fail-with-body --globoff',
    `--upload-file ${quoteForShell(file)}`,
    ...headerOptions,
    quoteForShell(url),
  ].join(' ');
}

/** Prints a URL that takes one PUT, and the curl command that does it. Throws a UsageError or a ConfigError. */
export async function sign(options: SignOptions, output: Output): Promise<void> {
  const { config } = loadConfig(options.configFile);
  const [secret = ''] = config.secrets;
  const baseUrl = options.baseUrl === undefined ? localBaseUrl(config) : parseBaseUrl(options.baseUrl);
  const size = await sizeOf(options.fileOrSize);
  const contentType = options.type ?? typeOfName(options.path);
  const target = encodedPath(options.path);
  const signed = await signPath(target, options, secret, size, contentType);

  const url = baseUrl + target + (signed.query === '' ? '' : `?${signed.query}`);
  const headers = { 'Content-Type': contentType, ...signed.headers };
  const file = bytes.test(options.fileOrSize) ? path.basename(options.path) : options.fileOrSize;
  const curl = curlCommand(file, headers, url);
  output.print(options.json ? JSON.stringify({ url, headers, size, curl }) : `${url}\n${curl}`);
}
