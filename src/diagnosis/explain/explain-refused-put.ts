/*
 * No answer shows which path reached prosody-filer. So the doctor repeats a refused PUT with tokens for the paths that a
 * proxy may have made of it: the token that prosody-filer accepts shows the mistake. An accepted PUT stores a few bytes,
 * which the doctor removes at the end.
 */
import { yearMs } from '../../units.js';
import { percentDecoded } from '../../upload/percent-decoded.js';
import type { UploadKey } from '../../upload/upload-key.js';
import type { Advice, Problem } from '../finding.js';
import { setClocks } from '../remote/check-clock.js';
import type { Answer } from '../remote/send-request.js';
import type { Sample, Signing, Visit } from '../remote/visit.js';
import { explainStatus, isFromFiler } from './explain-status.js';

/** A possible mistake in the set-up, and the token that prosody-filer would then accept. */
interface Suspicion {
  readonly sample: Sample;
  readonly signing: Signing;
  readonly problem: Advice;
}

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
              cause: `The prefix arrives twice, as /${own}${prefix}: the proxy adds it to a path that already has it.`,
              change: visit.directives.passUnchanged,
            }
          : {
              cause: `uploadSubDir lacks the prefix ${prefix}, which the URL has and the proxy passes on.`,
              change: `Set uploadSubDir = "${prefix}" and restart prosody-filer.`,
            },
    }));
}

function encodingSuspicions(visit: Visit, sample: Sample): Suspicion[] {
  const mistakes = [
    { name: percentDecoded(sample.name), cause: 'The proxy decodes the path before it passes it on.' },
    { name: encodeURIComponent(sample.name), cause: 'The proxy encodes the path a second time.' },
  ];
  return mistakes.flatMap(({ name, cause }) =>
    name === undefined || name === sample.name
      ? []
      : [{ sample, signing: { key: visit.keyOf(name) }, problem: { cause, change: visit.directives.passUnchanged } }],
  );
}

function querySuspicion(visit: Visit, sample: Sample): Suspicion {
  const cause = 'The proxy drops the query, which holds the token.';
  const inPath = visit.proxy === 'nginx' ? ' If you need a path there, end it with $is_args$args.' : '';
  const change = visit.directives.passUnchanged + inPath;
  return { sample: { ...sample, scheme: 'bearer' }, signing: {}, problem: { cause, change } };
}

function clockSuspicion(sample: Sample): Suspicion {
  const cause = "The server's clock is wrong: it treats a token of this minute as expired.";
  return { sample, signing: { now: Date.now() + yearMs }, problem: { cause, change: setClocks } };
}

/** Only v1 is tried for a changed path or query: its check runs before those of the other schemes. */
function suspicionsOf(visit: Visit, sample: Sample): Suspicion[] {
  if (sample.scheme === 'bearer' || sample.scheme === 'slot') return [clockSuspicion(sample)];
  if (sample.scheme !== 'v1') return [];
  return [...prefixSuspicions(visit, sample), ...encodingSuspicions(visit, sample), querySuspicion(visit, sample)];
}

/**
 * Explains why a PUT did not get 201; `otherwise` explains a 403 from prosody-filer if no suspicion is confirmed.
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
