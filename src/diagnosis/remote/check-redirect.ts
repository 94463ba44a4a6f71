/*
 * Where uploads lie in a bucket, clients may be sent there. They are browsers, too: their pages' origin is `null` then, and
 * what the bucket's host serves must reach no cookie.
 */

import { describeAnswer, explainStatus } from '../explain/explain-status.js';
import { isLoopback } from './check-connection.js';
import { listOf } from './check-cors.js';
import { sampleOf } from './check-upload.js';
import { headerOf } from './send-request.js';
import type { Verdict } from './verdict.js';
import type { DoctorSettings, Visit } from './visit.js';

const exposedHeaders = ['content-length', 'content-range', 'etag'];

/** Whether downloads are sent to the store that the configuration names, each time anew, and come from there. */
export async function checkRedirect(visit: Visit): Promise<Verdict> {
  const answer = await visit.get(sampleOf('v1').name);
  const [location = 'nowhere'] = answer.headers['location'] ?? [];
  if (answer.status !== 302) {
    return {
      found: `a download is ${describeAnswer(answer)} in place of 302`,
      cause: 'the running server has another s3.download, or the proxy follows the redirect itself',
      change: 'restart prosody-filer with this configuration; no error_page 302 and no cache in the location',
    };
  }
  const url = visit.storeUrlOf(answer);
  if (url === undefined) {
    return {
      found: `a download is sent to ${location.replace(/\?.*/, '')}, not to ${visit.settings.downloadsFrom}`,
      cause: 'the proxy rewrites Location (proxy_redirect), or the running server has another s3 configuration',
      change: 'proxy_redirect off; in the location, and restart prosody-filer with this configuration',
    };
  }
  if (!headerOf(answer, 'cache-control').includes('no-store')) {
    return {
      found: `the redirect comes without Cache-Control: no-store: where it is cached, the URL in it expires`,
      cause: 'the proxy removes or replaces it (proxy_hide_header, expires, add_header Cache-Control)',
      change: 'remove that from the location',
    };
  }
  const followed = await visit.askStore(url, { method: 'GET' });
  return followed.status === 200 ? `302 to ${url.origin}, where it is` : explainStatus(followed);
}

/** Whether pages of any site may read what they are redirected to, as `checkReading` has it. */
export async function checkStoreCors(visit: Visit): Promise<Verdict> {
  const { name } = sampleOf('v1');
  const url = visit.storeUrlOf(await visit.get(name));
  return url === undefined ? { skipped: 'there was no redirect' } : checkReading(visit, url);
}

/** Whether pages of any site may read what they fetch from this URL of the store, in parts, too (Fetch §3.3). */
export async function checkReading(visit: Visit, url: URL): Promise<Verdict> {
  const asking = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' };
  const preflight = await visit.askStore(url, { method: 'OPTIONS', headers: asking });
  const get = await visit.askStore(url, { method: 'GET' });
  const allowing = [preflight, get].filter((answer) =>
    /^(\*|null)$/.test(headerOf(answer, 'access-control-allow-origin')),
  );
  const headers = listOf(preflight, 'access-control-allow-headers');
  const exposed = listOf(get, 'access-control-expose-headers');
  const lacking = [
    ...(allowing.length === 2 ? [] : ['all origins (*)']),
    ...(headers.includes('range') || headers.includes('*') ? [] : ['the header Range']),
    ...exposedHeaders.filter((header) => !exposed.includes(header)).map((header) => `reading ${header}`),
  ];
  if (lacking.length === 0) return 'all sites may fetch, in parts too, and read size and ETag';
  return {
    found: `the store does not allow ${lacking.join(', ')}: web clients cannot fetch`,
    cause: 'the bucket has no CORS rules or too narrow ones, or a CDN does not pass Origin on and the headers back',
    change: 'the CORS rules that prosody-filer check-config prints; have the CDN forward Origin and OPTIONS',
  };
}

/** How much of a host's cookies what another host serves could reach, by their names alone. */
function judgeDomains(server: string, store: string): Verdict {
  const isIn = (host: string, domain: string) => host === domain || host.endsWith(`.${domain}`);
  if (isLoopback(store)) return 'on this machine';
  if (isIn(server, store) || isIn(store, server)) {
    return {
      found: `uploads are served at ${store}, which shares cookies with ${server}`,
      cause: 'the headers that keep browsers from running uploads cannot all be set at a store',
      change: 'serve the bucket under a domain of its own, on which no site and no cookie is',
    };
  }
  const parent = store.split('.').slice(-2).join('.');
  if (!server.endsWith(`.${parent}`)) return `${store} shares no cookies with ${server}`;
  return `${store} is another host; cookies of all of ${parent} reach it, which a domain of its own would not have`;
}

/** Whether what the store serves is kept from the cookies of the server and from plain http. */
export function checkStoreDomain({
  settings,
}: {
  readonly settings: Pick<DoctorSettings, 'url' | 'downloadsFrom'>;
}): Verdict {
  const { url, downloadsFrom } = settings;
  if (downloadsFrom === undefined) return { skipped: 'nothing is redirected' };
  const { protocol, hostname, host } = downloadsFrom;
  if (protocol === 'https:' || isLoopback(hostname)) return judgeDomains(url.hostname, hostname);
  return {
    found: `downloads come by plain http from ${host}`,
    cause: 's3.endpointUrl or s3.baseDomain begins with http://',
    change: 'https: pages that came by https may not fetch by http, and anybody between can read and change it',
  };
}
