import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type CORSRule, DeleteBucketPolicyCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3';
import { type Ceph, cephPrograms, sharedCeph } from '../support/ceph.js';
import { freePort, missingPeer } from '../support/peers.js';
import { startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { readmePolicy } from '../support/s3-policy.js';
import { tempDir } from '../support/temp-dir.js';
import { assertProblems, examine } from './examination.js';
import { startNginx } from './nginx.js';

const corsRule = {
  AllowedOrigins: ['*'],
  AllowedMethods: ['GET', 'HEAD'],
  AllowedHeaders: ['Authorization', 'Content-Type', 'Content-Length', 'Range'],
  ExposeHeaders: ['Content-Length', 'Content-Range', 'ETag'],
};

type Download = 'proxy' | 'redirect' | 'public';

interface SetUp {
  readonly download: Download;
  /** What the doctor's configuration has instead. */
  readonly expected?: Download;
  readonly cors?: CORSRule | 'none';
  /** Where anybody may read the bucket. */
  readonly isPublic?: boolean;
  /** Directives of nginx in front of prosody-filer, and in front of the bucket. */
  readonly proxy?: string;
  readonly cdn?: string;
  readonly baseDomain?: string;
  readonly problems: Record<string, RegExp>;
}

const checksOfContent = [
  'download',
  'v2 token',
  'Metronome token',
  'Bearer token',
  'slot token',
  'names',
  'large file',
];
const typeChanged = /came back as text\/x-other \| what stands in front of the bucket/;

const brokenSetUps: Record<string, SetUp> = {
  'a bucket without CORS rules': {
    download: 'redirect',
    cors: 'none',
    problems: { 'CORS of store': /does not allow all origins.*the header Range.*reading etag.*check-config prints/ },
  },
  'CORS rules for one site only': {
    download: 'redirect',
    cors: { ...corsRule, AllowedOrigins: ['https://client.invalid'] },
    problems: { 'CORS of store': /all origins \(\*\)/ },
  },
  'CORS rules without Range': {
    download: 'redirect',
    cors: { ...corsRule, AllowedHeaders: ['Authorization', 'Content-Type', 'Content-Length'] },
    problems: { 'CORS of store': /the header Range/ },
  },
  'CORS rules that expose no size': {
    download: 'redirect',
    cors: { ...corsRule, ExposeHeaders: ['ETag', 'Content-Range'] },
    problems: { 'CORS of store': /does not allow reading content-length: web/ },
  },
  'a redirect that the proxy lets caches keep': {
    download: 'redirect',
    proxy: 'proxy_hide_header Cache-Control; add_header Cache-Control max-age=60;',
    problems: { redirect: /without Cache-Control: no-store/ },
  },
  'a redirect that the proxy rewrites': {
    download: 'redirect',
    proxy: 'proxy_redirect ~^http://[^/]+/(.*)$ https://other.example/$1;',
    problems: { redirect: /is sent to https:\/\/other\.example\/[^?]*, not to http:.*proxy_redirect off/ },
  },
  'a server that does not redirect': {
    download: 'proxy',
    expected: 'redirect',
    problems: { redirect: /200 by prosody-filer in place of 302.*another s3\.download/ },
  },
  'a server that redirects where it should not': {
    download: 'redirect',
    expected: 'proxy',
    problems: {
      ...Object.fromEntries(
        checksOfContent.map((check) => [
          check,
          /its GET is 302 by prosody-filer \| the running server has another s3\.download/,
        ]),
      ),
      HEAD: /GET is 302 by prosody-filer, HEAD 200/,
      range: /302 by prosody-filer/,
      'safe headers': /without Content-Disposition: attachment/,
    },
  },
  'a signature that is dropped on the way to the bucket': {
    download: 'redirect',
    cdn: 'if ($args ~ X-Amz-Signature) { set $args ""; }',
    problems: { redirect: /403 by the store \(127.*the query of the signed URL is dropped/ },
  },
  'a Range header that is dropped on the way to the bucket': {
    download: 'redirect',
    cdn: 'max_ranges 0; proxy_set_header Range "";',
    problems: { range: /200 by the store.*a CDN, a proxy.*pass on Range/ },
  },
  'a bucket that is not public': {
    download: 'public',
    problems: { redirect: /403 by the store.*with download = "public" the bucket is not public/ },
  },
  'a baseDomain that nobody serves': {
    download: 'public',
    isPublic: true,
    baseDomain: `http://127.0.0.1:${await freePort()}`,
    problems: { redirect: /no answer from http:\/\/127.*ECONNREFUSED.*open it to clients/ },
  },
  'a CDN that drops Content-Disposition': {
    download: 'public',
    isPublic: true,
    cdn: 'proxy_hide_header Content-Disposition;',
    problems: { 'safe headers': /without Content-Disposition: attachment.*by the store.*a CDN/ },
  },
  'a CDN that compresses': {
    download: 'public',
    isPublic: true,
    cdn: 'gzip on;',
    problems: { compression: /as gzip, with the ETag W\/.*a CDN/ },
  },
  'a CDN that drops CORS headers': {
    download: 'public',
    isPublic: true,
    cdn: 'proxy_hide_header Access-Control-Allow-Origin;',
    problems: { 'CORS of store': /all origins.*a CDN does not pass Origin on/ },
  },
  'a CDN that changes types': {
    download: 'public',
    isPublic: true,
    cdn: 'proxy_hide_header Content-Type; add_header Content-Type text/x-other;',
    problems: {
      ...Object.fromEntries(checksOfContent.map((check) => [check, typeChanged])),
      HEAD: /GET is 200 by the store .*differ: content-type/,
    },
  },
};

const readmeLocation = readmeBlock('nginx', 'proxy_pass');

async function prepareBucket({ client, createBucket }: Ceph, { cors = corsRule, isPublic = false }: SetUp) {
  const bucket = await createBucket();
  if (cors !== 'none') {
    await client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [cors] } }));
  }
  if (isPublic) await client.send(readmePolicy('"Principal"', bucket));
  return bucket;
}

