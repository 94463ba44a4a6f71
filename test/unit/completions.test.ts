import assert from 'node:assert/strict';
import { it } from 'node:test';
import type { Command } from 'commander';
import { bashCompletion, zshCompletion } from '../../.ci/debian/completions.js';
import { manPage } from '../../.ci/debian/man-page.js';
import { commandLine } from '../../src/command-line.js';
import { run } from '../support/command.js';

const program = commandLine({ progressTerminal: undefined, print() {}, warn() {}, exitWith() {} }, '1.2.3');
const { commands } = program;
const names = [...commands.map((command) => command.name()), 'help'];

function longOptions(command: Command): string[] {
  const options = command.createHelp().visibleOptions(command);
  return options.map(({ long }) => long ?? '');
}

/** What bash offers for each of these lines, whose last word is being typed. */
async function complete(lines: readonly (readonly string[])[]): Promise<string[][]> {
  const questions = lines.map((words) => {
    const line = ['prosody-filer', ...words].map((word) => `'${word}'`);
    const [previous, current] = line.slice(-2);
    return `COMP_WORDS=(${line.join(' ')}) COMP_CWORD=${words.length}
_prosody_filer prosody-filer ${current} ${previous}
echo "\${COMPREPLY[*]}"`;
  });
  const { stdout, stderr } = await run('bash', ['-c', [bashCompletion(program), ...questions].join('\n')]);
  assert.equal(stderr, '');
  const answers = stdout.split('\n').slice(0, lines.length);
  return answers.map((answer) => answer.split(' ').filter((word) => word !== ''));
}

it('bash completes each command and each of its options', async () => {
  assert.deepEqual(await complete([[''], ['chec'], ['help', '']]), [names, ['check-config'], names]);
  const lines = commands.map((command) => [command.name(), '-']);
  assert.deepEqual(await complete(lines), commands.map(longOptions));
});

it('bash completes the values of an option, and leaves the names of files to itself', async () => {
  const lines = [
    ['sign', '--scheme', ''],
    ['sign', '--scheme', 'v2', '--ty'],
    ['serve', '--config', ''],
    ['sign', 'slot/f', ''],
  ];
  const schemes = ['v2', 'token', 'v1', 'bearer', 'slot'];
  assert.deepEqual(await complete(lines), [schemes, ['--type'], [], []]);
});

it('without a command, bash completes the options of the program and of serve', async () => {
  const [serve] = commands;
  const [offered = []] = await complete([['-']]);
  const expected = new Set([...longOptions(program), ...(serve === undefined ? [] : longOptions(serve))]);
  assert.deepEqual(new Set(offered), expected);
});

it('zsh and the man page have each command with each of its options', () => {
  const zsh = zshCompletion(program).split('\n');
  const page = manPage(program, '1.2.3', '2026-11-28').replaceAll('\\-', '-');
  const sections = page.split(/^\.S[SH] /m);
  for (const command of commands) {
    const line = zsh.find((text) => text.trim().startsWith(`${command.name()}) `)) ?? '';
    const section = sections.find((text) => text.startsWith(`"${command.name()} `)) ?? '';
    assert.ok(section.includes(`\n${command.description()}\n`), command.name());
    for (const long of longOptions(command)) {
      assert.ok(line.includes(`'${long}[`), `zsh: ${command.name()} ${long}`);
      assert.match(section, new RegExp(`^\\.B .*${long}\\b`, 'm'));
    }
  }
  assert.match(page, /^Exit codes: 0 no problems \(there may be warnings\), 1 problems/m);
});
