import type { Facts } from '../../src/config/schema.js';

/** An entry of the schema, as far as documents show it. */
export interface Entry extends Facts {
  readonly description: string;
}

const maxLineLength = 120;

/** The value as config.example.toml writes it. */
function inToml(value: unknown): string {
  return Array.isArray(value) ? `[${value.map(inToml).join(', ')}]` : JSON.stringify(value);
}

/** Markdown without its code marks. */
function plain(markdown: string): string {
  return markdown.replaceAll('`', '');
}

function wrap(text: string): string[] {
  const lines = ['###'];
  for (const word of text.split(' ')) {
    const longer = `${lines.at(-1)} ${word}`;
    if (longer.length <= maxLineLength) lines[lines.length - 1] = longer;
    else lines.push(`### ${word}`);
  }
  return lines;
}

function whatAppliesElse({ default: value, unset, example }: Entry): string {
  if (unset === 'none') return ' Default: none.';
  if (unset !== undefined && !unset.startsWith('required')) return ` If not set: ${plain(unset)}.`;
  if (value === undefined) return ` R${plain(unset ?? 'required').slice(1)}.`;
  return example === undefined ? '' : ` Default: ${inToml(value)}.`;
}

/** The lines of config.example.toml about a key: the comment, and the key with its example or its default. */
export function linesOfExample(key: string, entry: Entry): string[] {
  const comment = wrap(plain(entry.description) + whatAppliesElse(entry));
  return [...comment, `${key} = ${inToml(entry.example ?? entry.default)}`];
}

/** The lines of config.example.toml about a table, such as `[s3]`. */
export function linesOfTable(header: string, entry: Entry): string[] {
  return [...wrap(plain(entry.description) + whatAppliesElse(entry)), header];
}
