import { explainNoAnswer } from '../explain/explain-no-answer.js';
import { checkBuffering } from './check-buffering.js';
import { checkClock } from './check-clock.js';
import { checkConnection, checkEncryption, checkMissingFile, checkSlotUrl } from './check-connection.js';
import { checkCors, checkPreflight } from './check-cors.js';
import {
  checkDirectCors,
  checkDirectDownload,
  checkDirectLength,
  checkDirectUpload,
  checkPublicCors,
  checkPublicDomain,
  checkPublicSafety,
} from './check-direct.js';
import {
  checkCompression,
  checkCondition,
  checkDownload,
  checkHead,
  checkRange,
  checkSafety,
} from './check-download.js';
import { checkRedirect, checkStoreCors, checkStoreDomain } from './check-redirect.js';
import { checkLargeFile, checkNames, checkScheme, checkSecondPut, checkUpload } from './check-upload.js';
import { checkRemoval, removeSamples } from './remove-samples.js';
import { NoAnswerError } from './send-request.js';
import { type Finding, toFinding, type Verdict } from './verdict.js';
import { type DirectUploads, type DoctorSettings, Visit } from './visit.js';

interface Check {
  readonly name: string;
  run(visit: Visit): Verdict | Promise<Verdict>;
}

const connection: Check = { name: 'connection', run: checkConnection };

const slotUrl: Check = { name: 'slot URL', run: checkSlotUrl };

const checksOfServer: readonly Check[] = [
  { name: 'encryption', run: checkEncryption },
  { name: 'missing file', run: checkMissingFile },
  { name: 'preflight', run: checkPreflight },
  { name: 'buffering', run: checkBuffering },
  { name: 'removal', run: checkRemoval },
];

const upload: Check = { name: 'upload', run: checkUpload };

const checksOfUploads: readonly Check[] = [
  { name: 'download', run: checkDownload },
  { name: 'v2 token', run: checkScheme('v2') },
  { name: 'Metronome token', run: checkScheme('token') },
  { name: 'Bearer token', run: checkScheme('bearer') },
  { name: 'slot token', run: checkScheme('slot') },
  { name: 'names', run: checkNames },
  { name: 'large file', run: checkLargeFile },
  { name: 'second PUT', run: checkSecondPut },
  { name: 'HEAD', run: checkHead },
  { name: 'range', run: checkRange },
  { name: 'not modified', run: checkCondition },
  { name: 'safe headers', run: checkSafety },
  { name: 'compression', run: checkCompression },
];

const redirect: Check = { name: 'redirect', run: checkRedirect };

const checksOfStore: readonly Check[] = [
  { name: 'CORS of store', run: checkStoreCors },
  { name: 'store domain', run: checkStoreDomain },
];

/** The checks of direct uploads; those of `baseDomain` run only if downloads do not use the same URL already. */
function checksOfDirect(direct: DirectUploads, downloadsFrom: URL | undefined) {
  const isPublic = direct.downloadsFrom !== undefined;
  const isElsewhere = isPublic && direct.downloadsFrom.href !== downloadsFrom?.href;
  return {
    isElsewhere,
    upload: { name: 'direct upload', run: checkDirectUpload(direct) },
    uploads: [
      { name: 'direct CORS', run: checkDirectCors(direct) },
      { name: 'direct length', run: checkDirectLength(direct) },
    ],
    download: { name: 'direct download', run: checkDirectDownload(direct) },
    downloads: [
      ...(isElsewhere
        ? [
            { name: 'baseDomain CORS', run: checkPublicCors(direct) },
            { name: 'baseDomain host', run: checkPublicDomain(direct) },
          ]
        : []),
      ...(isPublic ? [{ name: 'baseDomain HTML', run: checkPublicSafety(direct) }] : []),
    ],
  };
}

const checksOfAllAnswers: readonly Check[] = [
  { name: 'CORS', run: checkCors },
  { name: 'clock', run: checkClock },
];

async function findVerdict(check: Check, visit: Visit): Promise<Verdict> {
  try {
    return await check.run(visit);
  } catch (error) {
    if (error instanceof NoAnswerError) return explainNoAnswer(error);
    throw error;
  }
}

/**
 * Examines a server through its public base URL as a client would. Reports each finding at once, and removes its uploads
 * at the end. Skips a check if an earlier one failed to upload the file that it needs.
 */
export async function examine(settings: DoctorSettings, report: (finding: Finding) => void): Promise<void> {
  const visit = new Visit(settings);
  const isRedirected = settings.downloadsFrom !== undefined;

  /** Runs and reports a check; false if it found a problem. */
  async function perform(check: Check): Promise<boolean> {
    const finding = toFinding(check.name, await findVerdict(check, visit));
    report(finding);
    return finding.outcome !== 'problem';
  }

  /** The same if there is an upload to check; otherwise reports the check as skipped. */
  async function performIf(isUsable: boolean, check: Check): Promise<boolean> {
    if (isUsable) return perform(check);
    report(toFinding(check.name, { skipped: 'There is no upload to check.' }));
    return false;
  }

  if (!(await perform(connection))) return;
  try {
    for (const check of checksOfServer) await perform(check);
    if (settings.slotUrl !== undefined) await perform(slotUrl);
    let isUsable = true;
    for (const check of isRedirected ? [upload, redirect] : [upload]) isUsable = await performIf(isUsable, check);
    for (const check of isRedirected ? [...checksOfStore, ...checksOfUploads] : checksOfUploads) {
      await performIf(isUsable, check);
    }
    if (settings.direct !== undefined) {
      const direct = checksOfDirect(settings.direct, settings.downloadsFrom);
      const isStored = await perform(direct.upload);
      for (const check of direct.uploads) await performIf(isStored, check);
      const isFetched = await performIf(isStored && (isUsable || direct.isElsewhere), direct.download);
      for (const check of direct.downloads) await performIf(isFetched, check);
    }
    for (const check of checksOfAllAnswers) await perform(check);
  } finally {
    await perform({ name: 'left behind', run: removeSamples });
  }
}
