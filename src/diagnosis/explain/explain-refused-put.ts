/*
 * What the server sees of a path no answer tells. So a PUT that was refused is sent again with tokens for what the path
 * may have become on its way: the one that is accepted tells the mistake. Each stores a few bytes, which are removed.
 */
import { percentDecoded } from '../../upload/percent-decoded.js';
import type { UploadKey } from '../../upload/upload-key.js';
import { setClocks } from '../remote/check-clock.js';
import type { Answer } from '../remote/send-request.js';
import type { Advice, Problem } from '../remote/verdict.js';
import type { Sample, Signing, Visit } from '../remote/visit.js';
import { explainStatus, isFromFiler } from './explain-status.js';

/** A mistake under which another token would be right. */
interface Suspicion {
  readonly sample: Sample;
  readonly signing: Signing;
  readonly problem: Advice;
}

const passUnchanged = 'proxy_pass http://127.0.0.1:5050; without a path, $uri or a captured $1 behind it';
const yearMs = 365 * 24 * 60 * 60 * 1000;

function prefixSuspicions(visit: Visit, sample: Sample): Suspicion[] {
  const { url, baseSegments } = visit.settings;
  const own = baseSegments.map((segment) => `${segment}/`).join('');
  const prefixes = new Set([own, percentDecoded(url.pathname)?.slice(1) ?? '']);
  return [...prefixes]
    .filter((prefix) => prefix !== '')
    .map((prefix) => ({
      sample,
      signing: { key: `${prefix}${visit.slot}/${sample.name}` as UploadKey },
      problem:
        prefix === own
          ? {
              cause: `the prefix arrives doubled, as /${own}${prefix}: the proxy adds it to a path that has it`,
              change: passUnchanged,
            }
          : {
              cause: `uploadSubDir does not name the prefix ${prefix} that the URL has and the proxy passes on`,
              change: `uploadSubDir = "${prefix}"`,
            },
    }));
}

function encodingSuspicions(visit: Visit, sample: Sample): Suspicion[] {
  const mistakes = [
    { name: percentDecoded(sample.name), cause: 'the proxy decodes the path before it passes it on' },
    { name: encodeURIComponent(sample.name), cause: 'the proxy encodes the path once more' },
  ];
  return mistakes.flatMap(({ name, cause }) =>
    name === undefined || name === sample.name
      ? []
      : [{ sample, signing: { key: visit.keyOf(name) }, problem: { cause, change: passUnchanged } }],
  );
}

function querySuspicion(sample: Sample): Suspicion {
  const cause = 'the query with the token does not arrive: the proxy drops it';
  const change = `${passUnchanged}; where it must be, with $is_args$args at its end`;
  return { sample: { ...sample, scheme: 'bearer' }, signing: {}, problem: { cause, change } };
}

function clockSuspicion(sample: Sample): Suspicion {
  const cause = "the server's clock is wrong: it takes a token of this minute for expired";
  return { sample, signing: { now: Date.now() + yearMs }, problem: { cause, change: setClocks } };
}

/** A path or query that arrives in another way shows with v1, which is tried before the others. */
function suspicionsOf(visit: Visit, sample: Sample): Suspicion[] {
  if (sample.scheme === 'bearer' || sample.scheme === 'slot') return [clockSuspicion(sample)];
  if (sample.scheme !== 'v1') return [];
  return [...prefixSuspicions(visit, sample), ...encodingSuspicions(visit, sample), querySuspicion(sample)];
}

/**
 * Why a PUT was not answered with 201; `otherwise` is what a 403 of prosody-filer means if no suspicion holds.
 * Throws a NoAnswerError.
 */
export async function explainRefusedPut(
  visit: Visit,
  sample: Sample,
  answer: Answer,
  otherwise?: Advice,
): Promise<Problem> {
  const explained = explainStatus(answer);
  if (answer.status !== 403 || !isFromFiler(answer)) return explained;
  for (const { sample: other, signing, problem } of suspicionsOf(visit, sample)) {
    if ((await visit.put(other, signing)).status === 201) return { found: explained.found, ...problem };
  }
  return { ...explained, ...otherwise };
}
