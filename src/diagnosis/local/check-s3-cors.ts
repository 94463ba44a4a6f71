import type { Asked, CORSRule } from '../../storage/s3/inspect-bucket.js';
import type { S3Options } from '../../storage/s3/s3-options.js';
import { awsCommand } from './aws-command.js';
import type { Check } from './check.js';

const fetching = ['GET', 'HEAD'];
const requestHeaders = ['Authorization', 'Content-Type', 'Content-Length', 'Range'];
const exposedHeaders = ['Content-Length', 'Content-Range', 'ETag'];

/** What web clients need: after a redirect their origin is `null` (Fetch §4.4), so it must be all of them. */
function neededRule(takesUploads: boolean) {
  return {
    AllowedOrigins: ['*'],
    AllowedMethods: takesUploads ? [...fetching, 'PUT'] : fetching,
    AllowedHeaders: requestHeaders,
    ExposeHeaders: exposedHeaders,
    MaxAgeSeconds: 7200,
  };
}

function hasAll(given: readonly string[] | undefined, needed: readonly string[]): boolean {
  const names = new Set(given?.map((name) => name.toLowerCase()));
  return names.has('*') || needed.every((name) => names.has(name.toLowerCase()));
}

function allows(rule: CORSRule, method: string): boolean {
  return (
    hasAll(rule.AllowedOrigins, ['*']) &&
    hasAll(rule.AllowedMethods, [method]) &&
    hasAll(rule.AllowedHeaders, requestHeaders) &&
    (!fetching.includes(method) || hasAll(rule.ExposeHeaders, exposedHeaders))
  );
}

/** Whether pages of any site may fetch uploads from the bucket, and upload to it where they are to. */
export function checkCors(s3: S3Options, takesUploads: boolean, rules: Asked<readonly CORSRule[]>): Check {
  const needed = neededRule(takesUploads);
  const command = awsCommand(s3, 'put-bucket-cors --cors-configuration file://cors.json');
  const paste = JSON.stringify({ CORSRules: [needed] }, undefined, 2);
  if ('refusal' in rules) {
    const found = `the service does not tell this key the bucket's CORS rules (${rules.refusal})`;
    return { verdict: 'warning', message: `s3: ${found}: web clients need these, by ${command}`, paste };
  }
  const lacking = needed.AllowedMethods.filter((method) => !rules.value.some((rule) => allows(rule, method)));
  const methods = needed.AllowedMethods.join(', ');
  if (lacking.length === 0)
    return { verdict: 'ok', message: `s3: the bucket's CORS rules let all sites use ${methods}` };
  const found =
    rules.value.length === 0
      ? 'the bucket has no CORS rules'
      : `no CORS rule of the bucket lets all sites use ${lacking.join(', ')} with all headers of these`;
  const message = `s3: ${found}, so web clients fail: put these in place of those that are there, by ${command}`;
  return { verdict: 'problem', message, paste };
}
