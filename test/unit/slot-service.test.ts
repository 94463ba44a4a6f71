import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { LimitSettings } from '../../src/retention/limits.js';
import { Quotas } from '../../src/retention/quotas.js';
import { StoreLimits } from '../../src/retention/store-limits.js';
import { DailyQuota } from '../../src/slots/daily-quota.js';
import { directIssuer } from '../../src/slots/direct-issuer.js';
import { filerIssuer } from '../../src/slots/filer-issuer.js';
import type { SlotIssuer } from '../../src/slots/slot-issuer.js';
import { SlotService } from '../../src/slots/slot-service.js';
import { verifyToken } from '../../src/token/verify-token.js';
import { unlimited } from '../../src/units.js';
import { parseUploadKey } from '../../src/upload/upload-key.js';
import { UploaderIds } from '../../src/upload/uploader.js';
import { noLimits } from '../support/no-limits.js';
import { quotaTable } from '../support/quota-table.js';
import { key } from '../support/store-contract.js';
import { ids } from '../support/uploader-ids.js';

const now = Date.UTC(2026, 10, 22, 12, 30);
const jid = 'romeo@example.org';
const kB = 1000;

interface Differences {
  readonly dailyQuota?: number | undefined;
  readonly limits?: Partial<LimitSettings>;
  /** Bytes that the store has of romeo's, since an hour ago, and under which of his ids. */
  readonly stored?: number;
  readonly storedAs?: string;
  readonly issuer?: SlotIssuer;
  readonly allowedTypes?: readonly string[];
  readonly access?: readonly string[];
  readonly evict?: () => Promise<number>;
}

const uploaderIds = new UploaderIds(['mysecret', 'old-secret']);
const ownIssuer = filerIssuer('https://uploads.example.org/upload/', 'mysecret');

function serviceWith(differences: Differences) {
  const { dailyQuota, limits = {}, stored = 0, issuer = ownIssuer, allowedTypes = [] } = differences;
  const { storedAs = ids.ofMysecret, access = ['example.org'] } = differences;
  const clock = { now };
  const storeLimits = new StoreLimits(
    { ...noLimits, ...limits },
    {
      freeBytes: async () => 1e12,
      isTaken: async () => false,
      evictableBytes: () => 1e12,
      dropEvictable: () => undefined,
      evict: differences.evict ?? (async () => 0),
      uploaderIds,
      now: () => clock.now,
    },
  );
  const count = (size: number, uploader: string, modifiedAt: number) =>
    storeLimits.count({ key: key('stored/f'), size, uploader, modifiedAt });
  storeLimits.beginCount();
  if (stored > 0) count(stored, storedAs, now - 3_600_000);
  storeLimits.endCount();
  const lines: object[] = [];
  const warnings: object[] = [];
  const service = new SlotService(
    { access, maxFileSize: 1000 * kB, allowedTypes, purposes: [], dailyQuota },
    {
      issuer,
      limits: storeLimits,
      uploaderIds,
      quotas: new Quotas(limits.quotas ?? [], uploaderIds),
      logger: { info: (line) => lines.push(line), warn: (line) => warnings.push(line) },
      now: () => clock.now,
    },
  );
  const give = (size: number, filename = 'f.webp', from = jid, expireBefore?: string) =>
    service.give(from, { filename, size: String(size), contentType: undefined, expireBefore });
  return { give, lines, warnings, storeLimits, clock, count };
}

