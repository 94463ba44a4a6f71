import type { Command } from 'commander';

/** Text as roff: no character of it is a request, and each "-" can be copied. */
function roff(text: string): string {
  return text
    .replaceAll('\\', String.raw`\e`)
    .replaceAll('-', String.raw`\-`)
    .replace(/^(?=[.'])/gm, String.raw`\&`);
}

function paragraphs(terms: readonly (readonly [term: string, text: string])[]): string[] {
  return terms.map(([term, text]) => `.TP\n.B ${roff(term)}\n${roff(text)}`);
}

/** What `--help` prints after the options. */
function textAfterHelp(command: Command): string {
  let text = '';
  const writeOut = (part: string) => {
    text += part;
  };
  command.configureOutput({ writeOut }).outputHelp();
  return text.slice(command.helpInformation().length).trim();
}

function sectionOf(command: Command): string[] {
  const help = command.createHelp();
  const after = textAfterHelp(command);
  return [
    `.SS "${roff(`${command.name()} ${command.usage()}`)}"`,
    roff(help.commandDescription(command)),
    ...paragraphs(help.visibleArguments(command).map((argument) => [`<${argument.name()}>`, argument.description])),
    ...paragraphs(help.visibleOptions(command).map((option) => [option.flags, help.optionDescription(option)])),
    ...(after === '' ? [] : ['.PP', roff(after).replaceAll('\n', '\n.br\n')]),
  ];
}

const files: readonly (readonly [file: string, text: string])[] = [
  [
    '/etc/prosody-filer/config.toml',
    'The configuration of the service. /usr/share/doc/prosody-filer/config.example.toml has all settings.',
  ],
  [
    '/etc/prosody-filer/secret',
    'The secret of the tokens, which only root can read. The XMPP server needs the same one.',
  ],
  ['/var/lib/prosody-filer/upload', 'The uploads.'],
  [
    '/etc/prosody-filer/NAME.toml, /etc/prosody-filer/NAME.secret, /var/lib/prosody-filer/NAME',
    'Configuration, secret and state of the service prosody-filer@NAME, of which there may be several.',
  ],
  ['/usr/share/doc/prosody-filer/README.md', 'The manual.'],
];

/** The page prosody-filer(1), made from the program's commands. `date` is such as 2026-11-28. */
export function manPage(program: Command, version: string, date: string): string {
  const help = program.createHelp();
  const lines = [
    `.TH PROSODY\\-FILER 1 "${date}" "prosody\\-filer ${roff(version)}" "User Commands"`,
    '.SH NAME',
    roff('prosody-filer - HTTP upload server for XMPP (XEP-0363)'),
    '.SH SYNOPSIS',
    `.B prosody\\-filer\n${roff(program.usage())}`,
    '.SH DESCRIPTION',
    roff(`${program.description()} Without a command it serves.`),
    '.SH OPTIONS',
    ...paragraphs(help.visibleOptions(program).map((option) => [option.flags, help.optionDescription(option)])),
    '.SH COMMANDS',
    ...program.commands.flatMap(sectionOf),
    '.SH FILES',
    ...paragraphs(files),
    '.SH EXIT STATUS',
    roff(textAfterHelp(program)),
    '.SH SEE ALSO',
    '.BR systemctl (1),\n.BR journalctl (1)',
  ];
  return `${lines.join('\n')}\n`;
}
