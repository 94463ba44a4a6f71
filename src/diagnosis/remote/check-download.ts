import { unknownType } from '../../upload/content-type.js';
import { explainDownload } from '../explain/explain-download.js';
import { describeAnswer, explainStatus } from '../explain/explain-status.js';
import { adviceOnDownload } from '../explain/explain-store.js';
import { sampleOf } from './check-upload.js';
import { type Answer, headerOf } from './send-request.js';
import type { Advice, Verdict } from './verdict.js';
import type { Sample, Visit } from './visit.js';

const entityHeaders = [
  ...['content-length', 'content-type', 'last-modified', 'etag', 'accept-ranges', 'cache-control'],
  ...['x-content-type-options', 'content-security-policy'],
];

/** Those that a store can have of its own; it has the others by no setting of the program. */
const storeHeaders = ['content-length', 'content-type', 'last-modified', 'etag', 'accept-ranges'];

const noFilters = 'gzip off; and no filters (sub_filter, ssi, image_filter) in the location';

/** Whether an upload comes back as it was sent. */
export async function checkDownload(visit: Visit): Promise<Verdict> {
  const sample = sampleOf('v1');
  return explainDownload(sample, await visit.download(sample.name)) ?? 'bytes, size and type as they were sent';
}

/** Whether HEAD says what GET says. */
export async function checkHead(visit: Visit): Promise<Verdict> {
  const { name } = sampleOf('v1');
  const get = await visit.download(name);
  const head = await visit.get(name, {}, 'HEAD');
  const compared = get.redirectedTo === undefined ? entityHeaders : storeHeaders;
  const differing = compared.filter((header) => headerOf(get, header) !== headerOf(head, header));
  const isSame = get.status === head.status && head.body.length === 0;
  if (isSame && differing.length === 0) return 'the same headers as GET';
  const found = `GET is ${describeAnswer(get)}, HEAD ${describeAnswer(head)}; headers that differ: ${differing.join(', ')}`;
  const advice = { cause: 'a cache or a filter of the proxy treats HEAD in its own way', change: noFilters };
  return { found, ...adviceOnDownload(get, advice) };
}

/** Whether a part of a file can be had (RFC 9110 §14): iOS plays no video without. */
export async function checkRange(visit: Visit): Promise<Verdict> {
  const { name, body } = sampleOf('v1');
  const answer = await visit.download(name, { range: 'bytes=5-14' });
  const contentRange = headerOf(answer, 'content-range');
  const isRight = contentRange === `bytes 5-14/${body.length}` && answer.body.equals(body.subarray(5, 15));
  if (answer.status === 206 && isRight) return `206, ${contentRange}`;
  const advice = {
    cause: 'the proxy drops the Range header (max_ranges 0, proxy_set_header Range ""), or compresses',
    change: `remove that from the location; ${noFilters}`,
  };
  return {
    found: `bytes 5-14 of ${body.length}: ${describeAnswer(answer)}, Content-Range "${contentRange}"`,
    ...adviceOnDownload(answer, advice),
  };
}

/** Whether a client that has the file is told so (RFC 9110 §13.1.2). */
export async function checkCondition(visit: Visit): Promise<Verdict> {
  const { name } = sampleOf('v1');
  const etag = headerOf(await visit.get(name, {}, 'HEAD'), 'etag');
  const answer = await visit.get(name, { 'if-none-match': etag });
  if (etag !== '' && answer.status === 304) return '304 for the ETag';
  return {
    found: etag === '' ? 'there is no ETag' : `If-None-Match with the ETag: ${describeAnswer(answer)}`,
    cause: 'the proxy drops or changes ETag or If-None-Match (proxy_hide_header, proxy_set_header, etag)',
    change: 'remove that from the location',
  };
}

/** A page with a script, which no browser may run. */
export function htmlPage(name = 'page.html'): Sample {
  const body = Buffer.from(`<!doctype html><script>document.title = 'run'</script>${'<p>text</p>'.repeat(200)}`);
  return { scheme: 'v1', name, contentType: 'text/html', body };
}

/** Of all safe headers a store sends Content-Disposition only, since the object has it or the URL asks for it. */
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

/** Whether a page that somebody uploads is a download with all that keeps browsers from running it. */
export async function checkSafety(visit: Visit): Promise<Verdict> {
  const page = htmlPage();
  const put = await visit.put(page);
  if (put.status !== 201) return explainStatus(put);
  const answer = await visit.download(page.name);
  const advice = {
    cause: 'the proxy removes or replaces headers (proxy_hide_header), or serves the files by itself without them',
    change: 'remove proxy_hide_header from the location, or add the headers where nginx serves the files',
  };
  return judgeSafety(answer, adviceOnDownload(answer, advice));
}

/** Whether an answer with HTML keeps browsers from running it, of a store's by what a store can send. */
export function judgeSafety(answer: Answer, advice: Advice): Verdict {
  const lacking = lackOfSafety(answer);
  if (lacking.length === 0) return 'HTML is a download, with nosniff and a policy';
  if (answer.redirectedTo !== undefined && isHarmless(answer)) {
    return `HTML is a download; a CDN could add ${lacking.join(' and ')} (a response-header policy)`;
  }
  return { found: `HTML comes without ${lacking.join(' and ')} (${describeAnswer(answer)})`, ...advice };
}

/** Whether a client that takes gzip still gets the file as it is, with a strong ETag: ranges need both. */
export async function checkCompression(visit: Visit): Promise<Verdict> {
  const answer = await visit.download(htmlPage().name, { 'accept-encoding': 'gzip, br' });
  if (answer.status !== 200) return { skipped: `there is no page to look at: ${describeAnswer(answer)}` };
  const encoding = headerOf(answer, 'content-encoding');
  const etag = headerOf(answer, 'etag');
  if (encoding === '' && etag.startsWith('"')) return 'not compressed, with a strong ETag';
  const advice = {
    cause: 'the proxy compresses or filters, which takes size, ranges and the strong ETag from downloads',
    change: noFilters,
  };
  return {
    found: `HTML comes ${encoding === '' ? '' : `as ${encoding}, `}with ${etag === '' ? 'no ETag' : `the ETag ${etag}`}`,
    ...adviceOnDownload(answer, advice),
  };
}
