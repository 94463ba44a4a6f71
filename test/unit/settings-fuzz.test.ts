import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import toml from '@iarna/toml';
import fc from 'fast-check';
import type { Config } from '../../src/config/config.js';
import { ConfigError } from '../../src/config/config-error.js';
import { loadConfig } from '../../src/config/load-config.js';
import { settingsSchema } from '../../src/config/settings.js';
import { buildApp } from '../../src/http/app.js';
import { compileRetention } from '../../src/retention/expiry.js';
import { openRetention } from '../../src/retention/open-retention.js';
import { Quotas } from '../../src/retention/quotas.js';
import { openSlotIssuer } from '../../src/service/open-slot-issuer.js';
import { openStore } from '../../src/storage/open-store.js';
import type { ServedStore } from '../../src/storage/store.js';
import type { UploadKey } from '../../src/upload/upload-key.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { tempDir } from '../support/temp-dir.js';

/** The patterns of file names and types have tests of their own. */
const patterns = new Set(['match', 'contentType', 'allowedTypes']);

const traps = [
  ...[
    '',
    ' ',
    '.',
    '..',
    '/',
    '%41',
    '%zz',
    '\0',
    'a\u0001b',
    'a\nb',
    '\ufffe',
    'é',
    'x'.repeat(300),
    '.prosody-filer',
    "it's",
  ],
  ...[
    '0.0.0.0/0',
    '::/0',
    '0/8',
    '010.0.0.1',
    '1',
    '10.0.0.0/8',
    '10.0.0.0/08',
    '::ffff:1.2.3.4/96',
    'fe80::1%eth0',
    'unix',
  ],
  ...[':0', ':65536', '[::1]:80', '[::1%lo]:80', '[1.2.3.4]:80', '[zz]:80', 'a b:80', 'a/b:80', '-:80', 'é.example:80'],
  ...[
    '0.4ms',
    '1.5ms',
    '1.0001s',
    '60s',
    '24d',
    '24.8d',
    '25d',
    '99999999999999w',
    `${'0'.repeat(120)}1s`,
    '1e3s',
    '-1s',
  ],
  ...['1B', '0.1B', '50MB', '8PiB', '99999999999999TB', '9007199254740993B', '1.0001KiB'],
  ...['0000', '0040', '0400', '0640', '0700', '0777', '888', '64'],
  ...[
    'https://s3.example.org',
    'https://s3 x',
    'https://[::1',
    'https://a:99999',
    'http://a%zz',
    'https://a/b',
    'HTTP://a',
  ],
  ...[
    'https://u.example.org/',
    'a[b',
    'a:b',
    'eu-central-1',
    'a_b',
    '-a',
    'a'.repeat(64),
    'INFO',
    'warning',
    'a@b',
    'a@@b',
  ],
];
const value = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom(...traps) },
  fc.constantFrom(...traps).map((text) => [text]),
  fc.string({ unit: 'binary', maxLength: 20 }).filter((text) => !/\p{Cs}/u.test(text)),
  fc.string({ maxLength: 120 }),
  fc.constantFrom(
    '127.0.0.1',
    'upload',
    'sync',
    'evict',
    'direct',
    'redirect',
    'public',
    true,
    false,
    1,
    2,
    64,
    65_535,
  ),
  fc.integer({ min: -2, max: 2 ** 31 }),
);

function fieldsOf(properties: object): string[] {
  return Object.keys(properties).filter(
    (key) => !['s3', 'component', 'retention', 'quota'].includes(key) && !patterns.has(key),
  );
}

const { s3, component } = settingsSchema.properties;
const topKeys = fieldsOf(settingsSchema.properties);
const s3Keys = fieldsOf(s3.properties);
const componentKeys = fieldsOf(component.properties);

function some(keys: readonly string[]) {
  return fc.dictionary(fc.constantFrom(...keys), value, { maxKeys: 2, noNullPrototype: true });
}

