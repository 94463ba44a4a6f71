/*
 * Uploads that go past the server: what a client is given in a slot, done as a web client does it. Each check has a slot of its
 * own, since a signed URL takes one file.
 */

import { explainDownload } from '../explain/explain-download.js';
import { describeAnswer } from '../explain/explain-status.js';
import { storeUploadAdvice } from '../explain/explain-store.js';
import { isLoopback } from './check-connection.js';
import { listOf } from './check-cors.js';
import { htmlPage, judgeSafety } from './check-download.js';
import { checkReading, checkStoreDomain } from './check-redirect.js';
import { type Answer, headerOf } from './send-request.js';
import type { Problem, Verdict } from './verdict.js';
import { type DirectUploads, type Sample, type Visit, webClientOrigin } from './visit.js';

/** It is fetched by all checks of downloads. */
const page = htmlPage('direct.html');

async function slotFor(visit: Visit, direct: DirectUploads, { name, body, contentType }: Sample) {
  const { putUrl, getUrl } = await direct.giveSlot({ key: visit.keyOf(name), size: body.length, contentType });
  return { putUrl: new URL(putUrl), getUrl: new URL(getUrl) };
}

function isStored({ status }: Answer): boolean {
  return status >= 200 && status < 300;
}

function explainRefusal(answer: Answer): Problem {
  const unknown = ['not known', 'ask the service; prosody-filer check-config looks at key, bucket and clock'] as const;
  const [cause, change] = storeUploadAdvice[answer.status] ?? unknown;
  return { found: describeAnswer(answer), cause, change };
}

/** What keeps clients of the server from an origin of the store, by its name alone. */
export function explainOrigin(server: URL, store: URL): Problem | undefined {
  const isHere = isLoopback(store.hostname);
  if (isHere ? isLoopback(server.hostname) : store.protocol === 'https:') return undefined;
  return {
    found: `slots lead to ${store.origin}, ${isHere ? 'which is another machine for each client' : 'by plain http'}`,
    cause: 's3.endpointUrl is how this machine reaches the store, and clients are given the same',
    change: 's3.endpointUrl as clients reach it, by https: XEP-0363 asks for it, and clients refuse http',
  };
}

/** Whether the store takes an upload by the URL of a slot. */
export function checkDirectUpload(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const { putUrl } = await slotFor(visit, direct, page);
    const problem = explainOrigin(visit.settings.url, putUrl);
    if (problem !== undefined) return problem;
    const answer = await visit.putDirectly(putUrl, page);
    if (!isStored(answer)) return explainRefusal(answer);
    return `${answer.status} by ${putUrl.host} after ${Math.round(answer.durationMs)} ms`;
  };
}

/** Whether pages of any site may upload to the store (Fetch §4.8). */
export function checkDirectCors(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const sample = htmlPage('direct-cors.html');
    const { putUrl } = await slotFor(visit, direct, sample);
    const asking = { 'access-control-request-method': 'PUT', 'access-control-request-headers': 'content-type' };
    const headers = { origin: webClientOrigin, ...asking };
    const preflight = await visit.askStore(putUrl, { method: 'OPTIONS', headers });
    const put = await visit.putDirectly(putUrl, sample);
    const origins = [preflight, put].map((answer) => headerOf(answer, 'access-control-allow-origin'));
    const allowed = listOf(preflight, 'access-control-allow-headers');
    const lacking = [
      ...(origins.every((origin) => origin === '*' || origin === webClientOrigin) ? [] : ['all origins (*)']),
      ...(listOf(preflight, 'access-control-allow-methods').includes('put') ? [] : ['the method PUT']),
      ...(allowed.includes('content-type') || allowed.includes('*') ? [] : ['the header Content-Type']),
    ];
    if (lacking.length === 0) return 'all sites may upload, with a type';
    return {
      found: `the store does not allow ${lacking.join(', ')}: web clients cannot upload`,
      cause: 'the bucket has no CORS rules for PUT or too narrow ones, or something in front of it answers OPTIONS',
      change: 'the CORS rules that prosody-filer check-config prints; let OPTIONS and Origin through to the bucket',
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
    if (!isStored(answer)) return answer.status < 500 ? `another length is ${answer.status}` : explainRefusal(answer);
    return {
      found: `a slot for ${sample.body.length} bytes takes ${longer.length} (${describeAnswer(answer)})`,
      cause: 'the service does not look at the Content-Length that was signed, so that no limit holds',
      change: 'upload = "filer" in [component]',
    };
  };
}

function fetchPage(visit: Visit, { downloadsFrom }: DirectUploads, getUrl: URL): Promise<Answer> {
  return downloadsFrom === undefined ? visit.download(page.name) : visit.askStore(getUrl, { method: 'GET' });
}

/** Whether the upload comes back, from where slots say, as it was sent. */
export function checkDirectDownload(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const { getUrl } = await slotFor(visit, direct, page);
    const problem = explainDownload(page, await fetchPage(visit, direct, getUrl));
    return (
      problem ?? `bytes, size and type as they were sent, from ${(direct.downloadsFrom ?? visit.settings.url).host}`
    );
  };
}

/** Whether pages of any site may read what they fetch by the domain of the uploads. */
export function checkPublicCors(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => checkReading(visit, (await slotFor(visit, direct, page)).getUrl);
}

/** Whether the domain of the uploads is kept from the cookies of the server and from plain http. */
export function checkPublicDomain({ downloadsFrom }: DirectUploads) {
  return ({ settings: { url } }: Visit): Verdict => checkStoreDomain({ settings: { url, downloadsFrom } });
}

/** Whether what stands before the bucket makes a page a download, though its client did not. */
export function checkPublicSafety(direct: DirectUploads) {
  return async (visit: Visit): Promise<Verdict> => {
    const { getUrl } = await slotFor(visit, direct, page);
    return judgeSafety(await fetchPage(visit, direct, getUrl), {
      cause: 'objects that go past prosody-filer have the headers that their client sent, and nothing adds others',
      change: 'have a CDN at s3.baseDomain add them; without baseDomain the files come from prosody-filer, with them',
    });
  };
}
