import type { Config } from '../../config/config.js';
import { type ErrorCode, FilerError } from '../../errors.js';
import { type InspectedBucket, inspectBucket, openStore, type S3Options } from '../../storage/open-store.js';
import { UploaderIds } from '../../upload/uploader.js';
import { judgeClock } from '../clock.js';
import { type Report, runCheck, type Verdict } from '../finding.js';
import { checkCors } from './check-s3-cors.js';
import { checkLifecycle, checkVersions } from './check-s3-lifecycle.js';
import { checkAccess, checkContent } from './check-s3-probe.js';
import { checkSlots } from './check-s3-slots.js';
import { withoutKey } from './without-key.js';

/** Bytes of the largest object that a single PUT can store. */
const maxObjectSize = 5 * 1024 ** 3;

/** The service refuses a signature that is 15 minutes old. */
const clockTolerance = { warnFromMs: 60_000, problemFromMs: 5 * 60_000 };

function checkSizes({ maxFileSize, component }: Config): Verdict[] {
  const sizes = { maxFileSize, 'component.maxFileSize': component?.maxFileSize };
  return Object.entries(sizes)
    .filter(([, size]) => size !== undefined && size > maxObjectSize)
    .map(([key]) => ({
      found: `${key} is more than 5 GiB. S3 stores no larger file, so prosody-filer answers such uploads with 413.`,
      change: `${key} = "5GiB"`,
    }));
}

async function checkClock({ url, getAnonymously }: InspectedBucket): Promise<Verdict> {
  const earliest = Date.now();
  const { date } = await getAnonymously(url);
  if (date === undefined) return { outcome: 'warning', found: 'The service does not tell its time (header Date).' };
  const reading = { what: 'The clock of the S3 service', time: date, earliest, latest: Date.now() };
  const cause = 'The clock of this host is wrong. From 15 minutes on the service refuses all requests.';
  return judgeClock([reading], clockTolerance, { cause, change: 'Set the clock of this host (NTP).' });
}

/** Whether only the key can list uploads: whoever knows the name of an upload can fetch it. */
async function checkListing({ url, getAnonymously }: InspectedBucket): Promise<Verdict> {
  const { status, body } = await getAnonymously(`${url}?list-type=2`);
  if (status !== 200 || !body.includes('<ListBucketResult'))
    return `Nobody can list uploads without the key (${status}).`;
  return {
    found: `Anybody can list the names of all uploads at ${url}. Whoever knows a name can fetch the upload.`,
    change: 'Take s3:ListBucket (in the policy of the bucket) or READ (in its ACL) away from everybody.',
  };
}

/** The bucket as clients see it: uploads that go there directly are also fetched there, if it has a public URL. */
function asSeenByClients(s3: S3Options, { component }: Config): S3Options {
  const isPastFiler = component?.upload === 'direct' && s3.publicUrl !== undefined;
  return isPastFiler ? { ...s3, download: 'public' } : s3;
}

/** What to do about a bucket that takes no uploads now, by the code of the error. */
const changes: Partial<Record<ErrorCode, string>> = {
  STORE_BUSY: 'Look whether the service runs, and compare s3.endpointUrl with its URL.',
  STORE_FULL: 'Make room in the bucket, or delete uploads: prosody-filer purge',
};
const rights = 's3:PutObject, s3:GetObject, s3:DeleteObject and s3:ListBucket';

function explainFailure({ code, message }: FilerError): Verdict {
  if (code === 'STORE_UNUSABLE') return { outcome: 'failure', found: withoutKey(message, 's3') };
  return { found: `Uploads would fail now: ${message}`, change: changes[code] ?? `Allow ${rights} to this key.` };
}

/** Checks a bucket that was opened. Throws a FilerError. */
async function examineOpened(config: Config, bucket: InspectedBucket, report: Report): Promise<void> {
  const { s3, settings } = bucket;
  const takesUploads = config.component?.upload === 'direct';
  const uploaderIds = new UploaderIds(config.secrets, config.jidInUrlDomain);
  const uploader = uploaderIds.idOf('check-config@localhost');
  const { store, warnings } = await openStore({ ...config, storeDir: undefined, s3, uploaderIds });
  await runCheck(report, 's3 bucket', () =>
    warnings.map((warning) => ({ outcome: 'warning', found: withoutKey(warning, 's3') }) as const),
  );
  await runCheck(report, 's3 bucket', () => checkContent(store, uploader));
  await runCheck(report, 's3 access', () => checkAccess(store, uploader, bucket));
  if (takesUploads || s3.download !== 'proxy') {
    await runCheck(report, 's3 CORS', async () => checkCors(s3, takesUploads, await settings.corsRules()));
  }
  await runCheck(report, 's3 lifecycle', async () => checkLifecycle(config, s3, await settings.lifecycleRules()));
  await runCheck(report, 's3 versions', async () => checkVersions(await settings.isVersioned()));
  if (takesUploads) await runCheck(report, 's3 slots', () => checkSlots(bucket));
}

/** Checks whether the bucket stores, returns and deletes uploads, and what it shows to others. */
export async function examineBucket(config: Config, s3: S3Options, report: Report): Promise<void> {
  await runCheck(report, 'maxFileSize', () => checkSizes(config));
  try {
    const bucket = await inspectBucket({ s3: asSeenByClients(s3, config), stallTimeoutMs: config.stallTimeoutMs });
    await runCheck(report, 's3 clock', () => checkClock(bucket));
    await runCheck(report, 's3 listing', () => checkListing(bucket));
    await examineOpened(config, bucket, report);
  } catch (error) {
    if (!(error instanceof FilerError)) throw error;
    await runCheck(report, 's3 service', () => explainFailure(error));
  }
}
