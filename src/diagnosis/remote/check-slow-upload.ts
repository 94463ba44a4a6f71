import { explainNoAnswer } from '../explain/explain-no-answer.js';
import { explainRefusedPut } from '../explain/explain-refused-put.js';
import { describeAnswer, isFromFiler } from '../explain/explain-status.js';
import type { Problem, Verdict } from '../finding.js';
import { NoAnswerError } from './send-request.js';
import type { Sample, Visit } from './visit.js';

/** Longer than the 60 s after which Traefik ends an upload by default. */
export const slowUploadMs = 70_000;

/** Makes a check that an upload which takes this long, and never pauses for more than a second, is accepted. */
export function checkSlowUpload(durationMs: number) {
  return async (visit: Visit): Promise<Verdict> => {
    const body = Buffer.alloc(Math.max(10, Math.ceil(durationMs / 1000)) * 1024);
    const sample: Sample = { scheme: 'v1', name: 'slow.bin', contentType: 'application/octet-stream', body };
    const cutOff = (found: string): Problem => ({
      found: `An upload that takes ${durationMs / 1000} s was ended: ${found}`,
      cause: 'The proxy limits how long a whole upload may take.',
      change: visit.directives.waitForClient,
    });
    try {
      const put = await visit.put(sample, { paceMs: durationMs });
      if (put.status === 201) return `201 for an upload that took ${Math.round(put.durationMs / 1000)} s.`;
      return isFromFiler(put) && put.status !== 400
        ? explainRefusedPut(visit, sample, put)
        : cutOff(`${describeAnswer(put)}.`);
    } catch (error) {
      if (error instanceof NoAnswerError) return cutOff(explainNoAnswer(error).found);
      throw error;
    }
  };
}
