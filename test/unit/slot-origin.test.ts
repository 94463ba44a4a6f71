import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { explainOrigin } from '../../src/diagnosis/remote/check-direct.js';

const server = 'https://uploads.example.org/upload/';

function foundAt(store: string, from = server): string | undefined {
  return explainOrigin(new URL(from), new URL(store))?.found;
}

describe('the origin that slots of direct uploads lead to', () => {
  it('may be another host by https, or this machine if the server runs here too', () => {
    assert.equal(foundAt('https://s3.example.net/bucket/key?X-Amz-Signature=0'), undefined);
    assert.equal(foundAt('http://127.0.0.1:7480/bucket/key', 'http://localhost:5050/'), undefined);
  });

  it('is a problem where clients cannot reach it or use plain http, and is reported without its query', () => {
    const slot = '/bucket/key?X-Amz-Signature=0';
    const nowhere = 'which only this machine can reach';
    for (const origin of ['http://127.0.0.1:9000', 'https://localhost', 'http://[::1]:9000']) {
      assert.equal(foundAt(origin + slot), `Slots send clients to ${origin}, ${nowhere}.`);
    }
    assert.equal(
      foundAt(`http://s3.example.net${slot}`),
      'Slots send clients to http://s3.example.net, by plain http.',
    );
  });
});
