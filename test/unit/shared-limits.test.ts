import assert from 'node:assert/strict';
import type { Worker } from 'node:cluster';
import { EventEmitter } from 'node:events';
import { it } from 'node:test';
import type { Limits, PlannedUpload } from '../../src/retention/limits.js';
import { shareLimits } from '../../src/service/shared-limits.js';

/** A worker whose limits are shared, as its supervisor sees it. */
function workerWith(limits: Limits) {
  const answers: unknown[] = [];
  const worker = Object.assign(new EventEmitter(), {
    isConnected: () => true,
    isDead: () => false,
    send: (message: unknown) => answers.push(message),
  });
  shareLimits(worker as unknown as Worker, limits, async (asked) => asked === 'c/f');
  const tell = async (message: object) => {
    worker.emit('message', message);
    await new Promise(setImmediate);
  };
  return { worker, tell, answers };
}

it('a supervisor counts the received bytes of a worker, and frees its uploads when it dies', async () => {
  const reserved: PlannedUpload[] = [];
  const settled: unknown[] = [];
  const settle = (...how: unknown[]) => settled.push(how);
  const makeRoom = async (arrived: number) => arrived;
  const { worker, tell, answers } = workerWith({
    reserve: async (upload) => {
      reserved.push(upload);
      return { makeRoom, settle };
    },
    forget: () => undefined,
  });
  const arrived = () => reserved.map((upload) => upload.arrived());
  await tell({ reserve: { id: 1, key: 'a/f', size: 10 } });
  await tell({ reserve: { id: 2, key: 'b/f', size: 10 } });
  assert.deepEqual(arrived(), [0, 0]);
  await tell({ arrived: [[1, 5]] });
  await tell({ makeRoom: { id: 2, arrived: 7 } });
  assert.deepEqual(arrived(), [5, 7]);
  assert.deepEqual(answers, [
    { reserved: { id: 1, isEvicting: true } },
    { reserved: { id: 2, isEvicting: true } },
    { room: { id: 2, bytes: 7 } },
  ]);
  await tell({ settle: { id: 2, isStored: true, sentBytes: 0 } });
  await tell({ reserve: { id: 3, key: 'c/f', size: 10 } });
  worker.emit('exit');
  await new Promise(setImmediate);
  // It had stored the last one, and died before it said so.
  assert.deepEqual(settled, [
    [true, 0],
    [false, 0],
    [true, 0],
  ]);
});