const account = { jid: 'upload.example.org', secret: 'c', baseUrl: 'https://u.example.org/upload/' };
const bucket = { bucket: 'uploads', region: 'eu-central-1', accessKeyId: 'id', secretAccessKey: 'hush' };
const common = { secret: 'k', uploadSubDir: 'upload' };
const onDisk = fc.tuple(some(topKeys), some(componentKeys)).map(([top, table]) => ({
  ...common,
  storeDir: '/nonexistent/store',
  ...top,
  ...(Object.keys(table).length === 0 ? {} : { component: { ...account, ...table } }),
}));
const inBucket = fc.tuple(some(topKeys), some(s3Keys), some(componentKeys)).map(([top, table, direct]) => ({
  ...common,
  ...top,
  s3: { ...bucket, ...table },
  component: { ...account, upload: 'direct', ...direct },
}));
const quota = fc
  .record({ userQuota: value, dailyQuota: value, maxFileSize: value, requestsPerMinute: value }, { requiredKeys: [] })
  .map((figures) => ({ ...common, storeDir: '/nonexistent/store', quota: [{ match: 'example.org', ...figures }] }));
const retention = fc
  .record({ largerThan: value, purpose: value, expiresAfter: value }, { requiredKeys: ['largerThan', 'expiresAfter'] })
  .map((rule) => ({ ...common, storeDir: '/nonexistent/store', retention: [rule] }));

const logger = { info() {}, warn() {}, error() {}, isLevelEnabled: () => false };

/** Builds everything that takes a setting, as a start does. */
async function buildAll(config: Config, store: ServedStore): Promise<void> {
  const retention = compileRetention(config.retention);
  const limitSettings = { ...config.limits, evictMinAgeMs: config.evictMinAgeMs };
  const context = { uploaderIds: new UploaderIds(config.secrets), logger, now: Date.now };
  const { limits } = openRetention(store, retention, limitSettings, context);
  const quotas = new Quotas(config.limits.quotas, context.uploaderIds);
  const app = buildApp({ store, settings: config, retention, limits, quotas, logger, now: Date.now });
  await app.close();
  // As JSON it goes to the workers.
  JSON.stringify(config, (_key, part) => {
    assert.ok(typeof part !== 'number' || Number.isFinite(part));
    return part;
  });
  for (const ms of [config.shutdownTimeoutMs + 2000, config.sweepIntervalMs, config.stallTimeoutMs])
    assert.ok(Number.isSafeInteger(ms) && ms > 0 && ms < 2 ** 31, `a timer cannot wait ${ms} ms`);
  for (const ms of [config.retention.expiresAfterMs ?? 0, config.replayWindowMs, config.evictMinAgeMs])
    assert.doesNotThrow(() => new Date(Date.now() + ms).toISOString());
  if (config.component === undefined) return;
  const issuer = await openSlotIssuer(config.component, config);
  const unknown = { contentType: undefined, expiresAt: undefined };
  const planned = { key: 's/f' as UploadKey, size: 1, uploader: 'u', ...unknown };
  const { putUrl, getUrl } = await issuer.issue(planned, Date.now());
  assert.ok(URL.canParse(putUrl) && URL.canParse(getUrl), `${putUrl} ${getUrl}`);
}

describe('any value of any setting', () => {
  for (const [place, settings] of Object.entries({ onDisk, inBucket, retention, quota })) {
    it(`is a ConfigError, or a server can be built with it: ${place}`, async (t) => {
      const folder = await tempDir(t);
      const file = path.join(folder, 'config.toml');
      const { store } = await openStore({ storeDir: folder, isDurable: false, stallTimeoutMs: 60_000 });
      const property = fc.asyncProperty(settings, async (given) => {
        writeFileSync(file, toml.stringify(given as toml.JsonMap));
        let config: Config;
        try {
          ({ config } = loadConfig(file));
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
          for (const problem of error.problems)
            assert.match(problem, /config\.toml:.* expected |config\.toml:\d+:\d+: /s);
          return;
        }
        await buildAll(config, store);
      });
      await fc.assert(property, { numRuns: 200 });
    });
  }
});
