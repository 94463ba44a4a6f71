import type { Count } from '../../progress.js';
import { explainNoAnswer } from '../explain/explain-no-answer.js';
import { type Report, runCheck, type Verdict } from '../finding.js';
import { checkAccelRedirect } from './check-accel-redirect.js';
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
import { checkSlowUpload } from './check-slow-upload.js';
import { checkLargeFile, checkNames, checkScheme, checkSecondPut, checkUpload } from './check-upload.js';
import { checkRemoval, removeSamples } from './remove-samples.js';
import { NoAnswerError } from './send-request.js';
import { type DoctorSettings, Visit } from './visit.js';

type Check = (visit: Visit) => Verdict | Promise<Verdict>;

/** Checks by their names, in the order in which they are made. */
type Checks = Readonly<Record<string, Check>>;

const checksOfServer: Checks = {
  encryption: checkEncryption,
  'missing file': checkMissingFile,
  preflight: checkPreflight,
  buffering: checkBuffering,
  removal: checkRemoval,
};

const checksOfUploads: Checks = {
  download: checkDownload,
  'v2 token': checkScheme('v2'),
  'Metronome token': checkScheme('token'),
  'Bearer token': checkScheme('bearer'),
  'slot token': checkScheme('slot'),
  names: checkNames,
  'large file': checkLargeFile,
  'second PUT': checkSecondPut,
  HEAD: checkHead,
  range: checkRange,
  'not modified': checkCondition,
  'safe headers': checkSafety,
  compression: checkCompression,
};

const checksOfStore: Checks = { 'CORS of store': checkStoreCors, 'store domain': checkStoreDomain };

const checksOfAllAnswers: Checks = { CORS: checkCors, clock: checkClock };

async function findVerdict(check: Check, visit: Visit): Promise<Verdict> {
  try {
    return await check(visit);
  } catch (error) {
    if (error instanceof NoAnswerError) return explainNoAnswer(error);
    throw error;
  }
}

/** Makes the checks unless what they need is missing: then they are skipped. Resolves to whether all are ok. */
type Perform = (checks: Checks, isUsable?: boolean) => Promise<boolean>;

/** Checks uploads past the server, and their downloads where the server's own downloads come from elsewhere. */
async function examineDirect(
  { direct, downloadsFrom }: DoctorSettings,
  isUsable: boolean,
  perform: Perform,
): Promise<void> {
  if (direct === undefined) return;
  const isPublic = direct.downloadsFrom !== undefined;
  const isElsewhere = isPublic && direct.downloadsFrom.href !== downloadsFrom?.href;
  const isStored = await perform({ 'direct upload': checkDirectUpload(direct) });
  await perform({ 'direct CORS': checkDirectCors(direct), 'direct length': checkDirectLength(direct) }, isStored);
  const isFetched = await perform(
    { 'direct download': checkDirectDownload(direct) },
    isStored && (isUsable || isElsewhere),
  );
  const ofDomain = { 'baseDomain CORS': checkPublicCors(direct), 'baseDomain host': checkPublicDomain(direct) };
  if (isElsewhere) await perform(ofDomain, isFetched);
  if (isPublic) await perform({ 'baseDomain HTML': checkPublicSafety(direct) }, isFetched);
}

/**
 * Examines a server through its public base URL as a client would. Reports each finding at once, and removes its uploads
 * at the end. Skips a check if an earlier one failed to upload the file that it needs.
 */
export async function examine(settings: DoctorSettings, report: Report): Promise<void> {
  const visit = new Visit(settings);
  const isRedirected = settings.downloadsFrom !== undefined;
  const { slowUploadMs, storeDir } = settings;

  const perform: Perform = async (checks, isUsable = true) => {
    let isFine = isUsable;
    for (const [name, check] of Object.entries(checks)) {
      const make = (count: Count) => {
        visit.onBytes = (bytes) => count(0, bytes);
        return isUsable ? findVerdict(check, visit) : { skipped: 'There is no upload to check.' };
      };
      if (!(await runCheck(report, name, make))) isFine = false;
    }
    return isFine;
  };

  if (!(await perform({ connection: checkConnection }))) return;
  try {
    await perform(checksOfServer);
    if (settings.slotUrl !== undefined) await perform({ 'slot URL': checkSlotUrl });
    let isUsable = await perform({ upload: checkUpload });
    if (storeDir !== undefined) isUsable = await perform({ accelRedirect: checkAccelRedirect(storeDir) }, isUsable);
    if (isRedirected) isUsable = await perform({ redirect: checkRedirect }, isUsable);
    await perform({ ...(isRedirected ? checksOfStore : {}), ...checksOfUploads }, isUsable);
    if (slowUploadMs !== undefined) await perform({ 'slow upload': checkSlowUpload(slowUploadMs) }, isUsable);
    await examineDirect(settings, isUsable, perform);
    await perform(checksOfAllAnswers);
  } finally {
    await perform({ 'left behind': removeSamples });
  }
}
