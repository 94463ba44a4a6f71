import assert from 'node:assert/strict';
import { describe, it, type TestContext } from 'node:test';
import { sweepRegularly } from '../../src/retention/sweep-regularly.js';

const hourMs = 60 * 60 * 1000;

/** Sweeps each hour with a sweeper that fails so many times; counts the sweeps. */
function start(t: TestContext, failures: number) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const errors: object[] = [];
  let asked = 0;
  const sweep = async () => {
    asked += 1;
    if (asked <= failures) throw new Error('no answer');
    return { files: 0, bytes: 0, deletedFiles: 0, deletedBytes: 0, unreadable: 0 };
  };
  let time = 0;
  const logger = { error: (line: object) => errors.push(line) };
  const sweeps = sweepRegularly({ sweep, stop: async () => undefined }, hourMs, logger, () => time);
  const pass = async (ms: number) => {
    await new Promise(setImmediate);
    time += ms;
    t.mock.timers.tick(ms);
  };
  return { sweeps, errors, pass, asked: () => asked };
}

describe('regular sweeps', () => {
  it('begin at once, and come again after each interval', async (t) => {
    const { pass, asked, sweeps } = start(t, 0);
    assert.equal(asked(), 1);
    await pass(hourMs - 1);
    assert.equal(asked(), 1);
    await pass(1);
    assert.equal(asked(), 2);
    await sweeps.stop();
    await pass(2 * hourMs);
    assert.equal(asked(), 2);
  });

  it('say when the next one begins, and why the last one failed', async (t) => {
    const { pass, sweeps } = start(t, 1);
    assert.deepEqual([sweeps.nextAt, sweeps.failure], [undefined, undefined]);
    await pass(0);
    assert.deepEqual([sweeps.nextAt, sweeps.failure], [60_000, 'no answer']);
    await pass(60_000);
    await pass(0);
    assert.deepEqual([sweeps.nextAt, sweeps.failure], [60_000 + hourMs, undefined]);
  });

  it('are retried within a minute after a failure', async (t) => {
    const { pass, asked, errors } = start(t, 2);
    await pass(60_000);
    await pass(60_000);
    assert.equal(asked(), 3);
    assert.deepEqual(errors, [{ error: 'no answer' }, { error: 'no answer' }]);
    await pass(60_000);
    assert.equal(asked(), 3);
  });
});
