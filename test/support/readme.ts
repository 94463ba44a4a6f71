import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type CommandResult, mainFile, projectFolder, run } from './command.js';

const readme = readFileSync(path.join(projectFolder, 'README.md'), 'utf8');

/** The README's fenced block in this language that contains a text. */
export function readmeBlock(language: string, containing: string): string {
  const blocks = [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(
    ([, block = '']) => block,
  );
  const found = blocks.find((block) => block.includes(containing));
  if (found === undefined) throw new Error(`the README has no ${language} block with ${containing}`);
  return found.trimEnd();
}

/** The README's code in a line of text that begins with this. */
export function readmeCode(beginning: string): string {
  const found = [...readme.matchAll(/`([^`\n]+)`/g)].find(([, code = '']) => code.startsWith(beginning));
  if (found?.[1] === undefined) throw new Error(`the README has no code that begins with ${beginning}`);
  return found[1];
}

/** The values that replace the README's names in a snippet. */
export interface Names {
  /** With its trailing slash. */
  readonly baseUrl: string;
  readonly secret: string;
  readonly domain: string;
}

/** A snippet of the README with the names that an operator would put there. */
export function withNames(snippet: string, { baseUrl, secret, domain }: Names): string {
  return snippet
    .replaceAll('https://uploads.example.org/upload', baseUrl.replace(/\/$/, ''))
    .replaceAll('the-secret', secret)
    .replaceAll('example.org', domain);
}

/** Runs the README's command line that begins with a text, and more arguments, with the built program as `prosody-filer`. */
export function runReadmeCommand(beginning: string, cwd: string, more = ''): Promise<CommandResult> {
  const program = `prosody-filer() { ${process.execPath} ${mainFile} "$@"; }\n`;
  const line = readmeBlock('sh', beginning)
    .split('\n')
    .find((text) => text.startsWith(beginning));
  if (line === undefined) throw new Error(`the README has no command that begins with ${beginning}`);
  return run('bash', ['-c', program + line + more], cwd);
}
