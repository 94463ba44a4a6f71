import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { type CORSRule, DeleteBucketPolicyCommand, PutBucketCorsCommand } from '@aws-sdk/client-s3';
import { type Ceph, cephPrograms, sharedCeph } from '../../support/ceph.js';
import { nginxOfInit } from '../../support/init-lines.js';
import { freePort, missingPeer } from '../../support/peers.js';
import { startProgram, toToml } from '../../support/program.js';
import { readmePolicy } from '../../support/s3-policy.js';
import { serveHere } from '../../support/serve-here.js';
import { tempDir } from '../../support/temp-dir.js';
import { assertProblems, examine, examineByProcess } from '../examination.js';
import { startNginx } from '../nginx.js';

const corsRule = {
  AllowedOrigins: ['*'],
  AllowedMethods: ['GET', 'HEAD'],
  AllowedHeaders: ['Authorization', 'Content-Type', 'Content-Length', 'Range'],
  ExposeHeaders: ['Content-Length', 'Content-Range', 'ETag'],
};

type Download = 'proxy' | 'redirect' | 'public';

interface SetUp {
  readonly download: Download;
  /** The value of `download` in the doctor's configuration, if it differs. */
  readonly expected?: Download;
  readonly cors?: CORSRule | 'none';
  /** True if anybody may read the bucket. */
  readonly isPublic?: boolean;
  /** Directives of the nginx in front of prosody-filer, and of the one in front of the bucket. */
  readonly proxy?: string;
  readonly cdn?: string;
  readonly baseDomain?: string;
  /** Uploads go to the bucket directly. Downloads come from baseDomain, or from prosody-filer at the slots' URL. */
  readonly direct?: 'baseDomain' | 'filer';
  readonly slotUrl?: string;
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
const typeChanged = /came back as text\/x-other\. \| A CDN or proxy in front of the bucket/;

const brokenSetUps: Record<string, SetUp> = {
  'a bucket without CORS rules': {
    download: 'redirect',
    cors: 'none',
    problems: { 'CORS of store': /does not allow all origins.*the header Range.*reading ETag.*check-config prints/ },
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
    problems: { 'CORS of store': /does not allow reading Content-Length: web/ },
  },
  'a redirect that the proxy lets caches keep': {
    download: 'redirect',
    proxy: 'proxy_hide_header Cache-Control; add_header Cache-Control max-age=60;',
    problems: { redirect: /without Cache-Control: no-store/ },
  },
  'a redirect that the proxy rewrites': {
    download: 'redirect',
    proxy: 'proxy_redirect ~^http://[^/]+/(.*)$ https://other.example/$1;',
    problems: { redirect: /is redirected to https:\/\/other\.example\/[^?]*, not to http:.*proxy_redirect off/ },
  },
  'a server that does not redirect': {
    download: 'proxy',
    expected: 'redirect',
    problems: { redirect: /200 from prosody-filer instead of 302.*another s3\.download/ },
  },
  'a server that redirects where it should not': {
    download: 'redirect',
    expected: 'proxy',
    problems: {
      ...Object.fromEntries(
        checksOfContent.map((check) => [
          check,
          /its download got 302 from prosody-filer\. \| The running server has another s3\.download/,
        ]),
      ),
      HEAD: /GET got 302 from prosody-filer, HEAD got 200/,
      range: /302 from prosody-filer/,
      'safe headers': /without Content-Disposition: attachment/,
    },
  },
  'a signature that is dropped on the way to the bucket': {
    download: 'redirect',
    cdn: 'if ($args ~ X-Amz-Signature) { set $args ""; }',
    problems: { redirect: /403 from the store \(127.*drops or changes the query of the signed URL/ },
  },
  'a Range header that is dropped on the way to the bucket': {
    download: 'redirect',
    cdn: 'max_ranges 0; proxy_set_header Range "";',
    problems: { range: /200 from the store.*A CDN or proxy.*pass on Range/ },
  },
  'a bucket that is not public': {
    download: 'public',
    problems: { redirect: /403 from the store.*or the bucket behind s3.baseDomain is not public/ },
  },
  'a baseDomain without a server': {
    download: 'public',
    isPublic: true,
    baseDomain: `http://127.0.0.1:${await freePort()}`,
    problems: { redirect: /No answer from http:\/\/127.*ECONNREFUSED.*Open the store to clients/ },
  },
  'a CDN that drops Content-Disposition': {
    download: 'public',
    isPublic: true,
    cdn: 'proxy_hide_header Content-Disposition;',
    problems: { 'safe headers': /without Content-Disposition: attachment.*from the store.*A CDN/ },
  },
  'a CDN that compresses': {
    download: 'public',
    isPublic: true,
    cdn: 'gzip on;',
    problems: { compression: /as gzip, with the ETag W\/.*A CDN/ },
  },
  'a CDN that drops CORS headers': {
    download: 'public',
    isPublic: true,
    cdn: 'proxy_hide_header Access-Control-Allow-Origin;',
    problems: { 'CORS of store': /all origins.*a CDN does not pass on Origin/ },
  },
  'a CDN that changes types': {
    download: 'public',
    isPublic: true,
    cdn: 'proxy_hide_header Content-Type; add_header Content-Type text/x-other;',
    problems: {
      ...Object.fromEntries(checksOfContent.map((check) => [check, typeChanged])),
      HEAD: /GET got 200 from the store .*differ: content-type/,
    },
  },
};

const uploadRule = { ...corsRule, AllowedMethods: ['GET', 'HEAD', 'PUT'] };

const addHeaders =
  'add_header Content-Disposition attachment; add_header X-Content-Type-Options nosniff; ' +
  `add_header Content-Security-Policy "default-src 'none'; media-src 'self'; sandbox";`;

/** Mistakes in set-ups with direct uploads; by default downloads come from baseDomain, with safe headers. */
const brokenDirectUploads: Record<string, Partial<SetUp> & Pick<SetUp, 'problems'>> = {
  'CORS rules without PUT': {
    cors: corsRule,
    problems: { 'direct CORS': /does not allow all origins.*the method PUT.*web clients cannot upload.*check-config/ },
  },
  'CORS rules for uploads that do not allow a type': {
    cors: { ...uploadRule, AllowedHeaders: ['Range'] },
    problems: { 'direct CORS': /the header Content-Type/ },
  },
  'CORS rules without ranges of downloads': {
    cors: { ...uploadRule, AllowedHeaders: ['Content-Type'] },
    problems: { 'baseDomain CORS': /the header Range: web clients need this/ },
  },
  'a body limit in front of the bucket': {
    cdn: 'if ($uri ~ direct) { return 413; }',
    problems: { 'direct upload': /413 from the store.*client_max_body_size/ },
  },
  'a proxy in front of the bucket that drops signatures': {
    cdn: 'if ($args ~ X-Amz-Signature) { set $args ""; }',
    problems: { 'direct upload': /403 from the store.*a proxy in front of the bucket changes path, query/ },
  },
  'a service that takes any length': {
    cdn: `${addHeaders} if ($uri ~ direct-length) { return 200; }`,
    problems: { 'direct length': /A slot for \d+ bytes accepts \d+ bytes \(200 from the store.*upload = "filer"/ },
  },
  'a service that fails at other lengths': {
    cdn: `${addHeaders} set $asked $request_method$uri; if ($asked ~ PUT.*direct-length) { return 500; }`,
    problems: { 'direct length': /500 from the store.*Ask the operator of the S3 service/ },
  },
  'a baseDomain of direct uploads that leads elsewhere': {
    cdn: 'set $signed "$args$http_authorization"; if ($signed = "") { rewrite direct /no-such-bucket/x; }',
    problems: { 'direct download': /its download got 404 from the store.*leads to another bucket/ },
  },
  'a bucket of direct uploads that is not public': {
    isPublic: false,
    problems: { 'direct download': /its download got 403 from the store.*behind s3.baseDomain is not public/ },
  },
  'a baseDomain of direct uploads without a server': {
    baseDomain: `http://127.0.0.1:${await freePort()}`,
    problems: { 'direct download': /No answer from http:\/\/127.*ECONNREFUSED.*upload = "filer"/ },
  },
  'a baseDomain that shows pages': {
    cdn: '',
    problems: { 'baseDomain HTML': /without Content-Disposition: attachment and .*from the store.*their client sent/ },
  },
  'slots whose downloads lead to another server': {
    direct: 'filer',
    slotUrl: 'https://other.example/upload/',
    problems: { 'slot URL': /have another URL: https:\/\/other\.example\/upload\/.*baseUrl = "http:/ },
  },
};

async function prepareBucket({ client, createBucket }: Ceph, { direct, cors, isPublic = false }: SetUp) {
  const bucket = await createBucket();
  const rule = cors ?? (direct === undefined ? corsRule : uploadRule);
  if (rule !== 'none') {
    await client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [rule] } }));
  }
  if (isPublic) await client.send(readmePolicy('"Principal"', bucket));
  return bucket;
}

