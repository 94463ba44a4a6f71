import type { Config } from '../../config/config.js';
import { FilerError } from '../../errors.js';
import { type AnonymousAnswer, BucketInspector, bucketUrl, getAnonymously } from '../../storage/s3/inspect-bucket.js';
import { openBucket, openS3Store } from '../../storage/s3/open-s3-store.js';
import type { S3Options } from '../../storage/s3/s3-options.js';
import { UploaderIds } from '../../upload/uploader.js';
import type { Check } from './check.js';
import { checkCors } from './check-s3-cors.js';
import { checkLifecycle, checkVersions } from './check-s3-lifecycle.js';
import { checkProbe } from './check-s3-probe.js';
import { checkSlots } from './check-s3-slots.js';

/** What a single PUT may bring. */
const maxObjectSize = 5 * 1024 ** 3;

/** A signature is refused when it is 15 minutes old. */
const maxSkewMs = 5 * 60_000;
const noticedSkewMs = 60_000;

function checkSizes({ maxFileSize, component }: Config): Check[] {
  const sizes = { maxFileSize, 'component.maxFileSize': component?.maxFileSize };
  return Object.entries(sizes)
    .filter(([, size]) => size !== undefined && size > maxObjectSize)
    .map(([key]) => ({
      verdict: 'problem',
      message: `${key}: S3 takes files of up to 5 GiB, larger ones are 413 whatever stands here: lower it to "5GiB"`,
    }));
}

function checkClock({ aheadMs }: AnonymousAnswer): Check {
  if (aheadMs === undefined) return { verdict: 'warning', message: 's3: the service does not tell its time' };
  const seconds = Math.abs(aheadMs) / 1000;
  if (Math.abs(aheadMs) < noticedSkewMs)
    return { verdict: 'ok', message: "s3: the service's clock and this one agree" };
  const found = `the service's clock is ${seconds} s ${aheadMs > 0 ? 'ahead of' : 'behind'} this one`;
  const message = `s3: ${found}, and from 15 minutes on it refuses all requests: set the clock of this host (NTP)`;
  return { verdict: Math.abs(aheadMs) < maxSkewMs ? 'warning' : 'problem', message };
}

/** Nobody may learn the names of uploads, which are all that protects them. */
function checkListing({ status, body }: AnonymousAnswer, url: string): Check {
  if (status !== 200 || !body.includes('<ListBucketResult')) {
    return { verdict: 'ok', message: `s3: without the key nobody can list what is stored (${status})` };
  }
  const change = 'take s3:ListBucket, or the READ of its ACL, from everybody';
  return { verdict: 'problem', message: `s3: anybody can list what is stored, at ${url}: ${change}` };
}

/** Where clients fetch uploads: those past this program are fetched past it, too, if they can be. */
function asSeenByClients(s3: S3Options, { component }: Config): S3Options {
  const isPastFiler = component?.upload === 'direct' && s3.publicUrl !== undefined;
  return isPastFiler ? { ...s3, download: 'public' } : s3;
}

async function inspect(config: Config, s3: S3Options): Promise<Check[]> {
  const inspector = new BucketInspector(s3);
  const takesUploads = config.component?.upload === 'direct';
  const isForPages = takesUploads || s3.download !== 'proxy';
  const rules = await inspector.lifecycleRules();
  return [
    ...(isForPages ? [checkCors(s3, takesUploads, await inspector.corsRules())] : []),
    checkLifecycle(config, s3, rules),
    checkVersions(await inspector.isVersioned()),
  ];
}

function describeFailure({ code, message }: FilerError): Check {
  if (code === 'STORE_UNUSABLE') return { verdict: 'failure', message };
  const rights = 's3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket';
  const advice = code === 'STORE_REFUSED' ? `: allow ${rights} to this key` : '';
  return { verdict: 'problem', message: `s3: uploads would fail now, ${message}${advice}` };
}

/** Whether the bucket takes, gives and deletes uploads, and shows to others what it should and no more. */
export async function checkS3(config: Config, s3: S3Options): Promise<Check[]> {
  const checks = checkSizes(config);
  try {
    const url = await bucketUrl(s3);
    const listing = await getAnonymously(`${url}?list-type=2`);
    checks.push(checkClock(listing), checkListing(listing, url));
    const { stallTimeoutMs } = config;
    const seen = asSeenByClients(s3, config);
    const uploaderIds = new UploaderIds(config.secrets);
    const { store, warnings } = await openS3Store({ s3: seen, stallTimeoutMs, uploaderIds });
    checks.push(...warnings.map((message) => ({ verdict: 'warning', message }) as const));
    checks.push(
      ...(await checkProbe(store, seen, url, uploaderIds.idOf('check-config@localhost'))),
      ...(await inspect(config, seen)),
    );
    if (config.component?.upload === 'direct') {
      checks.push(await checkSlots(openBucket({ s3, stallTimeoutMs }), s3, url));
    }
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    checks.push(describeFailure(error));
  }
  return checks;
}
