import assert from 'node:assert/strict';
import { it } from 'node:test';
import { findClosedModes } from '../../src/service/find-closed-modes.js';

it('a start warns if nginx should send uploads that only this user may read', (t) => {
  const umask = process.umask(0o077);
  t.after(() => process.umask(umask));
  const accelRedirect = '/internal-uploads/';
  const open = { fileMode: 0o640, dirMode: 0o750 };
  const countWith = (modes: object) =>
    findClosedModes({ fileMode: undefined, dirMode: undefined, accelRedirect, ...modes }).length;
  assert.match(findClosedModes({ ...open, accelRedirect, fileMode: 0o600 })[0] ?? '', /^accelRedirect: .*UMask=0027/);
  assert.equal(countWith({ accelRedirect: undefined }), 0);
  assert.equal(countWith({}), 1);
  assert.equal(countWith({ fileMode: 0o640 }), 1);
  assert.equal(countWith(open), 0);
  process.umask(0o027);
  assert.equal(countWith({}), 0);
  assert.equal(countWith({ dirMode: 0o700 }), 1);
});