/**
 * Runs the doctor on nginx → prosody-filer → bucket; clients reach the bucket through another nginx. The built program is what
 * the doctor runs as and talks to where there is no mistake to be found.
 */
async function examineSetUp(t: TestContext, ceph: Ceph, setUp: SetUp) {
  const { download, expected = download, proxy = '', cdn = '', direct, baseDomain } = setUp;
  const bucket = await prepareBucket(ceph, setUp);
  const front = await startNginx(
    t,
    `location / { proxy_pass ${ceph.endpoint}; proxy_set_header Host $http_host; client_max_body_size 0; ${cdn} }`,
  );
  const { accessKeyId, secretAccessKey } = ceph;
  const isFine = Object.keys(setUp.problems).length === 0;
  const program = await (isFine ? startProgram : serveHere)(t, {
    // To find a mistake takes no large file of 20 MB.
    maxFileSize: isFine ? undefined : '2MB',
    s3: {
      ...{ bucket, accessKeyId, secretAccessKey, download, path: 'some/path', forcePathStyle: true },
      endpointUrl: download === 'redirect' ? front : ceph.endpoint,
      baseDomain: direct === 'filer' ? undefined : (baseDomain ?? `${front}/${bucket}`),
    },
  });
  const config = await readFile(program.configFile, 'utf8');
  const configFile = path.join(await tempDir(t), 'config.toml');
  const [inServer, beforeServer] = nginxOfInit(program);
  const url = `${await startNginx(t, inServer.replace('gzip off;', `gzip off; ${proxy}`), beforeServer)}/upload/`;
  const component = { jid: 'upload.example.org', secret: 's', baseUrl: setUp.slotUrl ?? url, upload: 'direct' };
  await writeFile(
    configFile,
    config
      .replace(`download = "${download}"`, `download = "${expected}"`)
      // The server itself reaches the bucket by another URL than clients.
      .replace(`endpointUrl = "${ceph.endpoint}"`, `endpointUrl = "${direct === undefined ? ceph.endpoint : front}"`)
      .concat(direct === undefined ? '' : toToml({ component })),
  );
  const examination = await (isFine ? examineByProcess : examine)({ configFile }, url);
  return { bucket, examination };
}

