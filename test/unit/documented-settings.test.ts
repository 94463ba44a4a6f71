import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { it } from 'node:test';
import { componentTable } from '../../src/config/component-settings.js';
import { quotaTable } from '../../src/config/quota-settings.js';
import { retentionTable } from '../../src/config/retention-settings.js';
import { s3Table } from '../../src/config/s3-settings.js';
import { settingsSchema } from '../../src/config/settings.js';
import { projectFolder } from '../support/command.js';
import { type Entry, linesOfExample, linesOfTable } from '../support/setting-texts.js';

const tablesByHeader = {
  '[[retention]]': retentionTable,
  '[[quota]]': quotaTable,
  '[s3]': s3Table,
  '[component]': componentTable,
};
const tables = [settingsSchema, ...Object.values(tablesByHeader)];
const headers: Readonly<Record<string, string>> = {
  retention: '[[retention]]',
  quota: '[[quota]]',
  s3: '[s3]',
  component: '[component]',
};
const entries = tables.flatMap(({ properties }) => Object.entries<Entry>(properties));
const read = (name: string) => readFileSync(path.join(projectFolder, name), 'utf8');

it('config.example.toml has each setting with the sentences, the value and the default of the schema, and no other', () => {
  const lines = read('config.example.toml').replace(/^# /gm, '').split('\n');
  const blocks = entries.map(([key, entry]) => {
    const header = headers[key];
    return header === undefined ? linesOfExample(key, entry) : linesOfTable(header, entry);
  });
  const text = `\n${lines.join('\n')}`;
  const missing = blocks.map((block) => block.join('\n')).filter((block) => !text.includes(`\n${block}\n`));
  assert.equal(missing.join('\n'), '', 'config.example.toml lacks these lines');
  const settings = lines.filter((line) => line !== '' && !line.startsWith('###'));
  assert.deepEqual(settings.toSorted(), blocks.map((block) => block.at(-1)).toSorted());
});

it("the README's table of settings names each key of the schema at its table, and no other", () => {
  const [, chapter = ''] = read('README.md').split('\n## Settings\n');
  const [, body = ''] = /^\| about .*\n\| ---.*\n((?:\|.*\n)+)/m.exec(chapter) ?? [];
  const named = body.split('\n').flatMap((row) => {
    const [about = '', keys = ''] = row.split(' | ');
    const [, header = 'top'] = /`(\[+\w+\]+)`/.exec(about) ?? [];
    return [...keys.matchAll(/`(\w+)`/g)].map(([, key]) => `${header} ${key}`);
  });
  const expected = Object.entries({ top: settingsSchema, ...tablesByHeader }).flatMap(([header, { properties }]) =>
    Object.keys(properties)
      .filter((key) => headers[key] === undefined)
      .map((key) => `${header} ${key}`),
  );
  assert.deepEqual(named.toSorted(), expected.toSorted());
});
