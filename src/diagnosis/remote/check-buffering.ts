/*
 * A proxy that stores a body before it passes the request on cannot answer before the body is there: it says "100
 * Continue" by itself and shows nothing else. So a PUT without a token announces more bytes than it sends: prosody-filer
 * refuses it by its head alone, and whether that answer arrives tells who waits.
 */
import { describeAnswer, isFromFiler } from '../explain/explain-status.js';
import { type Answer, NoAnswerError } from './send-request.js';
import type { Verdict } from './verdict.js';
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

/** Whether an upload's bytes reach prosody-filer as they come. */
export async function checkBuffering(visit: Visit): Promise<Verdict> {
  const answer = await answerToHalfPut(visit);
  if (answer === undefined) {
    return {
      found: `a PUT that is to be refused gets no answer before its whole body is sent (waited ${patienceMs / 1000} s)`,
      cause: 'the proxy stores each upload before it passes it on: twice the writing, and late errors',
      change: 'proxy_request_buffering off; and proxy_http_version 1.1; in the location',
    };
  }
  if (!isFromFiler(answer)) return { skipped: `refused otherwise: ${describeAnswer(answer)}` };
  return `refused ${Math.round(answer.durationMs)} ms after its head, before its body was sent`;
}
