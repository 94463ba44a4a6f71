import assert from 'node:assert/strict';
import { it } from 'node:test';
import { checkPurposes } from '../../src/diagnosis/local/check-purposes.js';
import { checkQuotas } from '../../src/diagnosis/local/check-quotas.js';
import { dayMs, unlimited } from '../../src/units.js';
import type { Purpose } from '../../src/upload/purpose.js';
import { quotaTable } from '../support/quota-table.js';

function check(match: string, access?: readonly string[]) {
  const table = quotaTable(match, { userQuota: 5e9, dailyQuota: unlimited, requestsPerMinute: 600 });
  const component = access && { access };
  return checkQuotas({ limits: { quotas: [table], dailyQuota: undefined }, replayWindowMs: 0, component })[0];
}

it('check-config says what a table of quotas changes', () => {
  const figures = 'userQuota 5.00 GB, no dailyQuota, 600 slot requests a minute. All else is as at the top.';
  assert.equal(check('slidge.example.org'), `slidge.example.org and each JID of it: ${figures}`);
  assert.equal(check('romeo@example.org', ['example.org']), `romeo@example.org: ${figures}`);
  assert.equal(check('example.org', ['romeo@example.org']), `example.org and each JID of it: ${figures}`);
});

it('check-config warns of a table for whom [component] gives no slots', () => {
  const verdict = check('slidge.example.org', ['example.org']);
  assert.ok(typeof verdict === 'object' && 'outcome' in verdict && verdict.outcome === 'warning');
  assert.match(
    verdict.found,
    /component\.access does not list slidge\.example\.org, so \[component\] gives it no slots\.$/,
  );
});

it('check-config warns that deletions make room in dailyQuota if their tombstones last less than a day', () => {
  const verdicts = (dailyQuota: number | undefined, replayWindowMs: number, ofTable?: number) => {
    const quotas = ofTable === undefined ? [] : [quotaTable('example.org', { dailyQuota: ofTable })];
    return checkQuotas({ limits: { quotas, dailyQuota }, replayWindowMs }).filter((each) => typeof each !== 'string');
  };
  for (const found of [verdicts(1e9, dayMs - 1), verdicts(undefined, 0, 1e9)]) {
    assert.deepEqual(found, [
      {
        outcome: 'warning',
        found:
          'dailyQuota forgets deleted uploads after replayWindow, which is shorter than a day. Users of [component] can delete their uploads, and then send more.',
        change: 'Set replayWindow to "24h" or more.',
      },
    ]);
  }
  for (const found of [verdicts(1e9, dayMs), verdicts(undefined, 0), verdicts(undefined, 0, unlimited)]) {
    assert.deepEqual(found, []);
  }
});

it('check-config warns of a rule for a purpose that no upload gets', () => {
  const rulesFor = (...purposes: readonly Purpose[]) => ({
    retention: { rules: purposes.map((purpose) => ({ purpose, expiresAfterMs: 1 })) },
  });
  const [verdict] = checkPurposes(rulesFor('message', 'profile'));
  assert.ok(typeof verdict === 'object' && 'found' in verdict);
  assert.equal(
    verdict.found,
    '[[retention]] has a rule for purpose = "profile", but only slots of [component] have a purpose.',
  );
  assert.deepEqual(checkPurposes(rulesFor('message')), []);
  assert.deepEqual(checkPurposes({ ...rulesFor('profile'), component: {} }), []);
});