describe('a slot', () => {
  it('is refused if the file would expire before its upload', async () => {
    const { give, lines } = serviceWith({});
    const expiring = (time: number) => give(1, 'f', jid, new Date(time).toISOString());
    await assert.rejects(expiring(now), {
      code: 'UPLOAD_EXPIRED',
      message: /expire-before in the slot request has passed already/,
    });
    await assert.rejects(expiring(0), { code: 'UPLOAD_EXPIRED' });
    assert.deepEqual(lines, []);
    await expiring(now + 1000);
  });

  it('allows its upload, with the type of the name if none was announced', async () => {
    const { give, lines } = serviceWith({});
    const { putUrl, getUrl } = await give(10);
    const { pathname, searchParams, href } = new URL(putUrl);
    assert.equal(href.replace(/\?.*/, ''), getUrl);
    const key = parseUploadKey(pathname, ['upload']);
    const settings = { secrets: ['mysecret'], strictContentType: false };
    const source = { query: searchParams, authorization: undefined };
    const grant = await verifyToken(source, { key, size: 10, contentType: '' }, settings, ['upload'], now + 299_000);
    assert.deepEqual(grant, {
      contentType: 'image/webp',
      uploader: ids.ofMysecret,
      expiresAt: undefined,
      quota: undefined,
      purpose: undefined,
    });
    assert.deepEqual(lines, [{ uploader: jid, path: key, bytes: 10 }]);
  });

  it('takes no room before its upload starts', async () => {
    const { give } = serviceWith({ limits: { maxStoreSize: 100 * kB } });
    for (let count = 0; count < 3; count += 1) await give(100 * kB);
    await assert.rejects(give(101 * kB), { code: 'STORE_FULL' });
  });
});

describe('a slot for a direct upload', () => {
  /** An issuer, and what it was asked to sign so far. */
  function startSigning() {
    const signed: unknown[][] = [];
    const signPut = async (...upload: unknown[]) => {
      signed.push(upload);
      return 'https://s3.example.org/signed';
    };
    return { issuer: directIssuer({ signPut }, 'https://cdn.example.org/path/'), signed };
  }

  it('is signed for 300 s, for its size, and for its type only if announced', async () => {
    const { issuer, signed } = startSigning();
    const { give } = serviceWith({ issuer });
    const { putUrl, getUrl } = await give(10, "it's (1).webp");
    assert.equal(putUrl, 'https://s3.example.org/signed');
    assert.match(
      getUrl,
      new RegExp(`^https://cdn.example.org/path/${ids.ofMysecret}/[\\w-]{40}/it%27s%20%281%29.webp$`),
    );
    const key = decodeURIComponent(getUrl.slice('https://cdn.example.org/path/'.length));
    assert.deepEqual(signed, [[key, 10, undefined, 300]]);
  });

  it('is signed for the type of its name if types are limited and none was announced', async () => {
    const { issuer, signed } = startSigning();
    const { give } = serviceWith({ issuer, allowedTypes: ['image/*'] });
    await give(10, 'f.webp');
    assert.deepEqual(
      signed.map(([, ...facts]) => facts),
      [[10, 'image/webp', 300]],
    );
    await assert.rejects(give(10, 'f.html'), { code: 'TYPE_REFUSED' });
  });

  it('counts as stored as soon as it is given', async () => {
    const { give } = serviceWith({ issuer: startSigning().issuer, limits: { userQuota: 100 * kB } });
    await give(60 * kB);
    await assert.rejects(give(41 * kB), { code: 'QUOTA_REACHED', message: /^60000 bytes are stored/ });
    await give(40 * kB);
  });

  it('does not count if it could not be signed', async () => {
    let isBroken = true;
    const { give } = serviceWith({
      dailyQuota: 100 * kB,
      issuer: directIssuer(
        { signPut: async () => (isBroken ? Promise.reject(new Error('no key')) : 'https://x/') },
        '',
      ),
      limits: { userQuota: 100 * kB },
    });
    await assert.rejects(give(100 * kB), { message: 'no key' });
    isBroken = false;
    await give(100 * kB);
  });
});

