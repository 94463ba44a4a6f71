import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { checkStoreDomain } from '../../src/diagnosis/remote/check-redirect.js';

const server = 'uploads.example.org';

/** What is found where clients of the server are sent to this origin. */
function foundOf(origin: string): string {
  const settings = { url: new URL(`https://${server}/upload/`), downloadsFrom: new URL(`${origin}/bucket/`) };
  const verdict = checkStoreDomain({ settings });
  if (typeof verdict === 'string') return verdict;
  return 'found' in verdict ? `PROBLEM ${verdict.found}` : verdict.skipped;
}

describe('the domain that a bucket is served under', () => {
  it('is a problem where it shares cookies with the server', () => {
    for (const store of [server, 'example.org', 'cdn.uploads.example.org']) {
      assert.equal(
        foundOf(`https://${store}`),
        `PROBLEM ${store} serves uploads and can share cookies with ${server}.`,
      );
    }
  });

  it('is right elsewhere, with advice where cookies of a common parent domain reach it', () => {
    const verdicts: Record<string, string> = {
      'https://b.s3.eu-central-1.amazonaws.com': 'b.s3.eu-central-1.amazonaws.com shares no cookies with',
      'https://myexample.org': 'myexample.org shares no cookies with',
      'https://s3.example.org': 's3.example.org is another host, but gets cookies that are set for all of example.org',
      'http://127.0.0.1:7480': 'The store is on this machine',
      'http://[::1]:7480': 'The store is on this machine',
    };
    for (const [origin, beginning] of Object.entries(verdicts)) {
      const found = foundOf(origin);
      assert.ok(found.startsWith(beginning), found);
    }
  });

  it('is a problem without encryption', () => {
    assert.equal(foundOf('http://s3.example.net'), 'PROBLEM Downloads come by plain http from s3.example.net.');
  });
});
