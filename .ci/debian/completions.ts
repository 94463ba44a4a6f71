import type { Command, Option } from 'commander';

/** The command that runs if none is named. */
const defaultCommand = 'serve';

/** What may stand after a command. `''` is the place where no command is named yet. */
interface Place {
  readonly command: string;
  readonly options: readonly Option[];
}

function placesOf(program: Command): Place[] {
  const help = program.createHelp();
  const named = program.commands.map((command) => ({ command: command.name(), options: help.visibleOptions(command) }));
  const unnamed = named.filter(({ command }) => command === defaultCommand).flatMap(({ options }) => options);
  const own = help.visibleOptions(program).filter(({ long }) => !unnamed.some((option) => option.long === long));
  return [{ command: '', options: [...own, ...unnamed] }, ...named];
}

function commandNames(program: Command): string[] {
  return program
    .createHelp()
    .visibleCommands(program)
    .map((command) => command.name());
}

function longOptions(options: readonly Option[]): string[] {
  return options.flatMap(({ long }) => long ?? []);
}

/** A script for bash-completion. Where it offers nothing, bash completes the names of files. */
export function bashCompletion(program: Command): string {
  const names = commandNames(program).join(' ');
  const places = placesOf(program);
  const values = places.flatMap(({ command, options }) =>
    options
      .filter(({ required }) => required)
      .map(({ long, argChoices }) => {
        const action = argChoices === undefined ? 'return' : `words='${argChoices.join(' ')}'`;
        return `        '${command} ${long}') ${action} ;;`;
      }),
  );
  const options = places.map(
    (place) => `                ${place.command}:-*) words='${longOptions(place.options).join(' ')}' ;;`,
  );
  return `# Made from the commands of the program. Do not edit.
_prosody_filer() {
    local command= word words=
    COMPREPLY=()
    for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
            ${names.replaceAll(' ', ' | ')}) command=$word && break ;;
        esac
    done
    case "$command $3" in
${values.join('\n')}
        *)
            case "$command:$2" in
${options.join('\n')}
                :* | help:*) words='${names}' ;;
            esac
            ;;
    esac
    [[ -z $words ]] || mapfile -t COMPREPLY < <(compgen -W "$words" -- "$2")
}
complete -o default -F _prosody_filer prosody-filer
`;
}

/** A word of zsh in single quotes. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

/** An option as the zsh function _arguments wants it: `--name[description]:value:action`. */
function zshOption({ long, description, flags, required, argChoices }: Option): string {
  const text = description.replace(/[[\]:\\]/g, String.raw`\$&`);
  const [, value = ''] = /<(.*)>/.exec(flags) ?? [];
  // A space says that there is nothing to complete.
  const free = value === 'file' ? '_files' : ' ';
  const action = argChoices === undefined ? free : `(${argChoices.join(' ')})`;
  return quoted(`${long}[${text}]${required ? `:${value}:${action}` : ''}`);
}

/** A function for zsh's completion, with the descriptions of `--help`. */
export function zshCompletion(program: Command): string {
  const help = program.createHelp();
  const [unnamed, ...named] = placesOf(program).map(({ command, options }) => ({
    command,
    specs: options.map(zshOption).join(' '),
  }));
  const commands = help
    .visibleCommands(program)
    .map((command) => quoted(`${command.name()}:${help.subcommandDescription(command).replaceAll(':', '\\:')}`));
  const cases = named.map(({ command, specs }) => `                ${command}) _arguments ${specs} '*:file:_files' ;;`);
  return `#compdef prosody-filer
# Made from the commands of the program. Do not edit.
_prosody-filer() {
    local curcontext=$curcontext state line
    local -a commands=(${commands.join(' ')})
    _arguments -C ${unnamed?.specs} '1:command:->command' '*::argument:->argument'
    case $state in
        command) _describe command commands ;;
        argument)
            case $words[1] in
${cases.join('\n')}
                help) _describe command commands ;;
            esac
            ;;
    esac
}
_prosody-filer "$@"
`;
}
