import { unknownType } from '../../upload/content-type.js';
import { explainDownload } from '../explain/explain-download.js';
import { describeAnswer, explainStatus } from '../explain/explain-status.js';
import { adviceOnDownload } from '../explain/explain-store.js';
import type { Advice, Verdict } from '../finding.js';
import { sampleOf } from './check-upload.js';
import { type Answer, headerOf } from './send-request.js';
import type { Sample, Visit } from './visit.js';

const entityHeaders = [
  ...['content-length', 'content-type', 'last-modified', 'etag', 'accept-ranges', 'cache-control'],
  ...['x-content-type-options', 'content-security-policy'],
];

/** The headers that a store sends itself; prosody-filer cannot make it send the others. */
const storeHeaders = ['content-length', 'content-type', 'last-modified', 'etag', 'accept-ranges'];

/** Checks that a download equals the upload. */
export async function checkDownload(visit: Visit): Promise<Verdict> {
  const sample = sampleOf('v1');
  return explainDownload(sample, await visit.download(sample.name)) ?? 'Bytes, size and type are unchanged.';
}

/** Checks that HEAD returns the same headers as GET. */
export async function checkHead(visit: Visit): Promise<Verdict> {
  const { name } = sampleOf('v1');
  const get = await visit.download(name);
  const head = await visit.get(name, {}, 'HEAD');
  const compared = get.redirectedTo === undefined ? entityHeaders : storeHeaders;
  const differing = compared.filter((header) => headerOf(get, header) !== headerOf(head, header));
  const isSame = get.status === head.status && head.body.length === 0;
  if (isSame && differing.length === 0) return 'The headers are the same as for GET.';
  const found = `GET got ${describeAnswer(get)}, HEAD got ${describeAnswer(head)}; headers that differ: ${differing.join(', ') || 'none'}.`;
  const advice = {
    cause: 'A cache or filter of the proxy treats HEAD differently from GET.',
    change: `Switch off caches of the proxy (nginx: proxy_cache off;). ${visit.directives.noFilters}`,
  };
  return { found, ...adviceOnDownload(get, advice) };
}

/** Checks that a part of a file can be downloaded (RFC 9110 §14): iOS needs this to play videos. */
export async function checkRange(visit: Visit): Promise<Verdict> {
  const { name, body } = sampleOf('v1');
  const answer = await visit.download(name, { range: 'bytes=5-14' });
  const contentRange = headerOf(answer, 'content-range');
  const isRight = contentRange === `bytes 5-14/${body.length}` && answer.body.equals(body.subarray(5, 15));
  if (answer.status === 206 && isRight) return `206 with Content-Range ${contentRange}.`;
  const advice = {
    cause: `The proxy drops the Range header (nginx: max_ranges 0; or ${visit.directives.settingRequestHeaders} Range), or compresses the file.`,
    change: `Remove what changes Range. ${visit.directives.noFilters}`,
  };
  return {
    found: `A request for bytes 5-14 of ${body.length} got ${describeAnswer(answer)}, Content-Range "${contentRange}".`,
    ...adviceOnDownload(answer, advice),
  };
}

/** Checks that If-None-Match with the current ETag gets 304 (RFC 9110 §13.1.2). */
export async function checkCondition(visit: Visit): Promise<Verdict> {
  const { name } = sampleOf('v1');
  const etag = headerOf(await visit.get(name, {}, 'HEAD'), 'etag');
  const answer = await visit.get(name, { 'if-none-match': etag });
  if (etag !== '' && answer.status === 304) return '304 for a request with the ETag.';
  return {
    found:
      etag === ''
        ? 'The download has no ETag.'
        : `A GET with If-None-Match got ${describeAnswer(answer)} instead of 304.`,
    cause: `The proxy drops or changes ETag or If-None-Match (${visit.directives.removingHeaders}, ${visit.directives.settingRequestHeaders}).`,
    change: 'Remove these directives for this path.',
  };
}

/** A page with a script, which browsers must not run. */
export function htmlPage(name = 'page.html'): Sample {
  const body = Buffer.from(`<!doctype html><script>document.title = 'run'</script>${'<p>text</p>'.repeat(200)}`);
  return { scheme: 'v1', name, contentType: 'text/html', body };
}

/** True if browsers do not run a store's answer. Of the safe headers, a store can send Content-Disposition only. */
function isHarmless(answer: Answer): boolean {
  const isDownload = headerOf(answer, 'content-disposition').startsWith('attachment');
  return answer.status === 200 && (isDownload || headerOf(answer, 'content-type') === unknownType);
}

function lackOfSafety(answer: Answer): string[] {
  const claims: [string, boolean][] = [
    ['Content-Disposition: attachment', headerOf(answer, 'content-disposition').startsWith('attachment')],
    ['X-Content-Type-Options: nosniff', headerOf(answer, 'x-content-type-options').startsWith('nosniff')],
    [
      "Content-Security-Policy: default-src 'none'",
      /default-src 'none'/.test(headerOf(answer, 'content-security-policy')),
    ],
  ];
  return claims.filter(([, holds]) => !holds).map(([header]) => header);
}

/** Checks that an uploaded page is served as a download, with all headers that keep browsers from running it. */
export async function checkSafety(visit: Visit): Promise<Verdict> {
  const page = htmlPage();
  const put = await visit.put(page);
  if (put.status !== 201) return explainStatus(put);
  const answer = await visit.download(page.name);
  const advice = {
    cause: `The proxy removes or replaces headers (${visit.directives.removingHeaders}), or serves the files itself without them.`,
    change: 'Remove these directives for this path, or add the headers where the proxy serves the files.',
  };
  return judgeSafety(answer, adviceOnDownload(answer, advice));
}

/** Checks that an answer with HTML keeps browsers from running it; a store need only send what it can send. */
export function judgeSafety(answer: Answer, advice: Advice): Verdict {
  const lacking = lackOfSafety(answer);
  if (lacking.length === 0) return 'HTML is served as a download, with nosniff and a Content-Security-Policy.';
  if (answer.redirectedTo !== undefined && isHarmless(answer)) {
    return `HTML is served as a download. A CDN could add ${lacking.join(' and ')} (a response-header policy).`;
  }
  return { found: `HTML is served without ${lacking.join(' and ')} (${describeAnswer(answer)}).`, ...advice };
}

/** Checks that a client that accepts gzip gets the file uncompressed, with a strong ETag: ranges need both. */
export async function checkCompression(visit: Visit): Promise<Verdict> {
  const answer = await visit.download(htmlPage().name, { 'accept-encoding': 'gzip, br' });
  if (answer.status !== 200) return { skipped: `The page could not be downloaded: ${describeAnswer(answer)}.` };
  const encoding = headerOf(answer, 'content-encoding');
  const etag = headerOf(answer, 'etag');
  if (encoding === '' && etag.startsWith('"')) return 'HTML is not compressed and has a strong ETag.';
  const advice = {
    cause: 'The proxy compresses or filters downloads. They lose their size, ranges and strong ETag.',
    change: visit.directives.noFilters,
  };
  return {
    found: `HTML is served ${encoding === '' ? '' : `as ${encoding}, `}with ${etag === '' ? 'no ETag' : `the ETag ${etag}`}.`,
    ...adviceOnDownload(answer, advice),
  };
}
