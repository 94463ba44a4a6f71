/*
 * A proxy that buffers requests passes a request on only once it has the whole body. Its own "100 Continue" does not tell
 * this. So the doctor sends a PUT without a token and holds back part of the announced body. prosody-filer refuses such a
 * PUT by its head alone. If that answer arrives, the proxy does not buffer.
 */
import { describeAnswer, isFromFiler } from '../explain/explain-status.js';
import type { Verdict } from '../finding.js';
import { type Answer, NoAnswerError } from './send-request.js';
import type { Visit } from './visit.js';

const sentBytes = 64 * 1024;
const withheldBytes = 192 * 1024;
const patienceMs = 3000;

async function answerToHalfPut(visit: Visit): Promise<Answer | undefined> {
  const target = visit.targetOf(visit.keyOf('refused.bin'));
  try {
    return await visit.send('PUT', { method: 'PUT', target, body: Buffer.alloc(sentBytes), withheldBytes, patienceMs });
  } catch (error) {
    if (error instanceof NoAnswerError && error.code === 'SILENT') return undefined;
    throw error;
  }
}

/** Checks that the proxy passes an upload's bytes on to prosody-filer as they arrive. */
export async function checkBuffering(visit: Visit): Promise<Verdict> {
  const answer = await answerToHalfPut(visit);
  if (answer === undefined && visit.proxy === 'apache') {
    return 'Apache passes an upload on as it arrives. It passes on a refusal only after the whole body.';
  }
  if (answer === undefined) {
    return {
      found: `A PUT that must be refused got no answer before its whole body was sent (waited ${patienceMs / 1000} s).`,
      cause:
        'The proxy stores each upload before it passes it on. It writes each upload twice and reports errors late.',
      change: visit.directives.noBuffering,
    };
  }
  if (!isFromFiler(answer)) return { skipped: `prosody-filer did not answer this PUT: ${describeAnswer(answer)}.` };
  return `A PUT was refused after ${Math.round(answer.durationMs)} ms, before its whole body was sent.`;
}