/** What the doctor finds at nginx → prosody-filer → bucket, with another nginx in front of the bucket for clients. */
async function examineSetUp(t: TestContext, ceph: Ceph, setUp: SetUp) {
  const { download, expected = download, proxy = '', cdn = '' } = setUp;
  const bucket = await prepareBucket(ceph, setUp);
  const front = await startNginx(
    t,
    `location / { proxy_pass ${ceph.endpoint}; proxy_set_header Host $http_host; client_max_body_size 0; ${cdn} }`,
  );
  const { accessKeyId, secretAccessKey } = ceph;
  const program = await startProgram(t, {
    s3: {
      ...{ bucket, accessKeyId, secretAccessKey, download, path: 'some/path', forcePathStyle: true },
      endpointUrl: download === 'redirect' ? front : ceph.endpoint,
      baseDomain: setUp.baseDomain ?? `${front}/${bucket}`,
    },
  });
  const config = await readFile(program.configFile, 'utf8');
  const configFile = path.join(await tempDir(t), 'config.toml');
  await writeFile(configFile, config.replace(`download = "${download}"`, `download = "${expected}"`));
  const location = readmeLocation.replace('http://127.0.0.1:5050', program.origin).replace(/\}$/, `${proxy}\n}`);
  const examination = await examine({ configFile }, `${await startNginx(t, location)}/upload/`);
  return { program, bucket, examination };
}

const skip = missingPeer(...cephPrograms, 'nginx');

describe('the doctor where uploads lie in a bucket', { concurrency: 2, skip }, () => {
  const ceph = sharedCeph();

  async function expectProblems(t: TestContext, setUp: SetUp) {
    const { bucket, examination } = await examineSetUp(t, await ceph(), setUp);
    assertProblems(examination, setUp.problems);
    assert.deepEqual(await (await ceph()).keysIn(bucket), []);
    return examination;
  }

  for (const download of ['proxy', 'redirect', 'public'] as const) {
    it(`finds nothing wrong with download = "${download}", and leaves nothing`, async (t) => {
      const isPublic = download === 'public';
      const { findings } = await expectProblems(t, { download, isPublic, problems: {} });
      const ofStore = findings.filter(({ check }) => ['redirect', 'CORS of store', 'store domain'].includes(check));
      assert.equal(ofStore.length, download === 'proxy' ? 0 : 3);
      assert.deepEqual(
        findings.filter(({ outcome }) => outcome !== 'ok'),
        [],
      );
      const foundBy = (name: string) => findings.find(({ check }) => check === name)?.found;
      assert.match(foundBy('removal') ?? '', /is removed from s3:\/\/bucket-\w+\/some\/path\/$/);
      const safety = download === 'proxy' ? /with nosniff/ : /HTML is a download; a CDN could add X-Content-Type/;
      assert.match(foundBy('safe headers') ?? '', safety);
    });
  }

  it('knows the safe headers that a CDN adds', async (t) => {
    const cdn = `add_header X-Content-Type-Options nosniff; add_header Content-Security-Policy "default-src 'none'";`;
    const { findings } = await expectProblems(t, { download: 'public', isPublic: true, cdn, problems: {} });
    assert.ok(findings.some(({ found }) => found === 'HTML is a download, with nosniff and a policy'));
  });

  for (const [mistake, setUp] of Object.entries(brokenSetUps)) {
    it(`names ${mistake}`, async (t) => {
      await expectProblems(t, setUp);
    });
  }

  it('names a key that has lost its rights, and prints no signature', async (t) => {
    const peer = await ceph();
    const limited = { accessKeyId: 'limited', secretAccessKey: 'limited-secret' };
    const keys = ['--access-key', limited.accessKeyId, '--secret-key', limited.secretAccessKey];
    await peer.admin('user', 'create', '--uid', 'limited', '--display-name', 'limited', ...keys);
    const bucket = await peer.createBucket();
    await peer.client.send(readmePolicy('s3:ListBucket', bucket, 'limited'));
    const s3 = { bucket, ...limited, endpointUrl: peer.endpoint, forcePathStyle: true };
    const program = await startProgram(t, { s3 });
    await peer.client.send(new DeleteBucketPolicyCommand({ Bucket: bucket }));
    const examination = await examine(program, program.uploadUrl);
    assertProblems(examination, { connection: /502 by prosody-filer \| the S3 service refuses/ });
    assert.doesNotMatch(JSON.stringify(examination), /X-Amz|limited-secret/);
  });
});
