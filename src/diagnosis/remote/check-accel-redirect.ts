/*
 * With accelRedirect, prosody-filer answers a download with X-Accel-Redirect and no bytes. nginx removes that header and
 * sends the file. The answer to a range shows who sends the bytes: prosody-filer sends Accept-Ranges with each 206, and
 * nginx does not send it with a 206 of its own.
 */
import { encodedPath } from '../../upload/encoded-path.js';
import { explainNginx, explainNoBytes, explainOpenLocation, fasterByNginx } from '../explain/explain-accel-redirect.js';
import type { Verdict } from '../finding.js';
import { sampleOf } from './check-upload.js';
import { headerOf, sendRequest } from './send-request.js';
import type { Visit } from './visit.js';

const sample = sampleOf('v1');

async function findSender(visit: Visit, accelRedirect: string): Promise<Verdict> {
  const target = accelRedirect + encodedPath(visit.keyOf(sample.name));
  // Not by `visit`, whose other checks are about the answers that clients get.
  const past = await sendRequest(visit.settings.url.origin, { method: 'GET', target }, visit.onBytes);
  if (past.body.equals(sample.body)) return explainOpenLocation(accelRedirect);
  const part = await visit.get(sample.name, { range: 'bytes=0-9' });
  if (part.status !== 206)
    return { skipped: 'A range was not answered with 206, so nothing shows who sends the bytes.' };
  if (headerOf(part, 'accept-ranges') === '') return 'nginx sends the bytes of downloads.';
  return {
    outcome: 'warning',
    found: 'accelRedirect is set, but prosody-filer sends the bytes of downloads.',
    cause: 'prosody-filer was not restarted after accelRedirect was set.',
    change: 'Restart prosody-filer.',
  };
}

/** Checks that nginx sends the files of this storeDir if accelRedirect is set, and says where it could. */
export function checkAccelRedirect(storeDir: string) {
  return async (visit: Visit): Promise<Verdict> => {
    const { accelRedirect } = visit.settings;
    const answer = await visit.get(sample.name);
    const isEmpty = answer.status === 200 && answer.body.length === 0;
    if (headerOf(answer, 'x-accel-redirect') !== '' || (isEmpty && accelRedirect !== undefined))
      return explainNoBytes(accelRedirect);
    if (accelRedirect === undefined) return fasterByNginx(answer);
    const isWhole = answer.status === 200 && answer.body.equals(sample.body);
    return isWhole ? findSender(visit, accelRedirect) : explainNginx(answer, accelRedirect, storeDir);
  };
}
