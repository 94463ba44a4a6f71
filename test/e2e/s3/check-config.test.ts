import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import {
  type LifecycleRule,
  PutBucketAclCommand,
  PutBucketCorsCommand,
  PutBucketLifecycleConfigurationCommand,
  PutBucketPolicyCommand,
  PutBucketVersioningCommand,
} from '@aws-sdk/client-s3';
import { type Ceph, cephPrograms, sharedCeph } from '../../support/ceph.js';
import { mainFile, run } from '../../support/command.js';
import { freePort, missingPeer } from '../../support/peers.js';
import { type Settings, toToml } from '../../support/program.js';
import { runHere } from '../../support/run-here.js';
import { readmePolicy } from '../../support/s3-policy.js';
import { tempDir } from '../../support/temp-dir.js';
import type { Finding } from '../examination.js';
import { startNginx } from '../nginx.js';

/** The settings of a table [s3] for the bucket, with others in it and beside it. */
function settingsFor(ceph: Ceph, bucket: string, s3: Settings, settings: Settings): Settings {
  const { endpoint: endpointUrl, accessKeyId, secretAccessKey } = ceph;
  const table = { bucket, endpointUrl, accessKeyId, secretAccessKey, forcePathStyle: true, path: 'some/path', ...s3 };
  return { listenPort: '127.0.0.1:0', secret: '0123456789abcdef', ...settings, s3: table as Settings[string] };
}

function days(Days: number): LifecycleRule {
  return { ID: 'r', Status: 'Enabled', Filter: { Prefix: '' }, Expiration: { Days } };
}

function withoutListing({ input }: PutBucketPolicyCommand): PutBucketPolicyCommand {
  const policy = JSON.parse(input.Policy ?? '');
  const Statement = policy.Statement.filter(({ Action }: { Action: unknown }) => Action !== 's3:ListBucket');
  return new PutBucketPolicyCommand({ ...input, Policy: JSON.stringify({ ...policy, Statement }) });
}

async function writeConfig(t: TestContext, settings: Settings): Promise<string> {
  const file = path.join(await tempDir(t), 'config.toml');
  await writeFile(file, toToml(settings), { mode: 0o600 });
  return file;
}

/** Runs check-config in the process of the test or, if a command is named, as the last argument of that command. */
async function check(t: TestContext, settings: Settings, [program, ...args]: readonly string[] = []) {
  const line = ['check-config', '--json', '--config', await writeConfig(t, settings)];
  const { code, stdout, stderr } = await (program === undefined
    ? runHere(...line)
    : run(program, [...args, process.execPath, mainFile, ...line]));
  assert.equal(stderr, '');
  const { findings }: { findings: readonly Finding[] } = JSON.parse(stdout);
  const ofBucket = findings.filter(({ check }) => /^s3|FileSize/.test(check));
  return {
    code,
    found: ofBucket.filter(({ outcome }) => outcome !== 'ok'),
    ok: ofBucket.filter(({ outcome }) => outcome === 'ok').map(toLine),
  };
}

/** A finding on one line, with what to change behind a bar. */
function toLine({ check, outcome, found, cause, change }: Finding): string {
  return [`${outcome}: ${check}: ${found}`, cause, change].filter((part) => part !== undefined).join(' | ');
}

const direct = {
  component: { jid: 'upload.example.org', secret: 's', baseUrl: 'https://uploads.example.org/', upload: 'direct' },
};

/** Ceph obeys headers that were not signed unless a policy forbids it. */
const obeyed =
  /^problem: s3 slots: Whoever has a slot can have the service copy any object .*, and let anybody read the upload, .* \| .* key that reaches this bucket only\. Or set upload = "filer" in \[component\]/;

const corsRule = {
  AllowedOrigins: ['*'],
  AllowedMethods: ['GET', 'HEAD'],
  AllowedHeaders: ['authorization', 'content-type', 'content-length', 'range'],
  ExposeHeaders: ['Content-Length', 'Content-Range', 'ETag'],
};

