import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Readable } from 'node:stream';
import { describe, it, type TestContext } from 'node:test';
import { receiveBody } from '../../src/storage/disk/receive-body.js';
import { tempDir } from '../support/temp-dir.js';

async function receive(t: TestContext, chunks: Iterable<Buffer>, size: number): Promise<Buffer> {
  const file = path.join(await tempDir(t), 'file');
  const fd = openSync(file, 'wx');
  try {
    await receiveBody(Readable.from(chunks), fd, size);
    return readFileSync(file);
  } finally {
    closeSync(fd);
  }
}

describe('the body of an upload', () => {
  it('holds a few MiB of memory, whatever its size', async (t) => {
    const chunkCount = 512;
    const chunk = (index: number) => Buffer.alloc(64 * 1024, index);
    const whole = Buffer.concat(Array.from({ length: chunkCount }, (_, index) => chunk(index)));
    let mostBytes = 0;
    function* chunks() {
      const bytesBefore = process.memoryUsage().arrayBuffers;
      for (let index = 0; index < chunkCount; index += 1) {
        yield chunk(index);
        mostBytes = Math.max(mostBytes, process.memoryUsage().arrayBuffers - bytesBefore);
      }
    }
    const received = await receive(t, chunks(), whole.length);
    assert.ok(received.equals(whole));
    assert.ok(mostBytes < 4 * 1024 * 1024, `${mostBytes} bytes`);
  });

  it('leaves memory alone that other data shares', async (t) => {
    const whole = Buffer.from('shared by two');
    assert.equal((await receive(t, [whole.subarray(0, 6)], 6)).toString(), 'shared');
    assert.equal(whole.toString(), 'shared by two');
  });
});
