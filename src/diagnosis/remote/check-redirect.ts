/*
 * With uploads in a bucket, prosody-filer may redirect downloads to it. After the redirect a browser sends `Origin: null`
 * (Fetch §4.4), which the CORS rules must allow. Files of the bucket's host must not reach cookies of the server.
 */

import { downloadNeeds, missingFor } from '../cors.js';
import { describeAnswer, explainStatus } from '../explain/explain-status.js';
import type { Verdict } from '../finding.js';
import { isLoopback } from './check-connection.js';
import { grantIn } from './check-cors.js';
import { sampleOf } from './check-upload.js';
import { headerOf } from './send-request.js';
import type { DoctorSettings, Visit } from './visit.js';

/** What an answer must allow by name. GET and HEAD are always allowed. */
const needs = { ...downloadNeeds, methods: [] };

/** Checks that downloads redirect to the configured store, which serves them, and that caches do not keep the redirect. */
export async function checkRedirect(visit: Visit): Promise<Verdict> {
  const answer = await visit.get(sampleOf('v1').name);
  const [location = 'nowhere'] = answer.headers['location'] ?? [];
  if (answer.status !== 302) {
    return {
      found: `A download got ${describeAnswer(answer)} instead of 302.`,
      cause: 'The running server has another s3.download, or the proxy follows the redirect itself.',
      change: 'Restart prosody-filer with this configuration. Remove error_page 302 and proxy_cache from the location.',
    };
  }
  const url = visit.storeUrlOf(answer);
  if (url === undefined) {
    return {
      found: `A download is redirected to ${location.replace(/\?.*/, '')}, not to ${visit.settings.downloadsFrom}.`,
      cause: 'The proxy rewrites Location (proxy_redirect), or the running server has other [s3] settings.',
      change: 'Set proxy_redirect off; in the location, and restart prosody-filer with this configuration.',
    };
  }
  if (!headerOf(answer, 'cache-control').includes('no-store')) {
    return {
      found: `The redirect comes without Cache-Control: no-store, so caches may keep a URL that expires.`,
      cause: 'The proxy removes or replaces it (proxy_hide_header, expires).',
      change: 'Remove these directives from the location.',
    };
  }
  const followed = await visit.askStore(url, { method: 'GET' });
  return followed.status === 200 ? `302 to ${url.origin}, which serves the file.` : explainStatus(followed);
}

/** Checks that pages of all sites may read a download after the redirect, by `checkReading`. */
export async function checkStoreCors(visit: Visit): Promise<Verdict> {
  const { name } = sampleOf('v1');
  const url = visit.storeUrlOf(await visit.get(name));
  return url === undefined ? { skipped: 'The download was not redirected.' } : checkReading(visit, url);
}

/** Checks that pages of all sites may read this URL of the store, also by ranges (Fetch §3.3). */
export async function checkReading(visit: Visit, url: URL): Promise<Verdict> {
  const asking = { 'access-control-request-method': 'GET', 'access-control-request-headers': 'range' };
  const preflight = await visit.askStore(url, { method: 'OPTIONS', headers: asking });
  const get = await visit.askStore(url, { method: 'GET' });
  const lacking = missingFor(needs, grantIn(preflight, get, 'null'));
  if (lacking.length === 0) return 'All sites may download, also by ranges, and read size and ETag.';
  return {
    found: `The store does not allow ${lacking.join(', ')}: web clients need this to download.`,
    cause:
      'The CORS rules of the bucket are missing or too narrow, or a CDN does not pass on Origin or the CORS headers.',
    change: 'Set the CORS rules that prosody-filer check-config prints. Make the CDN pass on Origin and OPTIONS.',
  };
}

/** Judges by the two host names whether pages of the store can reach cookies of the server. */
function judgeDomains(server: string, store: string): Verdict {
  const isIn = (host: string, domain: string) => host === domain || host.endsWith(`.${domain}`);
  if (isLoopback(store)) return 'The store is on this machine.';
  if (isIn(server, store) || isIn(store, server)) {
    return {
      found: `${store} serves uploads and can share cookies with ${server}.`,
      cause:
        'One host is part of the domain of the other. A store cannot send all headers that keep browsers from running uploads.',
      change: 'Serve the bucket under a separate domain that has no other site and no cookies.',
    };
  }
  const parent = store.split('.').slice(-2).join('.');
  if (!server.endsWith(`.${parent}`)) return `${store} shares no cookies with ${server}.`;
  return `${store} is another host, but gets cookies that are set for all of ${parent}; a separate domain would not.`;
}

/** Checks that the store serves downloads by https and shares no cookies with the server. */
export function checkStoreDomain({
  settings,
}: {
  readonly settings: Pick<DoctorSettings, 'url' | 'downloadsFrom'>;
}): Verdict {
  const { url, downloadsFrom } = settings;
  if (downloadsFrom === undefined) return { skipped: 'Downloads are not redirected.' };
  const { protocol, hostname, host } = downloadsFrom;
  if (protocol === 'https:' || isLoopback(hostname)) return judgeDomains(url.hostname, hostname);
  return {
    found: `Downloads come by plain http from ${host}.`,
    cause: 's3.endpointUrl or s3.baseDomain begins with http://.',
    change:
      'Use https:// there. Browsers block http downloads in https pages, and others on the network can read and change files.',
  };
}
