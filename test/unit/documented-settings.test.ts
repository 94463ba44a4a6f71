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
import { type Entry, linesOfExample, linesOfTable, rowOfReadme } from '../support/setting-texts.js';

const tables = [settingsSchema, retentionTable, quotaTable, s3Table, componentTable];
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

it("the README's tables have each setting with the sentences and the default of the schema, and no other", () => {
  // A row may link to where the README says more.
  const rows = [...read('README.md').matchAll(/^\| key.*\n\| ---.*\n((?:\|.*\n)+)/gm)]
    .flatMap(([, table = '']) => table.trimEnd().split('\n'))
    .map((row) => row.replace(/\[([^\]]+)\]\(#[^)]+\)/g, '$1'));
  const expected = entries.map(([key, entry]) => rowOfReadme(headers[key] ?? key, entry));
  assert.equal(expected.filter((row) => !rows.includes(row)).join('\n'), '', 'the README lacks these rows');
  assert.deepEqual(rows.toSorted(), expected.toSorted());
});
