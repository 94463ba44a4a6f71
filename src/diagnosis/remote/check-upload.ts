import { randomBytes } from 'node:crypto';
import type { TokenScheme } from '../../token/sign-token.js';
import { explainDownload } from '../explain/explain-download.js';
import { explainRefusedPut } from '../explain/explain-refused-put.js';
import { describeAnswer } from '../explain/explain-status.js';
import type { Directives } from '../explain/proxies.js';
import type { Advice, Problem, Verdict } from '../finding.js';
import type { Answer } from './send-request.js';
import type { Sample, Visit } from './visit.js';

function contentTypeChanged({ settingRequestHeaders }: Directives): Advice {
  return {
    cause: 'The proxy changes the Content-Type, which this token signs. The secret is right.',
    change: `Remove what sets Content-Type in the proxy (${settingRequestHeaders}).`,
  };
}

const otherwise = (proxy: Directives): Readonly<Record<TokenScheme, Advice | undefined>> => ({
  v1: undefined,
  v2: contentTypeChanged(proxy),
  token: contentTypeChanged(proxy),
  bearer: {
    cause: 'The proxy drops or replaces the Authorization header. The secret is right.',
    change: `Remove what sets Authorization in the proxy (${proxy.settingRequestHeaders}).`,
  },
  slot: {
    cause: 'The proxy cuts or filters the query, which has about 400 characters. The secret is right.',
    change:
      'Make the proxy pass on long queries unchanged. Look for a firewall module or a limit on the length of URLs.',
  },
});

/** Only the Bearer sample has a type that differs from its name's: a proxy that serves files itself would get it wrong. */
const files: Readonly<Record<TokenScheme, Pick<Sample, 'name' | 'contentType'>>> = {
  v1: { name: 'v1.txt', contentType: 'text/plain' },
  v2: { name: 'v2.png', contentType: 'image/png' },
  token: { name: 'token.pdf', contentType: 'application/pdf' },
  bearer: { name: 'bearer.bin', contentType: 'audio/ogg' },
  slot: { name: 'slot.webp', contentType: 'image/webp' },
};

/** The small file that the doctor uploads with a token of this scheme. */
export function sampleOf(scheme: TokenScheme): Sample {
  return { scheme, ...files[scheme], body: Buffer.from('0123456789'.repeat(200)) };
}

/** Checks that an upload with a v1 token, which signs path and size only, gets 201. */
export async function checkUpload(visit: Visit): Promise<Verdict> {
  const sample = sampleOf('v1');
  const answer = await visit.put(sample);
  return answer.status === 201
    ? `201 after ${Math.round(answer.durationMs)} ms.`
    : explainRefusedPut(visit, sample, answer);
}

/** Uploads and downloads a sample; `undefined` if it comes back unchanged. Throws a NoAnswerError. */
async function findProblem(visit: Visit, sample: Sample): Promise<Problem | undefined> {
  const answer = await visit.put(sample);
  if (answer.status !== 201)
    return explainRefusedPut(visit, sample, answer, otherwise(visit.directives)[sample.scheme]);
  return explainDownload(sample, await visit.download(sample.name));
}

/** Makes a check that uploads a file with a token of this scheme and downloads it unchanged. */
export function checkScheme(scheme: TokenScheme): (visit: Visit) => Promise<Verdict> {
  return async (visit) => (await findProblem(visit, sampleOf(scheme))) ?? '201, and the download equals the upload.';
}

/** Names with characters that proxies decode, encode or cut at; a refusal of the first one tells most. */
const unusualNames = ['%41 percent.jpg', 'a+b&c=d;e.jpg', 'two  spaces.jpg', 'hash#mark?.jpg', '日本 résumé.jpg'];

/** Nearly as many bytes as a name can have, and three times as many in a URL. */
const longName = `${'д'.repeat(125)}.jpg`;

/** Checks that unusual file names reach prosody-filer unchanged. */
export async function checkNames(visit: Visit): Promise<Verdict> {
  const problems: { name: string; problem: Problem }[] = [];
  for (const name of [...unusualNames, longName]) {
    const sample: Sample = { scheme: 'v1', name, contentType: 'image/jpeg', body: Buffer.from(name) };
    const problem = await findProblem(visit, sample);
    if (problem !== undefined) problems.push({ name, problem });
  }
  const [first] = problems;
  if (first === undefined) {
    const others = `${unusualNames.length} names with %, +, &, #, ?, spaces and UTF-8`;
    return `${others} and one of 254 bytes arrive unchanged. Names over 255 bytes get 414.`;
  }
  const found = problems.map(({ name, problem }) => `"${name}": ${problem.found}`).join(' ');
  return { ...first.problem, found };
}

/** Checks that a second PUT to the same slot is refused. */
export async function checkSecondPut(visit: Visit): Promise<Verdict> {
  const { status } = await visit.put(sampleOf('v1'));
  if (status === 409) return '409, so uploads are not overwritten.';
  return {
    found: `A second PUT to the same URL got ${status} instead of 409.`,
    cause: 'Another server than prosody-filer accepts the uploads, such as the WebDAV module of nginx.',
    change: `Set ${visit.directives.address} for the path of the URL (in nginx, without dav_methods).`,
  };
}

/** A small upload has arrived, so prosody-filer runs: Caddy and Apache answer so too if they end an upload themselves. */
function explainBadGateway({ directives }: Visit, answer: Answer): Problem {
  return {
    found: `${describeAnswer(answer)}.`,
    cause: 'Small uploads arrive, but the proxy ends this one: by a body limit or a time limit of its own.',
    change: `${directives.noBodyLimit} ${directives.waitForClient}`,
  };
}

/** Checks upload and download of a file of 20 MB, or of maxFileSize if that is less. */
export async function checkLargeFile(visit: Visit): Promise<Verdict> {
  const size = Math.min(20_000_000, visit.settings.maxFileSize ?? Number.POSITIVE_INFINITY);
  const sample: Sample = { scheme: 'v1', name: 'large.mp4', contentType: 'video/mp4', body: randomBytes(size) };
  const put = await visit.put(sample);
  if (put.status !== 201) {
    const { found, ...advice } =
      put.status === 502 ? explainBadGateway(visit, put) : await explainRefusedPut(visit, sample, put);
    return { found: `An upload of ${size} bytes got ${found}`, ...advice };
  }
  const get = await visit.download(sample.name);
  const seconds = (durationMs: number) => `${(durationMs / 1000).toFixed(2)} s`;
  return (
    explainDownload(sample, get) ??
    `${size} bytes up in ${seconds(put.durationMs)}, down in ${seconds(get.durationMs)}.`
  );
}
