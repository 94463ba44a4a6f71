import { randomBytes } from 'node:crypto';
import type { TokenScheme } from '../../token/sign-token.js';
import { explainDownload } from '../explain/explain-download.js';
import { explainRefusedPut } from '../explain/explain-refused-put.js';
import type { Advice, Problem, Verdict } from './verdict.js';
import type { Sample, Visit } from './visit.js';

const contentTypeChanged: Advice = {
  cause: 'the secret is right, so the Content-Type does not arrive as it was sent: the proxy changes it',
  change: 'remove proxy_set_header Content-Type',
};

const otherwise: Readonly<Record<TokenScheme, Advice | undefined>> = {
  v1: undefined,
  v2: contentTypeChanged,
  token: contentTypeChanged,
  bearer: {
    cause: 'the secret is right, so the Authorization header does not arrive: the proxy drops or replaces it',
    change: 'remove proxy_set_header Authorization',
  },
  slot: {
    cause:
      'the secret is right, so the query of some 400 characters does not arrive whole: the proxy cuts or filters it',
    change: 'let the proxy pass queries on as they are, without a limit to their length',
  },
};

/** The Bearer token's type alone is not that of the name, which a proxy goes by that sends files by itself. */
const files: Readonly<Record<TokenScheme, Pick<Sample, 'name' | 'contentType'>>> = {
  v1: { name: 'v1.txt', contentType: 'text/plain' },
  v2: { name: 'v2.png', contentType: 'image/png' },
  token: { name: 'token.pdf', contentType: 'application/pdf' },
  bearer: { name: 'bearer.bin', contentType: 'audio/ogg' },
  slot: { name: 'slot.webp', contentType: 'image/webp' },
};

/** The small file that is uploaded by a scheme. */
export function sampleOf(scheme: TokenScheme): Sample {
  return { scheme, ...files[scheme], body: Buffer.from('0123456789'.repeat(200)) };
}

/** Whether a file is taken by its v1 token, which signs path and size only. */
export async function checkUpload(visit: Visit): Promise<Verdict> {
  const sample = sampleOf('v1');
  const answer = await visit.put(sample);
  return answer.status === 201
    ? `201 after ${Math.round(answer.durationMs)} ms`
    : explainRefusedPut(visit, sample, answer);
}

/** What is wrong with uploading a sample and getting it back. Throws a NoAnswerError. */
async function findProblem(visit: Visit, sample: Sample): Promise<Problem | undefined> {
  const answer = await visit.put(sample);
  if (answer.status !== 201) return explainRefusedPut(visit, sample, answer, otherwise[sample.scheme]);
  return explainDownload(sample, await visit.download(sample.name));
}

/** A check whether a file that a scheme's token allows is taken and comes back as it was sent. */
export function checkScheme(scheme: TokenScheme): (visit: Visit) => Promise<Verdict> {
  return async (visit) => (await findProblem(visit, sampleOf(scheme))) ?? '201, and it comes back as it was sent';
}

/** Names with what proxies like to decode, to encode or to cut at; the first one tells the most if it is refused. */
const unusualNames = ['%41 percent.jpg', 'a+b&c=d;e.jpg', 'two  spaces.jpg', 'hash#mark?.jpg', '日本 résumé.jpg'];

/** Whether names reach the server as they were encoded. */
export async function checkNames(visit: Visit): Promise<Verdict> {
  const problems: { name: string; problem: Problem }[] = [];
  for (const name of unusualNames) {
    const sample: Sample = { scheme: 'v1', name, contentType: 'image/jpeg', body: Buffer.from(name) };
    const problem = await findProblem(visit, sample);
    if (problem !== undefined) problems.push({ name, problem });
  }
  const [first] = problems;
  if (first === undefined) return `${unusualNames.length} names with %, +, &, #, ?, spaces and UTF-8`;
  const found = problems.map(({ name, problem }) => `"${name}": ${problem.found}`).join('; ');
  return { ...first.problem, found };
}

/** Whether the slot of an upload is refused to a second one. */
export async function checkSecondPut(visit: Visit): Promise<Verdict> {
  const { status } = await visit.put(sampleOf('v1'));
  if (status === 409) return '409, nothing is overwritten';
  return {
    found: `a second PUT to the same URL is ${status} in place of 409`,
    cause: 'another server than prosody-filer takes the uploads, such as the WebDAV module of nginx',
    change: 'proxy_pass in the location of the URL, no dav_methods',
  };
}

/** Whether a file of 20 MB, or of maxFileSize if that is less, goes in and out. */
export async function checkLargeFile(visit: Visit): Promise<Verdict> {
  const size = Math.min(20_000_000, visit.settings.maxFileSize ?? Number.POSITIVE_INFINITY);
  const sample: Sample = { scheme: 'v1', name: 'large.mp4', contentType: 'video/mp4', body: randomBytes(size) };
  const put = await visit.put(sample);
  if (put.status !== 201) {
    const { found, ...advice } = await explainRefusedPut(visit, sample, put);
    return { found: `${size} bytes: ${found}`, ...advice };
  }
  const get = await visit.download(sample.name);
  const seconds = (durationMs: number) => `${(durationMs / 1000).toFixed(2)} s`;
  return (
    explainDownload(sample, get) ?? `${size} bytes up in ${seconds(put.durationMs)}, down in ${seconds(get.durationMs)}`
  );
}