describe('the quotas of slots', () => {
  it('include userQuota of the store', async () => {
    const { give } = serviceWith({ stored: 90 * kB, limits: { userQuota: 100 * kB } });
    await give(10);
    await assert.rejects(give(11 * kB), { code: 'QUOTA_REACHED', message: /userQuota/ });
  });

  for (const [name, storedAs] of Object.entries({ ...ids, jid })) {
    it(`count uploads stored for the JID as ${name}`, async () => {
      const byStore = serviceWith({ stored: 90 * kB, storedAs, limits: { userQuota: 100 * kB } });
      await assert.rejects(byStore.give(11 * kB), { code: 'QUOTA_REACHED', message: /userQuota/ });
      const byDay = serviceWith({ stored: 90 * kB, storedAs, dailyQuota: 100 * kB });
      await assert.rejects(byDay.give(11 * kB), { code: 'QUOTA_REACHED', message: /component\.dailyQuota/ });
      await byDay.give(10 * kB);
      await assert.rejects(byDay.give(1), { code: 'QUOTA_REACHED' });
    });
  }

  it('of a day hold for parallel requests, and for each uploader separately', async () => {
    const { give } = serviceWith({ dailyQuota: 100 * kB });
    const results = await Promise.allSettled(Array.from({ length: 30 }, () => give(30 * kB)));
    assert.equal(results.filter(({ status }) => status === 'fulfilled').length, 3);
    await give(100 * kB, 'f', 'juliet@example.org');
  });

  it('of a day count uploads from before the start, and say when there is room again', async () => {
    const { give } = serviceWith({ dailyQuota: 100 * kB, stored: 60 * kB });
    await Promise.all([give(20 * kB), give(20 * kB)]);
    const retryAt = Date.UTC(2026, 10, 23, 11);
    await assert.rejects(give(1), { code: 'QUOTA_REACHED', message: /component\.dailyQuota/, retryAt });
    await assert.rejects(give(101 * kB), { code: 'QUOTA_REACHED', retryAt: undefined });
  });

  it('of a day do not count refused requests', async () => {
    const { give } = serviceWith({ dailyQuota: 100 * kB, limits: { maxStoreSize: 50 * kB } });
    for (let count = 0; count < 5; count += 1) await assert.rejects(give(60 * kB), { code: 'STORE_FULL' });
    await give(50 * kB);
    await give(50 * kB);
    await assert.rejects(give(1), { code: 'QUOTA_REACHED' });
  });
});

describe('the daily quota', () => {
  it('counts room that eviction could make, without evicting', async () => {
    const evict = async () => assert.fail('something was evicted');
    const limits = { maxStoreSize: 50 * kB, evictsWhenFull: true };
    const signPut = async () => 'https://x/';
    for (const issuer of [ownIssuer, directIssuer({ signPut }, 'https://x/')]) {
      const { give } = serviceWith({ dailyQuota: 10 * kB, stored: 50 * kB, limits, evict, issuer });
      await assert.rejects(give(1), { code: 'QUOTA_REACHED' });
      await give(10 * kB, 'f', 'juliet@example.org');
    }
  });

  it('is free again after a day, and counts what the store knows of forgotten uploaders', async () => {
    const { give, storeLimits, clock, count } = serviceWith({ dailyQuota: 100 * kB });
    await give(100 * kB);
    clock.now += 25 * 3_600_000;
    await give(1, 'f', 'juliet@example.org');
    storeLimits.beginCount();
    count(40 * kB, ids.ofMysecret, clock.now);
    storeLimits.endCount();
    await assert.rejects(give(61 * kB), { code: 'QUOTA_REACHED', message: /^the uploader got slots for 40000 bytes/ });
    await give(60 * kB);
  });
});

