import type { Asked, CORSRule, S3Options } from '../../storage/open-store.js';
import { downloadNeeds, missingFor, uploadNeeds } from '../cors.js';
import type { Verdict } from '../finding.js';
import { awsCommand } from './aws-command.js';

/** A rule allows the same headers for every method. A slot may name Authorization (XEP-0363 §5). */
const requestHeaders = ['Authorization', ...uploadNeeds.headers, 'Content-Length', ...downloadNeeds.headers];

function neededRule(takesUploads: boolean) {
  return {
    AllowedOrigins: ['*'],
    AllowedMethods: [...downloadNeeds.methods, ...(takesUploads ? uploadNeeds.methods : [])],
    // Players and libraries add headers of their own (X-Requested-With), and the store ignores those.
    AllowedHeaders: ['*'],
    ExposeHeaders: [...downloadNeeds.exposed],
    MaxAgeSeconds: 7200,
  };
}

function allows(rule: CORSRule, method: string): boolean {
  const { AllowedOrigins = [], AllowedMethods = [], AllowedHeaders = [], ExposeHeaders = [] } = rule;
  const { exposed } = uploadNeeds.methods.some((name) => name === method) ? uploadNeeds : downloadNeeds;
  const missing = missingFor(
    { methods: [method], headers: requestHeaders, exposed },
    {
      isForAllSites: AllowedOrigins.includes('*'),
      methods: AllowedMethods,
      // The service answers with the headers that were asked for.
      headers: AllowedHeaders.includes('*') ? requestHeaders : AllowedHeaders,
      exposed: ExposeHeaders,
    },
  );
  return missing.length === 0;
}

/** Whether pages of any site may fetch uploads from the bucket and, where slots lead to it, upload to it. */
export function checkCors(s3: S3Options, takesUploads: boolean, rules: Asked<readonly CORSRule[]>): Verdict {
  const needed = neededRule(takesUploads);
  const command = awsCommand(s3, 'put-bucket-cors --cors-configuration file://cors.json');
  const paste = JSON.stringify({ CORSRules: [needed] }, undefined, 2);
  if ('refusal' in rules) {
    const found = `The service does not tell this key the bucket's CORS rules, which web clients need (${rules.refusal}).`;
    const change = `Allow s3:GetBucketCORS to this key, or make sure of these rules: ${command}`;
    return { outcome: 'warning', found, change, paste };
  }
  const lacking = needed.AllowedMethods.filter((method) => !rules.value.some((rule) => allows(rule, method)));
  if (lacking.length === 0) return `The bucket's CORS rules let all sites use ${needed.AllowedMethods.join(', ')}.`;
  const fact =
    rules.value.length === 0
      ? 'The bucket has no CORS rules'
      : `No CORS rule of the bucket lets all sites use ${lacking.join(', ')} with all headers below`;
  const consequence = `web clients cannot ${takesUploads ? 'upload files or fetch them' : 'fetch uploads'}`;
  return {
    found: `${fact}, so ${consequence}.`,
    change: `Put these rules in place of the present rules: ${command}`,
    paste,
  };
}
