import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it } from 'node:test';
import toml from '@iarna/toml';
import fc from 'fast-check';
import { checkSettings } from '../../src/config/check-settings.js';
import { ConfigError } from '../../src/config/config-error.js';
import { loadConfig } from '../../src/config/load-config.js';
import { settingsSchema } from '../../src/config/settings.js';
import { FilerError } from '../../src/errors.js';
import { parseUploadKey } from '../../src/upload/upload-key.js';
import { tempDir } from '../support/temp-dir.js';

/** The key of a path, or `undefined` if it is refused; what throws anything else fails the property. */
function keyOf(rawPath: string, baseSegments: readonly string[]): string | undefined {
  try {
    return parseUploadKey(rawPath, baseSegments);
  } catch (error) {
    if (error instanceof FilerError) return undefined;
    throw error;
  }
}

const anyText = fc.oneof(fc.string(), fc.string({ unit: 'grapheme' }), fc.string({ unit: 'binary' }));
const traps = ['.', '..', '', '/', '%2e', '%2E%2e', '%2f', '%5c', '\\', '%00', '\0', '%', '%zz', '%c0%ae', '%ff', '+'];
const pathPiece = fc.oneof(
  fc.constantFrom(...traps, 'upload', '.prosody-filer', '.PROSODY-FILER', '%2eprosody-filer', '.prosody-filer%20'),
  anyText,
  anyText.map(encodeURIComponent),
);

/** What no name may have. Old uploads have the other control characters: DEL and C1. */
const asciiControl = /(?![\u007f-\u009f])\p{Cc}/u;
const fileName = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 60 })
  .filter(
    (name) =>
      !asciiControl.test(name) &&
      !name.includes('/') &&
      name !== '.' &&
      name !== '..' &&
      Buffer.byteLength(name) <= 255,
  )
  .filter((name) => name.toLowerCase() !== '.prosody-filer');

describe('parseUploadKey', () => {
  const bases = fc.constantFrom([], ['upload'], ['a', 'b c']);

  it('accepts no path that leaves storeDir or is reserved, and throws only refusals', () => {
    const rawPath = fc.oneof(
      anyText,
      fc.tuple(bases, fc.array(pathPiece)).map(([base, pieces]) => `/${[...base, ...pieces].join('/')}`),
      fc.array(pathPiece).map((pieces) => `/upload/${pieces.join('')}`),
    );
    const property = fc.property(rawPath, bases, (raw, base) => {
      const key = keyOf(raw, base);
      if (key === undefined) return;
      const file = path.join('/srv/store', key);
      assert.ok(file.startsWith('/srv/store/') && !file.endsWith('/'));
      assert.equal(path.relative('/srv/store', file), key, 'join() had to normalise it');
      assert.ok(!asciiControl.test(key));
      assert.notEqual(key.split('/')[0]?.toLowerCase(), '.prosody-filer');
    });
    fc.assert(property, { numRuns: 3000 });
  });

  it('accepts every name that is percent-encoded', () => {
    const property = fc.property(fc.array(fileName, { minLength: 1, maxLength: 5 }), bases, (segments, base) => {
      const raw = [...base, ...segments].map((segment) => `/${encodeURIComponent(segment)}`).join('');
      assert.equal(parseUploadKey(raw, base), segments.join('/'));
    });
    fc.assert(property, { numRuns: 1000 });
  });
});

describe('the configuration', () => {
  const value = fc.oneof(
    anyText,
    fc.constantFrom('50MB', '60s', '0644', '[::1]:80', ':0', 'warn', 'sync', 'json', '10.0.0.0/8', '/', '..'),
    fc.boolean(),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.date({ noInvalidDate: true, min: new Date('0001-01-01'), max: new Date('9999-01-01') }),
    fc.array(fc.string(), { maxLength: 3 }),
    fc.dictionary(fc.stringMatching(/^\w{1,5}$/), fc.integer(), { maxKeys: 3 }),
  );
  const key = fc.oneof(
    fc.constantFrom(...Object.keys(settingsSchema.properties), 'SECRET', 'sekret', 'constructor', 'toString'),
    anyText,
  );
  const settings = fc.dictionary(key, value, { maxKeys: 12, noNullPrototype: true });

  it('is accepted, or refused with one line for each problem that says what is expected', () => {
    const property = fc.property(settings, (file) => {
      for (const { text } of checkSettings(file).problems) assert.match(text, /expected /);
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('of any TOML values or any text throws only ConfigErrors', async (t) => {
    const file = path.join(await tempDir(t), 'config.toml');
    const contents = fc.oneof(
      settings.map((object) => toml.stringify(object as toml.JsonMap)),
      settings.map((object) => toml.stringify({ ...object, secret: 'k', storeDir: '/srv/s' } as toml.JsonMap)),
      anyText,
    );
    const property = fc.property(contents, (text) => {
      writeFileSync(file, text);
      try {
        loadConfig(file);
      } catch (error) {
        if (!(error instanceof ConfigError)) throw error;
        assert.ok(error.problems.length > 0);
      }
    });
    fc.assert(property, { numRuns: 1000 });
  });
});
