import assert from 'node:assert/strict';
import { closeSync, openSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import type { Logger } from 'pino';
import { openLog } from '../../src/log.js';
import { tempDir } from '../support/temp-dir.js';

/** The text that the log has written once the function has used it. */
async function logged(t: TestContext, format: 'json' | 'pretty', use: (logger: Logger) => void): Promise<string> {
  const file = path.join(await tempDir(t), 'log');
  const fd = openSync(file, 'w');
  const { logger } = await openLog('info', format, fd);
  use(logger);
  closeSync(fd);
  return stripVTControlCharacters(readFileSync(file, 'utf8'));
}

const controls = Array.from({ length: 0xa0 }, (_, code) => String.fromCharCode(code)).filter((c) => /\p{Cc}/u.test(c));
const directions = [...'\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069'];
const hostile = [...controls, ...directions, '\u2028', '\u2029', '\ud800', '\udfff'];
const raw = new RegExp(`[${hostile.filter((c) => c !== '\n').join('')}]`, 'u');
const line = { method: 'GET', status: 200, bytes: 1, durationMs: 1 };

describe('the log', () => {
  it('keeps the text in JSON, without characters that control a terminal', async (t) => {
    const name = hostile.join('x');
    const text = await logged(t, 'json', (logger) => logger.info({ ...line, path: name, reason: name }, `of ${name}`));
    assert.doesNotMatch(text, raw);
    const { path: logPath, reason, msg } = JSON.parse(text);
    assert.deepEqual([logPath, reason, msg], [name, name, `of ${name}`]);
  });

  it('escapes such characters in the pretty format, one line for each request', async (t) => {
    const text = await logged(t, 'pretty', (logger) => {
      logger.info(
        { ...line, path: '/\u001b[31m\u009b1m\u202etxt.exe', reason: 'a\nb\r', uploader: 'x\u0085' },
        'request',
      );
      logger.info({ path: 'f\n', bytes: 1, error: '\u001b]0;x\u0007' }, 'deleted');
    });
    const [first, second, ...rest] = text.split('\n');
    assert.match(
      first ?? '',
      / INFO: GET \/\\u001b\[31m\\u009b1m\\u202etxt\.exe 200, 1 bytes in 1 ms by x\\u0085: a\\nb\\u000d$/,
    );
    assert.match(second ?? '', / INFO: deleted: f\\n, 1 bytes$/);
    assert.deepEqual(rest, ['    error: "\\\\u001b]0;x\\\\u0007"', '']);
  });

  it('shows no path in the pretty format for an event without an upload', async (t) => {
    const text = await logged(t, 'pretty', (logger) => logger.info({ bytes: 0 }, 'swept'));
    assert.match(text, / INFO: swept\n$/);
  });

  it('indents further lines of a message, so that they do not look like log lines', async (t) => {
    const text = await logged(t, 'pretty', (logger) => logger.info('paste:\nComponent "x"\n    a = 1'));
    assert.match(text, / INFO: paste:\n {4}Component "x"\n {8}a = 1\n$/);
  });

  it('leaves letters of any language and emoji unchanged', async (t) => {
    const name = 'très “cool” 日本 👩‍🚀 \u{1f600}';
    for (const format of ['json', 'pretty'] as const) {
      assert.ok((await logged(t, format, (logger) => logger.info({ ...line, path: name }, 'request'))).includes(name));
    }
  });

  it('contains no token from a path, a reason or a message', async (t) => {
    const digest = '0123456789abcdef'.repeat(4);
    for (const format of ['json', 'pretty'] as const) {
      const text = await logged(t, format, (logger) =>
        logger.info({ ...line, path: `/f%3Fv=${digest}`, reason: `v2=${digest}` }, `of ?token=${digest}`),
      );
      assert.ok(!text.includes(digest));
      assert.match(text, /\/f%3Fv=\[redacted\]/);
    }
  });
});
