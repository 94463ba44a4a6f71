import { checkBuffering } from './check-buffering.js';
import { checkClock } from './check-clock.js';
import { checkConnection, checkEncryption, checkMissingFile, checkSlotUrl } from './check-connection.js';
import { checkCors, checkPreflight } from './check-cors.js';
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
import { explainNoAnswer } from './explain-no-answer.js';
import { checkRemoval, removeSamples } from './remove-samples.js';
import { NoAnswerError } from './send-request.js';
import { type Finding, toFinding, type Verdict } from './verdict.js';
import { type DoctorSettings, Visit } from './visit.js';

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
 * Goes through a public base URL as a client would, tells each finding as soon as it is made, and removes what it
 * uploaded. A check that needs what another one found missing is skipped.
 */
export async function examine(settings: DoctorSettings, report: (finding: Finding) => void): Promise<void> {
  const visit = new Visit(settings);
  const isRedirected = settings.downloadsFrom !== undefined;

  /** Whether the check found no problem. */
  async function perform(check: Check): Promise<boolean> {
    const finding = toFinding(check.name, await findVerdict(check, visit));
    report(finding);
    return finding.outcome !== 'problem';
  }

  if (!(await perform(connection))) return;
  try {
    for (const check of checksOfServer) await perform(check);
    if (settings.slotUrl !== undefined) await perform(slotUrl);
    let isUsable = true;
    for (const check of isRedirected ? [upload, redirect] : [upload]) isUsable &&= await perform(check);
    for (const check of isRedirected ? [...checksOfStore, ...checksOfUploads] : checksOfUploads) {
      if (isUsable) await perform(check);
      else report(toFinding(check.name, { skipped: 'no upload to look at' }));
    }
    for (const check of checksOfAllAnswers) await perform(check);
  } finally {
    await perform({ name: 'left behind', run: removeSamples });
  }
}
