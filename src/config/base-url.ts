import { ConfigError } from './config.js';

/** Where the configuration of `writeDefaultConfig` serves if nothing else is said. */
export const defaultBaseUrl = 'http://127.0.0.1:5050/upload/';

/** No more than what stands in TOML, Lua, YAML and nginx.conf as it is. */
const plainUrl = /^https?:\/\/[\w.[\]:-]+(\/[\w.~-]+)*\/?$/;

/** The base URL with its trailing slash; `argument` is where it was given. Throws a ConfigError for what is none, or has a path that needs quoting. */
export function parseBaseUrl(text: string, argument = '--base-url'): string {
  const baseUrl = text.replace(/\/?$/, '/');
  if (plainUrl.test(text) && URL.canParse(baseUrl) && new URL(baseUrl).href === baseUrl) return baseUrl;
  throw new ConfigError([`${argument}: expected a URL such as https://uploads.example.org/upload/, got '${text}'`]);
}
