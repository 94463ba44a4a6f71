import { describeAnswer, explainStatus, isFromFiler } from '../explain/explain-status.js';
import { type Answer, headerOf } from './send-request.js';
import type { Verdict } from './verdict.js';
import type { Observation, Visit } from './visit.js';

/** The items of a header that is a list, in lower case. */
export function listOf(answer: Answer, name: string): string[] {
  return headerOf(answer, name)
    .toLowerCase()
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** Whether the preflight of a PUT is allowed (Fetch §4.8); its Access-Control-Allow-Origin is `checkCors`'s. */
export async function checkPreflight(visit: Visit): Promise<Verdict> {
  const answer = await visit.send('OPTIONS', {
    method: 'OPTIONS',
    target: visit.targetOf(visit.keyOf('preflight.txt')),
    headers: {
      'access-control-request-method': 'PUT',
      'access-control-request-headers': 'authorization,content-type',
    },
  });
  if (answer.status >= 300) return explainStatus(answer);
  const methods = listOf(answer, 'access-control-allow-methods');
  const headers = listOf(answer, 'access-control-allow-headers');
  const lacking = [
    ...(methods.includes('put') ? [] : ['the method PUT']),
    ...['authorization', 'content-type'].filter((name) => !headers.includes(name)).map((name) => `the header ${name}`),
  ];
  const found = describeAnswer(answer);
  if (lacking.length === 0) return `${found}, it allows PUT, Authorization and Content-Type`;
  const [cause, change] = isFromFiler(answer)
    ? [
        visit.settings.cors ? 'the proxy removes or replaces CORS headers' : 'cors = false, and the proxy adds none',
        'cors = true in the configuration, and no CORS headers in the proxy: web clients cannot upload',
      ]
    : [
        'the proxy answers OPTIONS by itself',
        'let OPTIONS through to prosody-filer: no limit_except, no if ($request_method = OPTIONS)',
      ];
  return { found: `${found}, it does not allow ${lacking.join(', ')}`, cause, change };
}

function namesOf(observations: readonly Observation[]): string {
  return [...new Set(observations.map(({ what, answer }) => `${what} ${answer.status}`))].join(', ');
}

/**
 * Whether each answer lets a page of another site read it: one Access-Control-Allow-Origin, also on errors.
 * What a proxy refuses by itself is left to the check that met it.
 */
export function checkCors({ observations, settings: { cors } }: Pick<Visit, 'observations' | 'settings'>): Verdict {
  const relevant = observations.filter(({ answer }) => answer.status < 300 || isFromFiler(answer));
  if (relevant.length === 0) return { skipped: 'prosody-filer answered nothing' };
  const origins = ({ answer }: Observation) => listOf(answer, 'access-control-allow-origin');
  const doubled = relevant.filter((observation) => origins(observation).length > 1);
  if (doubled.length > 0) {
    return {
      found: `Access-Control-Allow-Origin is doubled on ${namesOf(doubled)}: browsers refuse the answer`,
      cause: 'both prosody-filer and the proxy add it',
      change: "remove the proxy's add_header Access-Control-…, or set cors = false",
    };
  }
  const missing = relevant.filter((observation) => origins(observation).length === 0);
  if (missing.length === 0) return `one Access-Control-Allow-Origin on each of ${relevant.length} answers`;
  const [cause, change] = cors
    ? ['the proxy removes it (proxy_hide_header), or answers by itself', 'let answers through as they are']
    : [
        'cors = false, and the proxy does not add it, or not to errors (add_header without always)',
        "cors = true, without the proxy's own CORS headers",
      ];
  const found = `Access-Control-Allow-Origin is missing on ${namesOf(missing)}: web clients cannot read the answer`;
  return { found, cause, change };
}
