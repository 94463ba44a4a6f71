import { isIP } from 'node:net';
import { describeAnswer, explainStatus, isFromFiler } from '../explain/explain-status.js';
import type { Verdict } from '../finding.js';
import type { Visit } from './visit.js';

const missingName = 'missing.txt';

/** Checks that a server answers at the URL, without a redirect and without a 5xx status. */
export async function checkConnection(visit: Visit): Promise<Verdict> {
  const answer = await visit.get(missingName);
  if (answer.status >= 500 || (answer.status >= 300 && answer.status < 400)) return explainStatus(answer);
  if (visit.proxy === undefined) await visit.provokeProxy();
  const of = visit.proxy === undefined ? 'The server' : `The server (behind ${visit.proxy})`;
  return `${of} answered after ${Math.round(answer.durationMs)} ms.`;
}

/** Checks that prosody-filer itself answers 404 for a file that does not exist. */
export async function checkMissingFile(visit: Visit): Promise<Verdict> {
  const answer = await visit.get(missingName);
  return answer.status === 404 && isFromFiler(answer) ? `${describeAnswer(answer)}.` : explainStatus(answer);
}

/** Checks that prosody-filer's slots have the URL that the doctor examines. */
export function checkSlotUrl({ settings: { url, slotUrl } }: Pick<Visit, 'settings'>): Verdict {
  if (slotUrl === url.href) return 'The slots of prosody-filer have this URL.';
  return {
    found: `The slots of prosody-filer have another URL: ${slotUrl}`,
    cause: 'component.baseUrl differs from the URL that doctor was given.',
    change: `Set baseUrl = "${url}" in [component], or run doctor with the URL of the slots.`,
  };
}

/** True if the host of a URL is this machine. */
export function isLoopback(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Checks that uploads go over a network by https only (XEP-0363 §4). */
export function checkEncryption({ settings: { url } }: Pick<Visit, 'settings'>): Verdict {
  if (url.protocol === 'https:') return 'https, with a certificate that this machine trusts.';
  if (isLoopback(url.hostname)) return 'Plain http, on this machine only.';
  return {
    found: `Clients send uploads by plain http to ${url.host}.`,
    cause: 'The proxy has no certificate, or the base URL begins with http://.',
    change:
      'Give the proxy a certificate (nginx: listen 443 ssl;), and set https:// in the base URL. XEP-0363 requires TLS, and many clients refuse http.',
  };
}
