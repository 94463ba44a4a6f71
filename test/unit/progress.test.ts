import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { describe, it } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import type { WriteStream } from 'node:tty';
import { withProgress } from '../../src/progress.js';

/** Stands for a terminal; `text()` is everything that was written to it. */
function openTerminal() {
  const stream = new PassThrough({ encoding: 'utf8' });
  const methods = { isTTY: true, columns: 80, cursorTo: () => true, clearLine: () => true, moveCursor: () => true };
  const terminal = Object.assign(stream, methods) as unknown as WriteStream;
  return { terminal, text: (): string => stream.read() ?? '' };
}

describe('progress', () => {
  it('shows the number of uploads, their size and the rate', async () => {
    const { terminal, text } = openTerminal();
    const result = await withProgress(terminal, 'reading the store', async (count) => {
      count(1, 500);
      await wait(250);
      count(1, 1000);
      return 'done';
    });
    assert.equal(result, 'done');
    assert.match(text(), /reading the store: 2 uploads, 1\.50 KB, \d uploads\/s/);
  });

  it('shows the size and the rate of one large upload', async () => {
    const { terminal, text } = openTerminal();
    await withProgress(terminal, 'uploading', async (count) => {
      await wait(250);
      count(0, 2_000_000);
    });
    assert.match(text(), /uploading: 2\.00 MB, \d\.\d\d MB\/s/);
  });

  it('is redrawn five times a second at most', async () => {
    const { terminal, text } = openTerminal();
    await withProgress(terminal, 'reading the store', async (count) => {
      await wait(250);
      for (let index = 0; index < 10_000; index += 1) count(1, 1);
    });
    assert.ok(text().split(/ uploads?,/).length - 1 <= 2);
  });

  it('ends when the work fails', async () => {
    const { terminal } = openTerminal();
    await assert.rejects(
      withProgress(terminal, 'reading', () => Promise.reject(new Error('no store'))),
      /no store/,
    );
  });
});