const skip = missingPeer(...cephPrograms, 'nginx');

describe('the doctor with uploads in a bucket', { concurrency: 2, skip }, () => {
  const ceph = sharedCeph();

  async function expectProblems(t: TestContext, setUp: SetUp) {
    const { bucket, examination } = await examineSetUp(t, await ceph(), setUp);
    assertProblems(examination, setUp.problems);
    assert.deepEqual(await (await ceph()).keysIn(bucket), []);
    return examination;
  }

  for (const download of ['proxy', 'redirect', 'public'] as const) {
    it(`finds no problem with download = "${download}", and leaves no files`, async (t) => {
      const isPublic = download === 'public';
      const { findings } = await expectProblems(t, { download, isPublic, problems: {} });
      const ofStore = findings.filter(({ check }) => ['redirect', 'CORS of store', 'store domain'].includes(check));
      assert.equal(ofStore.length, download === 'proxy' ? 0 : 3);
      assert.deepEqual(
        findings.filter(({ outcome }) => outcome !== 'ok'),
        [],
      );
      const foundBy = (name: string) => findings.find(({ check }) => check === name)?.found;
      assert.match(foundBy('removal') ?? '', / The doctor removes them from s3:\/\/bucket-\w+\/some\/path\/$/);
      const safety =
        download === 'proxy' ? /with nosniff/ : /HTML is served as a download\. A CDN could add X-Content-Type/;
      assert.match(foundBy('safe headers') ?? '', safety);
    });
  }

  it('knows the safe headers that a CDN adds', async (t) => {
    const cdn = `add_header X-Content-Type-Options nosniff; add_header Content-Security-Policy "default-src 'none'";`;
    const { findings } = await expectProblems(t, { download: 'public', isPublic: true, cdn, problems: {} });
    assert.ok(
      findings.some(
        ({ found }) => found === 'HTML is served as a download, with nosniff and a Content-Security-Policy.',
      ),
    );
  });

  for (const [mistake, setUp] of Object.entries(brokenSetUps)) {
    it(`names ${mistake}`, async (t) => {
      await expectProblems(t, setUp);
    });
  }

  for (const download of ['proxy', 'redirect', 'public'] as const) {
    for (const direct of download === 'public' ? (['baseDomain'] as const) : (['baseDomain', 'filer'] as const)) {
      it(`finds no problem with direct uploads, downloads from ${direct} and download = "${download}"`, async (t) => {
        const cdn = direct === 'filer' ? '' : addHeaders;
        const { findings } = await expectProblems(t, {
          download,
          direct,
          cdn,
          isPublic: direct !== 'filer',
          problems: {},
        });
        assert.deepEqual(
          findings.filter(({ outcome }) => outcome !== 'ok'),
          [],
        );
        const names = findings.map(({ check }) => check).filter((check) => /^(direct|baseDomain|slot URL)/.test(check));
        const ofDomain = [...(download === 'proxy' ? ['baseDomain CORS', 'baseDomain host'] : []), 'baseDomain HTML'];
        assert.deepEqual(names, [
          ...(direct === 'filer' ? ['slot URL'] : []),
          ...['direct upload', 'direct CORS', 'direct length', 'direct download'],
          ...(direct === 'filer' ? [] : ofDomain),
        ]);
      });
    }
  }

  for (const [mistake, setUp] of Object.entries(brokenDirectUploads)) {
    it(`names ${mistake}`, async (t) => {
      const isPublic = setUp.direct !== 'filer';
      const cdn = isPublic ? addHeaders : '';
      const { bucket, examination } = await examineSetUp(t, await ceph(), {
        ...{ download: 'proxy', direct: 'baseDomain', isPublic, cdn },
        ...setUp,
      });
      assertProblems(examination, setUp.problems);
      assert.doesNotMatch(JSON.stringify(examination), /X-Amz-/);
      assert.deepEqual(await (await ceph()).keysIn(bucket), []);
    });
  }

  it('names a key without rights, and prints no signature', async (t) => {
    const peer = await ceph();
    const limited = await peer.createUser('doctor');
    const bucket = await peer.createBucket();
    await peer.client.send(readmePolicy('s3:ListBucket', bucket, 'doctor'));
    const s3 = { bucket, ...limited, endpointUrl: peer.endpoint, forcePathStyle: true };
    const program = await startProgram(t, { s3 });
    await peer.client.send(new DeleteBucketPolicyCommand({ Bucket: bucket }));
    const examination = await examine(program, program.uploadUrl);
    assertProblems(examination, { connection: /502 from prosody-filer\. \| The S3 service refuses/ });
    assert.doesNotMatch(JSON.stringify(examination), /X-Amz|doctor-secret-key/);
  });
});
