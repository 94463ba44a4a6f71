import { setTimeout as wait } from 'node:timers/promises';
import { Connection } from './connection.js';
import type { Job, JobResult } from './generator-jobs.js';
import { bodyAfterSlot, bodyStart, expectedStatus, newSlot, requestHead } from './requests.js';

/** Sends all uploads at once, each a part at a time; rejects at the first wrong status or broken connection. */
export async function runSlowUploads(
  { peer, size, clients }: Job,
  { steps, stepMs }: { readonly steps: number; readonly stepMs: number },
): Promise<JobResult> {
  const status = expectedStatus('put', peer.dialect);
  const slots = Array.from({ length: clients }, newSlot);
  const heads = slots.map((slot) => Buffer.from(requestHead('put', slot, size, peer) + bodyStart(slot, size)));
  const body = bodyAfterSlot(size);
  const stepBytes = Math.ceil(body.length / steps);
  const connections: Connection[] = [];
  const startedAt = performance.now();
  try {
    await new Promise<void>((resolve, reject) => {
      let answered = 0;
      const onAnswer = (given: number) => {
        answered += 1;
        if (given !== status) reject(new Error(`a slow upload was answered with ${given} by ${peer.dialect}`));
        if (answered === clients) resolve();
      };
      const sendAll = async () => {
        for (const head of heads) {
          const connection = new Connection(peer.port, onAnswer, reject);
          connections.push(connection);
          await connection.opened();
          connection.send(head, undefined, false);
        }
        for (let step = 0; step < steps; step += 1) {
          await wait(stepMs);
          const part = body.subarray(step * stepBytes, (step + 1) * stepBytes);
          for (const connection of connections) connection.send(part, undefined, false);
        }
      };
      sendAll().catch(reject);
    });
  } finally {
    for (const connection of connections) connection.close();
  }
  return { requests: clients, seconds: (performance.now() - startedAt) / 1000, cpuSeconds: 0, slots };
}
