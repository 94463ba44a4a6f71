import { isIP } from 'node:net';
import { describeAnswer, explainStatus, isFromFiler } from '../explain/explain-status.js';
import type { Verdict } from './verdict.js';
import type { Visit } from './visit.js';

const missingName = 'missing.txt';

/** Whether any server answers under the URL, and does not send clients elsewhere. */
export async function checkConnection(visit: Visit): Promise<Verdict> {
  const answer = await visit.get(missingName);
  if (answer.status >= 500 || (answer.status >= 300 && answer.status < 400)) return explainStatus(answer);
  return `an answer after ${Math.round(answer.durationMs)} ms`;
}

/** Whether a file that is not there is prosody-filer's own 404. */
export async function checkMissingFile(visit: Visit): Promise<Verdict> {
  const answer = await visit.get(missingName);
  return answer.status === 404 && isFromFiler(answer) ? describeAnswer(answer) : explainStatus(answer);
}

/** Whether slots lead where the doctor looks. */
export function checkSlotUrl({ settings: { url, slotUrl } }: Pick<Visit, 'settings'>): Verdict {
  if (slotUrl === url.href) return 'the slots that prosody-filer hands out have this URL';
  return {
    found: `the slots that prosody-filer hands out have ${slotUrl}`,
    cause: 'component.baseUrl is not the URL that is examined',
    change: `baseUrl = "${url}" in [component], or run the doctor for the other one`,
  };
}

/** Whether a host's name or address, as it stands in a URL, is this machine. */
export function isLoopback(hostname: string): boolean {
  const address = hostname.replace(/^\[(.*)\]$/, '$1');
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

/** Whether what goes over a network is encrypted (XEP-0363 §6 asks for https). */
export function checkEncryption({ settings: { url } }: Pick<Visit, 'settings'>): Verdict {
  if (url.protocol === 'https:') return 'https, with a certificate that is trusted here';
  if (isLoopback(url.hostname)) return 'plain http, which stays on this machine';
  return {
    found: `plain http to ${url.host}`,
    cause: 'the proxy has no certificate, or the base URL begins with http://',
    change: 'listen 443 ssl in nginx, and https:// in the base URL: XEP-0363 asks for it, and clients refuse http',
  };
}