describe('a gateway with a table of quotas', () => {
  const gateway = 'slidge.example.org';
  const quotas = [quotaTable(gateway, { maxFileSize: unlimited, dailyQuota: 300 * kB, requestsPerMinute: 100 })];
  const startGateway = (limits: Partial<LimitSettings> = {}, dailyQuota?: number) => {
    const { give, ...rest } = serviceWith({
      limits: { quotas, ...limits },
      dailyQuota,
      access: [gateway, 'example.org'],
    });
    return { ...rest, give, giveGateway: (size: number, from = gateway) => give(size, 'f', from) };
  };

  it('gets slots for larger files, and its token names the table', async () => {
    const { give, giveGateway } = startGateway({ quotas: [quotaTable(gateway, { maxFileSize: unlimited })] });
    await assert.rejects(give(1001 * kB), { code: 'SIZE_REFUSED', message: /exceed maxFileSize, 1000000$/ });
    const { pathname, searchParams } = new URL((await giveGateway(9000 * kB, `user@${gateway}`)).putUrl);
    const upload = { key: parseUploadKey(pathname, ['upload']), size: 9000 * kB, contentType: '' };
    const source = { query: searchParams, authorization: undefined };
    const grant = await verifyToken(source, upload, { secrets: ['mysecret'], strictContentType: false }, [], now);
    assert.equal(grant.quota, uploaderIds.idOf(gateway));
    assert.ok(
      !searchParams
        .get('slot')
        ?.split('.')
        .some((part) => Buffer.from(part, 'base64url').includes('slidge')),
    );
  });

  it('has its own figures for a day, for each of its JIDs', async () => {
    const { give, giveGateway } = startGateway({ dailyQuota: 100 * kB }, 100 * kB);
    await assert.rejects(give(101 * kB), { message: /exceed component\.dailyQuota, 100000$/ });
    for (const from of [gateway, `user@${gateway}`]) {
      await giveGateway(300 * kB, from);
      await assert.rejects(giveGateway(1, from), {
        code: 'QUOTA_REACHED',
        message: /exceed dailyQuota of \[\[quota\]\] slidge\.example\.org, 300000$/,
      });
    }
  });

  it('without a limit for the day does not wait until the store is counted', async () => {
    const sentByHour = () => assert.fail('the store was asked');
    const noQuota = new Quotas([quotaTable(gateway, { dailyQuota: unlimited })], uploaderIds);
    const ofDay = new DailyQuota(kB, { uploaderIds, quotas: noQuota, sentByHour, now: () => now });
    await ofDay.count(gateway, 900 * kB);
    assert.equal(await ofDay.left(gateway), undefined);
  });

  it('has its own pace', async () => {
    const { give, giveGateway, warnings } = startGateway();
    for (let count = 0; count < 100; count += 1) await giveGateway(1);
    await assert.rejects(giveGateway(1), { code: 'SLOTS_LIMITED' });
    assert.deepEqual(warnings, [
      { uploader: gateway, reason: `${gateway} asked for a slot more than 100 times within a minute` },
    ]);
    await give(1);
  });
});

describe('requests per minute', () => {
  it('are limited for each JID', async () => {
    const { give, warnings } = serviceWith({});
    const results = await Promise.allSettled(Array.from({ length: 62 }, () => give(1)));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    assert.deepEqual(
      refused.map(({ code, retryAt }) => [code, retryAt > now && retryAt <= now + 60_000]),
      Array.from({ length: 2 }, () => ['SLOTS_LIMITED', true]),
    );
    assert.deepEqual(warnings, [
      { uploader: jid, reason: `${jid} asked for a slot more than 60 times within a minute` },
    ]);
    await give(1, 'f', 'juliet@example.org');
  });

  it('are limited for each domain without access, over all its users', async () => {
    const { give, warnings } = serviceWith({});
    for (let count = 0; count < 60; count += 1) {
      await assert.rejects(give(1, 'f', `u${count}@example.net`), { code: 'UPLOADER_REFUSED' });
    }
    for (const from of ['x@example.net', 'y@example.net', 'example.net']) {
      await assert.rejects(give(1, 'f', from), { code: 'SLOTS_LIMITED', message: /^example\.net asked/ });
    }
    assert.equal(warnings.length, 1);
    await assert.rejects(give(1, 'f', 'x@example.com'), { code: 'UPLOADER_REFUSED' });
    await give(1);
  });
});
