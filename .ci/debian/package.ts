/*
 * Makes the Debian package from the folder of a release. Beside the files of `root/`, the package has
 *
 *   /usr/lib/prosody-filer/         the program with Node.js, as in the tarball
 *   /usr/bin/prosody-filer          a link to its bin/prosody-filer
 *   /usr/lib/systemd/system/        the units; the template is made from prosody-filer.service
 *   /usr/share/doc/prosody-filer/   what an operator reads and copies, and all licences
 *   /usr/share/…                    man page and completions, made from the program's own commands
 *
 * The same commit gives the same bytes.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import { commandLine } from '../../src/command-line.js';
import { bashCompletion, zshCompletion } from './completions.js';
import { changelog, control, copyright, debianVersion, type Edition } from './control.js';
import { manPage } from './man-page.js';
import { packagedUnit, templateUnit } from './units.js';

const root = fileURLToPath(new URL('root', import.meta.url));
const debianArches: Readonly<Record<string, string>> = { x64: 'amd64', arm64: 'arm64' };
/** The licences are in the copyright file, and the units in systemd's folder. */
const unpackaged = new Set(['LICENSES.txt', 'node-LICENSE', 'systemd']);

function writeIn(tree: string, files: Readonly<Record<string, string | Buffer>>): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(path.dirname(path.join(tree, name)), { recursive: true });
    writeFileSync(path.join(tree, name), content);
  }
}

function gzipped(text: string): Buffer {
  return gzipSync(text, { level: 9 });
}

function stageProgram(release: string, tree: string): void {
  const copy = (from: string, to: string) =>
    cpSync(path.join(release, from), path.join(tree, to), {
      recursive: true,
      filter: (file) => !unpackaged.has(path.basename(file)),
    });
  for (const name of ['bin', 'dist', 'lib', 'package.json']) copy(name, `usr/lib/prosody-filer/${name}`);
  for (const name of ['README.md', 'config.example.toml', 'nginx.example.conf'])
    copy(name, `usr/share/doc/prosody-filer/${name}`);
  copy('src/contrib', 'usr/share/prosody-filer');
  mkdirSync(path.join(tree, 'usr/bin'));
  symlinkSync('../lib/prosody-filer/bin/prosody-filer', path.join(tree, 'usr/bin/prosody-filer'));
}

function filesMade(release: string, edition: Edition): Record<string, string | Buffer> {
  const read = (name: string) => readFileSync(path.join(release, name), 'utf8');
  const output = { progressTerminal: undefined, print() {}, warn() {}, exitWith() {} };
  const program = commandLine(output, edition.version);
  const date = edition.committedAt.toISOString().slice(0, 10);
  return {
    'usr/lib/systemd/system/prosody-filer.service': packagedUnit(read('prosody-filer.service')),
    'usr/lib/systemd/system/prosody-filer.socket': packagedUnit(read('src/contrib/systemd/prosody-filer.socket')),
    'usr/lib/systemd/system/prosody-filer@.service': templateUnit(read('prosody-filer.service')),
    'usr/share/bash-completion/completions/prosody-filer': bashCompletion(program),
    'usr/share/zsh/vendor-completions/_prosody-filer': zshCompletion(program),
    'usr/share/man/man1/prosody-filer.1.gz': gzipped(manPage(program, edition.version, date)),
    'usr/share/doc/prosody-filer/CHANGELOG.md.gz': gzipped(read('CHANGELOG.md')),
    'usr/share/doc/prosody-filer/changelog.gz': gzipped(changelog(edition)),
    'usr/share/doc/prosody-filer/copyright': copyright(release),
  };
}

function runIn(tree: string, command: string): string {
  return execFileSync('sh', ['-ec', command], { cwd: tree, encoding: 'utf8' }).trim();
}

/**
 * Makes the tree of the package, with its control files in DEBIAN/, from the folder that the tarball holds. `arch` is the
 * architecture as Node.js names it.
 */
export function stagePackage(release: string, arch: string, committedAt: Date, tree: string): Edition {
  const { version } = JSON.parse(readFileSync(path.join(release, 'package.json'), 'utf8')) as { version: string };
  const edition = { version, arch: debianArches[arch] ?? arch, committedAt };
  cpSync(root, tree, { recursive: true });
  stageProgram(release, tree);
  writeIn(tree, filesMade(release, edition));
  const kibibytes = Number(runIn(tree, 'du --apparent-size -ks .').split('\t', 1)[0]);
  writeIn(tree, { 'DEBIAN/control': control(edition, kibibytes) });
  return edition;
}

/** Packs the tree into a folder by gzip of this level; returns the file's name. Owner, modes and times are fixed. */
export function packTree(tree: string, { version, arch, committedAt }: Edition, folder: string, level: string): string {
  const name = `prosody-filer_${debianVersion(version)}_${arch}.deb`;
  runIn(tree, 'find * -path DEBIAN -prune -o -type f -print0 | sort -z | xargs -0 md5sum >DEBIAN/md5sums');
  runIn(tree, 'chmod -R u=rwX,go=rX .');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', `-z${level}`, '--build', tree, path.join(folder, name)], {
    env: { ...process.env, SOURCE_DATE_EPOCH: String(committedAt.getTime() / 1000) },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  return name;
}
