import { stat } from 'node:fs/promises';
import path from 'node:path';
import { type Command, Option } from 'commander';
import { parseBaseUrl } from '../config/base-url.js';
import type { Config } from '../config/config.js';
import { FilerError, messageOf, UsageError } from '../errors.js';
import type { Output, ResultOptions } from '../output.js';
import { describeTcpAddress } from '../service/listen.js';
import { signPut, type TokenScheme, tokenSchemes } from '../token/sign-token.js';
import { encodedPath } from '../upload/encoded-path.js';
import { parseUploadKey } from '../upload/upload-key.js';

interface SignOptions extends ResultOptions {
  readonly scheme: TokenScheme;
  readonly type?: string;
  readonly baseUrl?: string;
}

function localBaseUrl({ listen, baseSegments }: Config): string {
  if ('path' in listen)
    throw new UsageError('--base-url: expected the public URL of the server, because listenPort is a Unix socket');
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
  throw new UsageError(`file: expected a file or a number of bytes, got '${fileOrSize}', which is not a regular file`);
}

/** Signs the PUT of an upload; `target` is its percent-encoded path, as the server will see it. */
async function signTarget(target: string, scheme: TokenScheme, secret: string, size: number, contentType: string) {
  try {
    const key = parseUploadKey(`/${target}`, []);
    return await signPut(scheme, secret, { key, size, contentType });
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    throw new UsageError(
      `path: expected one such as slot/photo.jpg, got '${decodeURIComponent(target)}': ${error.message}`,
    );
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
    // Without --globoff, curl reads brackets and braces in a file name as a pattern.
    'curl --fail-with-body --globoff',
    `--upload-file ${quoteForShell(file)}`,
    ...headerOptions,
    quoteForShell(url),
  ].join(' ');
}

async function sign(uploadPath: string, fileOrSize: string, options: SignOptions, output: Output): Promise<void> {
  const { loadConfig } = await import('../config/load-config.js');
  const { typeOfName } = await import('../upload/content-type.js');
  const { config } = loadConfig(options.config);
  const [secret = ''] = config.secrets;
  const baseUrl = options.baseUrl === undefined ? localBaseUrl(config) : parseBaseUrl(options.baseUrl);
  const size = await sizeOf(fileOrSize);
  const contentType = options.type ?? typeOfName(uploadPath);
  const target = encodedPath(uploadPath);
  const signed = await signTarget(target, options.scheme, secret, size, contentType);

  const url = baseUrl + target + (signed.query === '' ? '' : `?${signed.query}`);
  const headers = { 'Content-Type': contentType, ...signed.headers };
  const file = bytes.test(fileOrSize) ? path.basename(uploadPath) : fileOrSize;
  const curl = curlCommand(file, headers, url);
  output.print(options.json ? JSON.stringify({ url, headers, size, curl }) : `${url}\n${curl}`);
}

/** Adds the command that prints a URL for one PUT, and the curl command that uploads to it. */
export function register(program: Command, output: Output): void {
  program
    .command('sign')
    .description('print a signed URL for one upload, and the curl command that uploads to it')
    .argument('<path>', 'path of the upload below the base URL, such as slot/photo.jpg')
    .argument('<file|size>', 'the file to upload, or its size in bytes')
    .option('--type <type>', 'content type (default: from the extension of the path)')
    .addOption(new Option('--scheme <scheme>', 'kind of token').choices(tokenSchemes).default('v2'))
    .option('--base-url <url>', 'public URL of this server (default: the address in listenPort)')
    .option('--json', 'print JSON')
    .action((uploadPath: string, fileOrSize: string, options: SignOptions) =>
      sign(uploadPath, fileOrSize, options, output),
    );
}
