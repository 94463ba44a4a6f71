import type { Config } from '../../config/config.js';
import type { Asked, LifecycleRule, S3Options } from '../../storage/open-store.js';
import { dayMs } from '../../units.js';
import type { Advice, Verdict } from '../finding.js';
import { awsCommand } from './aws-command.js';

const abortAfterDays = 7;

const never = Number.POSITIVE_INFINITY;

/** For how many days each setting keeps objects. */
function keptDays({ retention: { expiresAfterMs = never, rules }, replayWindowMs }: Config) {
  return [
    { what: 'expiresAfter keeps uploads', days: expiresAfterMs / dayMs },
    ...rules.map((rule) => ({ what: '[[retention]] keeps uploads', days: (rule.expiresAfterMs ?? never) / dayMs })),
    { what: 'replayWindow keeps tombstones of deleted uploads', days: replayWindowMs / dayMs },
  ];
}

/** After how many days the rule deletes objects below the path. */
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

/** The rule that fits the settings, and how to put it into the bucket. */
function advise(s3: S3Options, longestDays: number): Advice {
  if (longestDays === never)
    return { change: 'Without expiresAfter, no rule may delete uploads. Remove rules that do.' };
  const operation = 'put-bucket-lifecycle-configuration --lifecycle-configuration file://lifecycle.json';
  const change = `Put this rule in place of all present rules: ${awsCommand(s3, operation)}`;
  return { change, paste: configurationFor(s3.path, Math.ceil(longestDays)) };
}

function describeDays(days: number): string {
  return days === never ? 'for ever' : `for ${Number(days.toFixed(2))} days`;
}

/** Whether the service deletes by itself only objects that no setting keeps any longer; else the rule that fits. */
export function checkLifecycle(config: Config, s3: S3Options, asked: Asked<readonly LifecycleRule[]>): Verdict {
  const kept = keptDays(config);
  const longest = Math.max(...kept.map(({ days }) => days));
  const advice = advise(s3, longest);
  if ('refusal' in asked) {
    const found = `The service does not tell this key the bucket's lifecycle rules (${asked.refusal}).`;
    const change = `Allow s3:GetLifecycleConfiguration to this key, or look at the rules. ${advice.change}`;
    return { outcome: 'warning', found, ...advice, change };
  }
  const deletions = asked.value.map((rule) => ({ id: rule.ID ?? '', days: deletionDays(rule, s3.path) }));
  const earliest = deletions.reduce((a, b) => (b.days < a.days ? b : a), { id: '', days: never });
  if (earliest.days === never) {
    const found = 'No lifecycle rule of the bucket deletes uploads. The sweep of prosody-filer does.';
    if (longest === never) return 'No lifecycle rule of the bucket deletes uploads.';
    return { outcome: 'ok', found, ...advice, change: `If the service is to delete them too: ${advice.change}` };
  }
  const found = `The bucket's lifecycle rule "${earliest.id}" deletes objects after ${earliest.days} days`;
  if (earliest.days >= longest) return `${found}, when no setting keeps them any longer.`;
  const reasons = kept
    .filter(({ days }) => days > earliest.days)
    .map(({ what, days }) => `${what} ${describeDays(days)}`);
  return { found: `${found}, but ${reasons.join(', ')}.`, ...advice };
}

/** Whether deleted objects leave no versions. */
export function checkVersions(asked: Asked<boolean>): Verdict {
  const change = 'Suspend versioning, or let a lifecycle rule delete noncurrent versions.';
  if ('refusal' in asked) {
    const found = `The service does not tell this key whether the bucket is versioned (${asked.refusal}).`;
    const consequence = 'In a versioned bucket deleted uploads stay as versions.';
    const allowed = `Allow s3:GetBucketVersioning to this key, or look yourself. If the bucket is versioned: ${change}`;
    return { outcome: 'warning', found: `${found} ${consequence}`, change: allowed };
  }
  if (!asked.value) return 'Deleted uploads leave no versions in the bucket.';
  return { outcome: 'warning', found: 'The bucket is versioned, so deleted uploads stay as versions.', change };
}
