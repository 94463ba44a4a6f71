import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { it } from 'node:test';
import { beginWithRoom } from '../../src/http/upload-body.js';

it('an upload for which others are evicted ends if its client has left before it began', {
  timeout: 10_000,
}, async () => {
  const body = new PassThrough();
  body.destroy();
  await once(body, 'close');
  await assert.rejects(
    beginWithRoom(body, async (arrived) => arrived),
    { code: 'BODY_INCOMPLETE' },
  );
});
