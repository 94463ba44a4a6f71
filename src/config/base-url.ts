import { keyBelow } from '../upload/upload-key.js';
import { ConfigError } from './config-error.js';

/** The base URL of the configuration that `writeDefaultConfig` writes, unless the operator names another one. */
export const defaultBaseUrl = 'http://127.0.0.1:5050/upload/';

/** TOML, Lua, YAML and nginx.conf can hold such a URL without quoting any of its characters. */
const plainUrl = /^https?:\/\/[\w.[\]:-]+(\/[\w.~-]+)*\/?$/;

/** The base URL with a slash at its end; `undefined` if it is not a URL or its path needs quoting. */
export function withSlash(text: string): string | undefined {
  const baseUrl = text.replace(/\/?$/, '/');
  return plainUrl.test(text) && URL.canParse(baseUrl) && new URL(baseUrl).href === baseUrl ? baseUrl : undefined;
}

/** The base URL with a slash at its end; `argument` is where it was given. Throws a ConfigError unless `withSlash` accepts it. */
export function parseBaseUrl(text: string, argument = '--base-url'): string {
  const baseUrl = withSlash(text);
  if (baseUrl !== undefined) return baseUrl;
  throw new ConfigError([`${argument}: expected a URL such as https://uploads.example.org/upload/, got '${text}'`]);
}

/** The segments of the base URL's path, e.g. `['upload']`; `undefined` if an upload's path cannot begin with them. */
export function baseSegments(uploadSubDir: string): readonly string[] | undefined {
  const segments = uploadSubDir.split('/').filter((segment) => segment !== '');
  // The path of a request is decoded, so a "%" here would match only "%25".
  return segments.some((segment) => segment.includes('%') || keyBelow(undefined, segment) === undefined)
    ? undefined
    : segments;
}
