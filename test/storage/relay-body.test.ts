import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, it } from 'node:test';
import { setImmediate as nextTurn, setTimeout as wait } from 'node:timers/promises';
import { beginningOf, relayBody } from '../../src/storage/s3/relay-body.js';

const chunk = Buffer.alloc(65_536, 'x');

/** A body of so many chunks that counts how many were read. */
function countedBody(chunks: number) {
  let taken = 0;
  const body = new Readable({
    read() {
      taken += 1;
      this.push(taken <= chunks ? chunk : null);
    },
  });
  return { body, taken: () => taken };
}

/** A body that does not end after so many chunks. */
function endless(chunks: number): PassThrough {
  const body = new PassThrough();
  for (let count = 0; count < chunks; count += 1) body.write(chunk);
  return body;
}

describe('a body on its way', () => {
  it('can be looked into before it is sent', async () => {
    for (const text of ['short', 'long'.repeat(100_000)]) {
      let [beginning, sent] = ['', ''];
      await relayBody(Readable.from([Buffer.from(text)]), text.length, async (relayed, signal) => {
        beginning = String(await beginningOf(relayed, signal));
        sent = String(await buffer(relayed));
      });
      assert.ok(beginning !== '' && text.startsWith(beginning));
      assert.equal(sent, text);
    }
  });

  it('fails as it does otherwise if it breaks off before it can be looked into', async () => {
    const body = new PassThrough();
    const relayed = relayBody(body, 5, async (relayed, signal) => {
      await beginningOf(relayed, signal);
    });
    body.destroy();
    await assert.rejects(relayed, { code: 'BODY_INCOMPLETE' });
  });

  it('waits in little memory while the store takes no byte, and then goes on', async () => {
    const { body, taken } = countedBody(200);
    let received = 0;
    await relayBody(body, 200 * chunk.length, async (relayed) => {
      await wait(100);
      assert.ok(taken() <= 10, `${taken()} chunks are in memory`);
      received = (await buffer(relayed)).length;
    });
    assert.equal(received, 200 * chunk.length);
  });

  it('may be slower than its store', async () => {
    const body = Readable.from(
      (async function* () {
        for (let count = 0; count < 5; count += 1) {
          await wait(50);
          yield Buffer.from('x');
        }
      })(),
    );
    let text = '';
    await relayBody(body, 5, async (relayed) => {
      text = (await buffer(relayed)).toString();
    });
    assert.equal(text, 'xxxxx');
  });

  for (const [what, size] of [
    ['runs over', 3 * chunk.length - 1],
    ['ends early', 3 * chunk.length + 1],
  ] as const) {
    it(`that ${what} never ends for the store, whose request is aborted`, async () => {
      let received = 0;
      const relaying = relayBody(countedBody(3).body, size, async (relayed, signal) => {
        relayed.on('data', ({ length }: Buffer) => {
          received += length;
        });
        relayed.on('end', () => assert.fail('it ended'));
        if (!signal.aborted) await once(signal, 'abort');
        throw new Error('aborted');
      });
      await assert.rejects(relaying, { code: 'BODY_INCOMPLETE' });
      assert.ok(received < size);
    });
  }

  it('is given up when the store takes no byte for 20 s, even if all bytes have arrived', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    for (const [chunks, size] of [
      [200, 200 * chunk.length],
      [2, 2 * chunk.length],
      [2, 3 * chunk.length],
    ] as const) {
      let isAborted = false;
      const body = countedBody(chunks);
      const relaying = relayBody(size === 3 * chunk.length ? endless(chunks) : body.body, size, async (_, signal) => {
        await once(signal, 'abort');
        isAborted = true;
        throw new Error('aborted');
      });
      relaying.catch(() => undefined);
      for (let turn = 0; turn < 20; turn += 1) await nextTurn();
      t.mock.timers.tick(19_999);
      await nextTurn();
      assert.equal(isAborted, false);
      t.mock.timers.tick(1);
      await nextTurn();
      // While bytes are still to come from the client, the store is not to blame.
      assert.equal(isAborted, chunks * chunk.length === size);
      if (isAborted) await assert.rejects(relaying, { code: 'STORE_BUSY', message: 'the store took no byte for 20 s' });
    }
  });

  it('is not given up while the store takes a few bytes every 20 s', async (t) => {
    t.mock.timers.enable({ apis: ['setTimeout'] });
    const size = 6 * chunk.length;
    let received = 0;
    await relayBody(countedBody(6).body, size, async (relayed) => {
      for (let turn = 0; turn < 20; turn += 1) await nextTurn();
      for (let turn = 0; received < size; turn += 1) {
        assert.ok(turn < 10_000, `only ${received} bytes came`);
        t.mock.timers.tick(19_000);
        await nextTurn();
        received += relayed.read(1000)?.length ?? relayed.read()?.length ?? 0;
        await nextTurn();
      }
      relayed.resume();
    });
    assert.equal(received, size);
  });

  it('is no longer read when the store refuses it, and may break then', async () => {
    const { body } = countedBody(200);
    const refusal = new Error('no');
    await assert.rejects(
      relayBody(body, 200 * chunk.length, async () => {
        throw refusal;
      }),
      refusal,
    );
    assert.equal(body.destroyed, false);
    body.destroy(new Error('connection reset'));
    await wait(10);
  });
});
