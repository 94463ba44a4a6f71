import { type CorsGrant, missingFor, uploadNeeds } from '../cors.js';
import { describeAnswer, explainStatus, isFromFiler } from '../explain/explain-status.js';
import type { Verdict } from '../finding.js';
import { type Answer, headerOf } from './send-request.js';
import { type Observation, type Visit, webClientOrigin } from './visit.js';

/** The items of a header that is a list. */
function listOf(answer: Answer, name: string): string[] {
  return headerOf(answer, name)
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

/** What a preflight and the answer to the request itself allow pages of this origin to do. */
export function grantIn(preflight: Answer, answer: Answer, origin: string): CorsGrant {
  const origins = [preflight, answer].map((each) => headerOf(each, 'access-control-allow-origin'));
  return {
    isForAllSites: origins.every((allowed) => allowed === '*' || allowed === origin),
    methods: listOf(preflight, 'access-control-allow-methods'),
    headers: listOf(preflight, 'access-control-allow-headers'),
    exposed: listOf(answer, 'access-control-expose-headers'),
  };
}

/** What web clients need to upload to the server, whose token may be a Bearer token. */
const serverNeeds = { ...uploadNeeds, headers: ['Authorization', ...uploadNeeds.headers] };

/** Checks that the preflight of a PUT succeeds (Fetch §4.8); `checkCors` checks its Access-Control-Allow-Origin. */
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
  const grant = { ...grantIn(answer, answer, webClientOrigin), isForAllSites: true };
  const lacking = missingFor(serverNeeds, grant);
  const found = describeAnswer(answer);
  if (lacking.length === 0) return `${found}. PUT, Authorization and Content-Type are allowed.`;
  const [cause, change] = isFromFiler(answer)
    ? [
        visit.settings.cors
          ? 'The proxy removes or replaces CORS headers.'
          : 'The configuration has cors = false, and the proxy adds no CORS headers.',
        'Set cors = true in the configuration, and remove all CORS directives from the proxy. Otherwise web clients cannot upload.',
      ]
    : [
        'The proxy answers OPTIONS itself.',
        `Remove ${visit.directives.refusing} and all rules for OPTIONS from this path, so that OPTIONS reaches prosody-filer.`,
      ];
  return { found: `${found}. It does not allow ${lacking.join(', ')}.`, cause, change };
}

function namesOf(observations: readonly Observation[]): string {
  return [...new Set(observations.map(({ what, answer }) => `${what} ${answer.status}`))].join(', ');
}

/**
 * Checks that pages of other sites can read each answer, also errors: it has exactly one Access-Control-Allow-Origin.
 * It skips refusals of the proxy, which other checks report.
 */
export function checkCors({
  observations,
  directives,
  settings: { cors },
}: Pick<Visit, 'observations' | 'settings' | 'directives'>): Verdict {
  const relevant = observations.filter(({ answer }) => answer.status < 300 || isFromFiler(answer));
  if (relevant.length === 0) return { skipped: 'There was no answer from prosody-filer.' };
  const origins = ({ answer }: Observation) => listOf(answer, 'access-control-allow-origin');
  const doubled = relevant.filter((observation) => origins(observation).length > 1);
  if (doubled.length > 0) {
    return {
      found: `Access-Control-Allow-Origin appears more than once on ${namesOf(doubled)}: browsers reject these answers.`,
      cause: 'Both prosody-filer and the proxy add it.',
      change: `Remove what adds Access-Control-… in the proxy (${directives.addingHeaders}), or set cors = false.`,
    };
  }
  const missing = relevant.filter((observation) => origins(observation).length === 0);
  if (missing.length === 0) return `Each of ${relevant.length} answers has one Access-Control-Allow-Origin.`;
  const [cause, change] = cors
    ? [
        `The proxy removes it (${directives.removingHeaders}), or answers itself.`,
        'Remove what removes Access-Control-… in the proxy, and pass all requests on to prosody-filer.',
      ]
    : [
        'The configuration has cors = false, and the proxy does not add it, or not to errors (in nginx, add_header without always).',
        "Set cors = true, and remove the proxy's own CORS headers.",
      ];
  const found = `Access-Control-Allow-Origin is missing on ${namesOf(missing)}: web clients cannot read these answers.`;
  return { found, cause, change };
}
