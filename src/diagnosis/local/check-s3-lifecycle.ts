import type { Config } from '../../config/config.js';
import type { Asked, LifecycleRule } from '../../storage/s3/inspect-bucket.js';
import type { S3Options } from '../../storage/s3/s3-options.js';
import { awsCommand } from './aws-command.js';
import type { Check } from './check.js';

const dayMs = 24 * 60 * 60 * 1000;
const abortAfterDays = 7;

const never = Number.POSITIVE_INFINITY;

/** How long objects have to stay, in days, by what says so. */
function keptDays({ retention: { expiresAfterMs = never, rules }, replayWindowMs }: Config) {
  return [
    { what: 'expiresAfter keeps uploads', days: expiresAfterMs / dayMs },
    ...rules.map((rule) => ({ what: '[[retention]] keeps uploads', days: rule.expiresAfterMs / dayMs })),
    { what: 'replayWindow keeps the traces of deleted ones', days: replayWindowMs / dayMs },
  ];
}

/** After how many days the rule deletes what this program writes below the path. */
function deletionDays({ Status, Expiration, Filter, Prefix }: LifecycleRule, path: string): number {
  const prefix = Filter?.Prefix ?? Filter?.And?.Prefix ?? Prefix ?? '';
  const isElsewhere = !prefix.startsWith(path) && !path.startsWith(prefix);
  const isForTagged = Filter?.Tag !== undefined || Filter?.And?.Tags !== undefined;
  if (Status !== 'Enabled' || isElsewhere || isForTagged) return never;
  return Expiration?.Date === undefined ? (Expiration?.Days ?? never) : 0;
}

function configurationFor(path: string, days: number) {
  const rule = {
    ID: 'prosody-filer',
    Status: 'Enabled',
    Filter: { Prefix: path },
    Expiration: { Days: days },
    AbortIncompleteMultipartUpload: { DaysAfterInitiation: abortAfterDays },
  };
  return JSON.stringify({ Rules: [rule] }, undefined, 2);
}

/** What the bucket could delete by itself, and how it is told so. */
function advise(s3: S3Options, longestDays: number): { readonly change: string; readonly paste?: string } {
  if (longestDays === never) return { change: 'without expiresAfter none may delete uploads, so remove what does' };
  const operation = 'put-bucket-lifecycle-configuration --lifecycle-configuration file://lifecycle.json';
  const change = `this one is right, put in place of all that are there by ${awsCommand(s3, operation)}`;
  return { change, paste: configurationFor(s3.path, Math.ceil(longestDays)) };
}

function describeDays(days: number): string {
  return days === never ? 'for ever' : `for ${Number(days.toFixed(2))} days`;
}

/** Whether what the bucket deletes by itself has stayed for as long as the settings say, and what it could delete. */
export function checkLifecycle(config: Config, s3: S3Options, asked: Asked<readonly LifecycleRule[]>): Check {
  const kept = keptDays(config);
  const longest = Math.max(...kept.map(({ days }) => days));
  const { change, ...pasted } = advise(s3, longest);
  if ('refusal' in asked) {
    const found = `the service does not tell this key the bucket's lifecycle rules (${asked.refusal})`;
    return { verdict: 'warning', message: `s3: ${found}: ${change}`, ...pasted };
  }
  const deletions = asked.value.map((rule) => ({ id: rule.ID ?? '', days: deletionDays(rule, s3.path) }));
  const earliest = deletions.reduce((a, b) => (b.days < a.days ? b : a), { id: '', days: never });
  if (earliest.days === never) {
    const found = 's3: no lifecycle rule of the bucket deletes uploads';
    const message =
      pasted.paste === undefined ? found : `${found}, the sweep does; if the service is to do it too, ${change}`;
    return { verdict: 'ok', message, ...pasted };
  }
  const found = `s3: the bucket's lifecycle rule "${earliest.id}" deletes after ${earliest.days} days`;
  if (earliest.days >= longest) return { verdict: 'ok', message: `${found}, when all is over` };
  const reasons = kept
    .filter(({ days }) => days > earliest.days)
    .map(({ what, days }) => `${what} ${describeDays(days)}`);
  return { verdict: 'problem', message: `${found}, but ${reasons.join(', ')}: ${change}`, ...pasted };
}

/** Whether what is deleted is gone. */
export function checkVersions(asked: Asked<boolean>): Check {
  if ('refusal' in asked) {
    const found = `the service does not tell this key whether the bucket is versioned (${asked.refusal})`;
    return { verdict: 'warning', message: `s3: ${found}: if it is, deleted uploads stay as versions` };
  }
  if (!asked.value) return { verdict: 'ok', message: 's3: what is deleted leaves no version in the bucket' };
  const change = 'suspend versioning, or have a lifecycle rule delete noncurrent versions';
  return { verdict: 'warning', message: `s3: the bucket is versioned, so deleted uploads stay as versions: ${change}` };
}
