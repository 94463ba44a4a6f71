/*
 * Direct uploads: a slot gives the client a signed URL of the store. These checks use it as a web client does. Each check
 * gets its own slot, because a signed URL accepts one file.
 */

import { missingFor, uploadNeeds } from '../cors.js';
import { explainDownload } from '../explain/explain-download.js';
import { describeAnswer } from '../explain/explain-status.js';
import { storeUploadAdvice } from '../explain/explain-store.js';
import type { Problem, Verdict } from '../finding.js';
import { isLoopback } from './check-connection.js';
import { grantIn } from './check-cors.js';
import { htmlPage, judgeSafety } from './check-download.js';
import { checkReading, checkStoreDomain } from './check-redirect.js';
import type { Answer } from './send-request.js';
import { type DirectUploads, type Sample, type Visit, webClientOrigin } from './visit.js';

/** All checks of downloads fetch this page. */
const page = htmlPage('direct.html');

async function slotFor(visit: Visit, direct: DirectUploads, { name, body, contentType }: Sample) {
  const { putUrl, getUrl } = await direct.giveSlot({ key: visit.keyOf(name), size: body.length, contentType });
  return { putUrl: new URL(putUrl), getUrl: new URL(getUrl) };
}

function isStored({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function explainRefusal(answer: Answer): Problem {
  const unknown = [
    'The doctor knows no usual cause of this status.',
    'Ask the operator of the S3 service. Run prosody-filer check-config to check key, bucket and clock.',
  ] as const;
  const [cause, change] = storeUploadAdvice[answer.status] ?? unknown;
  return { found: `${describeAnswer(answer)}.`, cause, change };
}

/** Explains why clients cannot use this origin of the store, by the URLs alone; `undefined` if they can. */
export function explainOrigin(server: URL, store: URL): Problem | undefined {
  const isHere = isLoopback(store.hostname);
  if (isHere ? isLoopback(server.hostname) : store.protocol === 'https:') return undefined;
  return {
    found: `Slots send clients to ${store.origin}, ${isHere ? 'which only this machine can reach' : 'by plain http'}.`,
    cause: 's3.endpointUrl is the address at which prosody-filer reaches the store, and clients get the same address.',
    change:
      'Set s3.endpointUrl to an https:// URL that clients can reach. XEP-0363 requires TLS, and many clients refuse http.',
  };
}

/** Checks that the store accepts an upload to the URL of a slot. */
export function checkDirectUpload(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const { putUrl } = await slotFor(visit, direct, page);
    const problem = explainOrigin(visit.settings.url, putUrl);
    if (problem !== undefined) return problem;
    const answer = await visit.putDirectly(putUrl, page);
    if (!isStored(answer)) return explainRefusal(answer);
    return `${answer.status} from ${putUrl.host} after ${Math.round(answer.durationMs)} ms.`;
  };
}

/** Checks that pages of all sites may upload to the store (Fetch §4.8). */
export function checkDirectCors(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const sample = htmlPage('direct-cors.html');
    const { putUrl } = await slotFor(visit, direct, sample);
    const asking = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' };
    const headers = { origin: webClientOrigin, ...asking };
    const preflight = await visit.askStore(putUrl, { method: 'OPTIONS', headers });
    const put = await visit.putDirectly(putUrl, sample);
    const lacking = missingFor(uploadNeeds, grantIn(preflight, put, webClientOrigin));
    if (lacking.length === 0) return 'All sites may upload, with a Content-Type.';
    return {
      found: `The store does not allow ${lacking.join(', ')}: web clients cannot upload.`,
      cause:
        'The CORS rules of the bucket are missing or too narrow for PUT, or a proxy in front of it answers OPTIONS.',
      change:
        'Set the CORS rules that prosody-filer check-config prints. Let OPTIONS and Origin through to the bucket.',
    };
  };
}

/** Whether a slot is for one size alone, as limits and quotas count it. */
export function checkDirectLength(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const sample = htmlPage('direct-length.html');
    const { putUrl } = await slotFor(visit, direct, sample);
    const longer = Buffer.concat([sample.body, Buffer.from('-')]);
    const answer = await visit.putDirectly(putUrl, { ...sample, body: longer });
    if (!isStored(answer))
      return answer.status < 500 ? `A file of another length gets ${answer.status}.` : explainRefusal(answer);
    return {
      found: `A slot for ${sample.body.length} bytes accepts ${longer.length} bytes (${describeAnswer(answer)}).`,
      cause: 'The S3 service ignores the signed Content-Length, so clients can exceed maxFileSize and quotas.',
      change: 'Set upload = "filer" in [component].',
    };
  };
}

function fetchPage(visit: Visit, { downloadsFrom }: DirectUploads, getUrl: URL): Promise<Answer> {
  return downloadsFrom === undefined ? visit.download(page.name) : visit.askStore(getUrl, { method: 'GET' });
}

/** Checks that the GET URL of a slot returns the upload unchanged. */
export function checkDirectDownload(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const { getUrl } = await slotFor(visit, direct, page);
    const problem = explainDownload(page, await fetchPage(visit, direct, getUrl));
    return problem ?? `Bytes, size and type are unchanged, from ${(direct.downloadsFrom ?? visit.settings.url).host}.`;
  };
}

/** Checks that pages of all sites may read downloads from the domain of the uploads. */
export function checkPublicCors(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => checkReading(visit, (await slotFor(visit, direct, page)).getUrl);
}

/** Checks that the domain of the uploads uses https and shares no cookies with the server. */
export function checkPublicDomain({ downloadsFrom }: DirectUploads) {
  return ({ settings: { url } }: Visit): Verdict => checkStoreDomain({ settings: { url, downloadsFrom } });
}

/** Checks that a CDN or proxy in front of the bucket makes a page a download, whatever its uploader sent. */
export function checkPublicSafety(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const { getUrl } = await slotFor(visit, direct, page);
    return judgeSafety(await fetchPage(visit, direct, getUrl), {
      cause: 'Objects of direct uploads have only the headers that their client sent, and no CDN adds others.',
      change:
        'Make a CDN at s3.baseDomain add them. Or remove s3.baseDomain: prosody-filer then serves the files, with these headers.',
    });
  };
}