describe('check-config with a bucket', { concurrency: 2, skip: missingPeer(...cephPrograms) }, () => {
  const ceph = sharedCeph();

  /** Runs check-config for a bucket with this set-up, and expects exactly these findings and an empty bucket. */
  async function expectFound(
    t: TestContext,
    expected: readonly RegExp[],
    s3: Settings = {},
    settings: Settings = {},
    setUp: (peer: Ceph, bucket: string) => Promise<unknown> = async () => undefined,
    command: readonly string[] = [],
  ) {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    await setUp(peer, bucket);
    const result = await check(t, settingsFor(peer, bucket, s3, settings), command);
    const lines = result.found.map(toLine);
    assert.equal(lines.length, expected.length, lines.join('\n'));
    for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? '', pattern);
    assert.deepEqual(await peer.keysIn(bucket), []);
    return { ...result, peer, bucket };
  }

  it('finds nothing wrong with a private bucket', async (t) => {
    const { ok } = await expectFound(t, []);
    for (const what of [
      /s3 clock: The server's clock and this machine's clock agree within 60 s\./,
      /s3 listing: Nobody can list uploads without the key \(403\)/,
      /s3 bucket: The bucket stores, returns and deletes uploads with this key/,
      /s3 access: An upload in the bucket is 403 without the key/,
      /s3 lifecycle: No lifecycle rule of the bucket deletes uploads\.$/,
      /s3 versions: Deleted uploads leave no versions/,
    ]) {
      assert.ok(
        ok.some((line) => what.test(line)),
        ok.join('\n'),
      );
    }
    assert.equal(ok.length, 6);
  });

  it('fails where a start would fail', async (t) => {
    const unusable = /^failure: s3 service: expected the bucket \S+ to take uploads with this key, S3 PUT: /;
    await expectFound(t, [new RegExp(`${unusable.source}403 SignatureDoesNotMatch`)], { secretAccessKey: 'x' });
    await expectFound(t, [new RegExp(`${unusable.source}403 InvalidAccessKeyId`)], { accessKeyId: 'x' });
    await expectFound(t, [new RegExp(`${unusable.source}404 NoSuchBucket`)], { bucket: 'no-such-bucket' });
  });

  it('reports a service that is out of reach as a problem', async (t) => {
    const endpointUrl = `http://127.0.0.1:${await freePort()}`;
    await expectFound(t, [/^problem: s3 service: Uploads would fail now: S3 GET: ECONNREFUSED/], { endpointUrl });
  });

  it('reports clocks that differ', { skip: missingPeer('faketime') }, async (t) => {
    const cases: [string, readonly RegExp[]][] = [
      ['-2m', [/^warning: s3 clock: The clock of the S3 service is 1[12]\d s ahead of this machine's clock.*NTP/]],
      ['+6m', [/^problem: s3 clock: The clock of the S3 service is 3[56]\d s behind this machine's clock.*NTP/]],
      [
        '+20m',
        [
          /^problem: s3 clock: The clock of the S3 service is 1\d\d\d s behind/,
          /^warning: s3 bucket: the bucket cannot be used now.*403 RequestTimeTooSkewed/,
        ],
      ],
    ];
    for (const [offset, expected] of cases) {
      await expectFound(t, expected, {}, {}, undefined, ['faketime', '-f', offset]);
    }
  });

  it('reports sizes that are too large for an object', async (t) => {
    await expectFound(
      t,
      [/^problem: maxFileSize: maxFileSize is more than 5 GiB.* \| maxFileSize = "5GiB"$/],
      {},
      { maxFileSize: '5.1GiB' },
    );
    await expectFound(t, [], {}, { maxFileSize: '5GiB' });
  });

  it('prints the CORS rules that web clients need, and accepts them once they are set', async (t) => {
    const missing =
      /^problem: s3 CORS: The bucket has no CORS rules, so web clients cannot .* \| Put these .*: aws s3api put-bucket-cors --cors-configuration file:\/\/cors\.json --bucket \S+ --endpoint-url http:/;
    for (const [s3, settings, methods, others] of [
      [{ download: 'redirect' }, {}, 'GET, HEAD', []],
      [{}, direct, 'GET, HEAD, PUT', [obeyed]],
    ] as const) {
      const { peer, bucket, found } = await expectFound(t, [missing, ...others], s3, settings);
      const CORSConfiguration = JSON.parse(found[0]?.paste ?? '');
      await peer.client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration }));
      const after = await check(t, settingsFor(peer, bucket, s3, settings));
      assert.equal(after.found.length, others.length);
      assert.ok(after.ok.includes(`ok: s3 CORS: The bucket's CORS rules let all sites use ${methods}.`));
    }
    await expectFound(t, []);
  });

  it('reports CORS rules that are too narrow, and accepts wider ones', async (t) => {
    const setCors =
      (...CORSRules: (typeof corsRule)[]) =>
      (peer: Ceph, bucket: string) =>
        peer.client.send(new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules } }));
    const narrow: [Partial<typeof corsRule>, string][] = [
      [{ AllowedOrigins: ['https://client.example'] }, 'GET, HEAD'],
      [{ AllowedMethods: ['GET'] }, 'HEAD'],
      [{ AllowedHeaders: ['Authorization', 'Content-Type', 'Content-Length'] }, 'GET, HEAD'],
      [{ ExposeHeaders: ['ETag'] }, 'GET, HEAD'],
    ];
    for (const [change, methods] of narrow) {
      const expected = new RegExp(`^problem: s3 CORS: No CORS rule of the bucket lets all sites use ${methods} with`);
      await expectFound(t, [expected], { download: 'redirect' }, {}, setCors({ ...corsRule, ...change }));
    }
    const forUploads = { ...corsRule, AllowedMethods: ['PUT'], AllowedHeaders: ['*'], ExposeHeaders: ['ETag'] };
    await expectFound(t, [obeyed], {}, direct, setCors(forUploads, corsRule));
  });

  it('prints the lifecycle rule that fits the settings, and accepts it once it is set', async (t) => {
    const settings = { expiresAfter: '36h', replayWindow: '1d' };
    const { peer, bucket, ok, found } = await expectFound(t, [], {}, settings);
    assert.deepEqual(found, []);
    const advice =
      /^ok: s3 lifecycle: No lifecycle rule of the bucket deletes uploads\. The sweep .* does\..*put-bucket-lifecycle-configuration/;
    assert.ok(ok.some((line) => advice.test(line)));
    const file = await writeConfig(t, settingsFor(peer, bucket, {}, settings));
    const { stdout, stderr } = await run(process.execPath, [mainFile, 'check-config', '--config', file]);
    assert.equal(stderr, '');
    const [, paste = ''] = /put-bucket-lifecycle-configuration.*\n((?: {10}.*\n)+)/.exec(stdout) ?? [];
    const LifecycleConfiguration = JSON.parse(paste);
    assert.equal(LifecycleConfiguration.Rules[0].Expiration.Days, 2);
    assert.equal(LifecycleConfiguration.Rules[0].Filter.Prefix, 'some/path/');
    await peer.client.send(new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration }));
    const after = await check(t, settingsFor(peer, bucket, {}, settings));
    assert.deepEqual(after.found, []);
    assert.ok(
      after.ok.includes(
        'ok: s3 lifecycle: The bucket\'s lifecycle rule "prosody-filer" deletes objects after 2 days, when no setting keeps them any longer.',
      ),
    );
  });

  it('reports only lifecycle rules that delete too early', async (t) => {
    const early = 'The bucket\'s lifecycle rule "r" deletes objects after 7 days, but';
    const cases: [Settings, LifecycleRule, readonly RegExp[]][] = [
      [
        {},
        days(7),
        [
          new RegExp(
            `^problem: s3 lifecycle: ${early} expiresAfter keeps uploads for ever, replayWindow .* for 30 days\\. \\| Without expiresAfter, no rule may`,
          ),
        ],
      ],
      [
        { expiresAfter: '28d' },
        days(7),
        [new RegExp(`${early} expiresAfter .* 28 days, replayWindow .* 30 days\\. \\| Put this rule`)],
      ],
      [
        { expiresAfter: '7d' },
        days(7),
        [new RegExp(`${early} replayWindow keeps tombstones of deleted uploads for 30 days`)],
      ],
      [{ expiresAfter: '7d', replayWindow: '0s' }, days(7), []],
      [{}, { ...days(7), Filter: { Prefix: 'other/' } }, []],
      [{}, { ...days(7), Filter: { Prefix: 'some/path/deeper/' } }, [new RegExp(early)]],
      [{}, { ...days(7), Filter: { Tag: { Key: 'k', Value: 'v' } } }, []],
      [{}, { ...days(7), Status: 'Disabled' }, []],
    ];
    for (const [settings, rule, expected] of cases) {
      await expectFound(t, expected, {}, settings, (peer, bucket) =>
        peer.client.send(
          new PutBucketLifecycleConfigurationCommand({ Bucket: bucket, LifecycleConfiguration: { Rules: [rule] } }),
        ),
      );
    }
  });

  it('warns about a versioned bucket, and about PUTs that replace uploads there', async (t) => {
    const peer = await ceph();
    const bucket = await peer.createBucket();
    const VersioningConfiguration = { Status: 'Enabled' } as const;
    await peer.client.send(new PutBucketVersioningCommand({ Bucket: bucket, VersioningConfiguration }));
    const { code, found } = await check(t, settingsFor(peer, bucket, {}, {}));
    assert.deepEqual([code, found.map(({ outcome }) => outcome)], [0, ['warning', 'warning']]);
    const [exclusive = '', versions = ''] = found.map(toLine);
    assert.match(exclusive, /^warning: s3 bucket: this service does not support If-None-Match: /);
    assert.match(versions, /s3 versions: The bucket is versioned, so deleted uploads stay as versions/);
  });

  it('reports uploads that anybody can fetch against the settings, and uploads that clients cannot fetch', async (t) => {
    const { endpoint } = await ceph();
    const publish = (peer: Ceph, bucket: string) => peer.client.send(readmePolicy('"Principal"', bucket));
    await expectFound(t, [/^problem: s3 access: Anybody can fetch uploads from the bucket/], {}, {}, publish);
    const listable = (peer: Ceph, bucket: string) =>
      peer.client.send(new PutBucketAclCommand({ Bucket: bucket, ACL: 'public-read' }));
    await expectFound(t, [/^problem: s3 listing: Anybody can list the names of all uploads at http/], {}, {}, listable);

    const allowAll = async (peer: Ceph, bucket: string) => {
      await peer.client.send(
        new PutBucketCorsCommand({ Bucket: bucket, CORSConfiguration: { CORSRules: [corsRule] } }),
      );
    };
    const bucket = 'public-bucket';
    const peer = await ceph();
    await peer.createBucket(bucket);
    await allowAll(peer, bucket);
    const isPublic = { download: 'public', baseDomain: `${endpoint}/${bucket}` };
    const before = await check(t, settingsFor(peer, bucket, isPublic, {}));
    assert.deepEqual([before.code, before.found.length], [1, 1]);
    const [closed = ''] = before.found.map(toLine);
    assert.match(
      closed,
      /^problem: s3 access: Clients cannot fetch uploads by s3\.baseDomain\. GET \S+\/some\/path\/\S+: 403 \| /,
    );
    await publish(peer, bucket);
    const after = await check(t, settingsFor(peer, bucket, isPublic, {}));
    assert.deepEqual([after.code, after.found], [0, []]);
    assert.ok(after.ok.includes(`ok: s3 access: Anybody can fetch uploads by s3.baseDomain, at ${endpoint}.`));
    const nowhere = { ...isPublic, baseDomain: `http://127.0.0.1:${await freePort()}` };
    const lost = await check(t, settingsFor(peer, bucket, nowhere, {}));
    const [unreachable = ''] = lost.found.map(toLine);
    assert.match(
      unreachable,
      /^problem: s3 access: Clients cannot fetch uploads by s3\.baseDomain\. GET \S+: S3 GET: ECONNREFUSED/,
    );
    assert.deepEqual(await peer.keysIn(bucket), []);
  });

  it('expects a public bucket where direct uploads are fetched by baseDomain', async (t) => {
    const { endpoint } = await ceph();
    const expected = [
      /^problem: s3 access: Clients cannot fetch uploads by s3\.baseDomain\. GET \S+: 404 \| /,
      /^problem: s3 CORS: The bucket has no CORS rules/,
      obeyed,
    ];
    await expectFound(t, expected, { baseDomain: `${endpoint}/no-such-bucket` }, direct);
  });

  it('prints the policy against headers that copy or publish objects, and accepts it once it is set', async (t) => {
    const allowAll = (peer: Ceph, bucket: string) =>
      peer.client.send(
        new PutBucketCorsCommand({
          Bucket: bucket,
          CORSConfiguration: { CORSRules: [{ ...corsRule, AllowedMethods: ['GET', 'HEAD', 'PUT'] }] },
        }),
      );
    const { peer, bucket, found } = await expectFound(t, [obeyed], {}, direct, allowAll);
    const policy = JSON.parse(found[0]?.paste ?? '');
    const only = (key: RegExp) => {
      const Statement = policy.Statement.filter(({ Condition }: object & { Condition: unknown }) =>
        key.test(JSON.stringify(Condition)),
      );
      return new PutBucketPolicyCommand({ Bucket: bucket, Policy: JSON.stringify({ ...policy, Statement }) });
    };
    const cases: [RegExp, readonly RegExp[]][] = [
      [
        /copy-source/,
        [/^warning: s3 slots: Whoever has a slot can let anybody read the upload, also once .* bucket\. Or set/],
      ],
      [
        /acl/,
        [
          /^problem: s3 slots: Whoever has a slot can have the service copy any object that this key may read [^,]* \| Add/,
        ],
      ],
      [/./, []],
    ];
    for (const [keys, expected] of cases) {
      await peer.client.send(only(keys));
      const after = await check(t, settingsFor(peer, bucket, {}, direct));
      const lines = after.found.map(toLine);
      assert.equal(lines.length, expected.length, lines.join('\n'));
      for (const [index, pattern] of expected.entries()) assert.match(lines[index] ?? '', pattern);
      assert.equal(
        after.ok.some((line) => /The bucket accepts a PUT to a slot/.test(line)),
        expected.length === 0,
      );
      assert.deepEqual(await peer.keysIn(bucket), []);
    }
  });

  it('reports a service that refuses signed PUTs', { skip: missingPeer('nginx') }, async (t) => {
    const { endpoint } = await ceph();
    const inFront = `if ($args ~ X-Amz-Signature) { return 403; } proxy_pass ${endpoint}; proxy_set_header Host $http_host;`;
    const expected = [
      /no CORS rules/,
      /^problem: s3 slots: A PUT to a slot is 403 in place of 200.* pass on path and query/,
    ];
    await expectFound(t, expected, { endpointUrl: await startNginx(t, `location / { ${inFront} }`) }, direct);
  });

  it("needs only the rights of the README's policy, and says what the key may not ask", async (t) => {
    const peer = await ceph();
    const limited = await peer.createUser('checker');
    const bucket = await peer.createBucket();
    await peer.client.send(readmePolicy('s3:ListBucket', bucket, 'checker'));
    const { code, found } = await check(t, settingsFor(peer, bucket, { ...limited, download: 'redirect' }, {}));
    assert.deepEqual([code, found.map(({ outcome }) => outcome)], [0, ['warning', 'warning', 'warning']]);
    for (const [index, what] of ["the bucket's CORS", "the bucket's lifecycle", 'whether'].entries()) {
      assert.match(
        found[index]?.found ?? '',
        new RegExp(`^The service does not tell this key ${what} .*403 AccessDenied`),
      );
    }
    assert.ok(found[0]?.paste?.includes('AllowedOrigins'));

    await peer.client.send(withoutListing(readmePolicy('s3:ListBucket', bucket, 'checker')));
    const lacking = await check(t, settingsFor(peer, bucket, limited, {}));
    assert.equal(lacking.code, 1);
    const [refused = ''] = lacking.found.map(toLine);
    assert.match(refused, /^problem: s3 service: Uploads would fail now: S3 HEAD: 403.* \| Allow .* s3:ListBucket to/);
    assert.deepEqual(await peer.keysIn(bucket), []);
  });
});
