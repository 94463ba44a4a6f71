/*
 * Makes releases that need no Node.js: prosody-filer-<version>-linux-<arch>.tar.gz, Debian packages with the same program
 * (see debian/package.ts), and SHA256SUMS of them. They need dpkg-deb.
 *
 *   prosody-filer-<version>/bin/prosody-filer   starts lib/node with dist/main.js
 *   prosody-filer-<version>/lib/node            Node.js
 *   prosody-filer-<version>/dist/               the built program with the packages in it
 *   prosody-filer-<version>/…                   what an operator reads and copies
 *
 * The same commit gives the same bytes: names are sorted, owner, modes and times fixed, and Node.js is pinned by its hash.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { packTree, stagePackage } from './debian/package.js';

const nodeVersion = '24.21.0';
/** Of the npm packages node-linux-<arch> in that version, which hold what nodejs.org publishes. */
const nodeIntegrity: Readonly<Record<string, string>> = {
  x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
};
/** What the program reads of itself, and what an operator reads and copies, as git names it. */
const documents = [
  'package.json',
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'src/contrib',
  ':(glob)*.example.*',
  ':(glob)*.service',
];
const project = fileURLToPath(new URL('..', import.meta.url));
const committedAt = new Date(run('git', ['log', '-1', '--format=%cI']).trim());

function run(command: string, args: readonly string[], cwd = project): string {
  return execFileSync(command, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] });
}

/** All but Node.js, which is the same for every architecture. */
function stageProgram(folder: string): void {
  run('npx', ['tsx', '.ci/build.ts', '--release', `--outdir=${path.join(folder, 'dist')}`]);
  mkdirSync(path.join(folder, 'bin'));
  cpSync(path.join(project, 'src/prosody-filer.sh'), path.join(folder, 'bin/prosody-filer'));
  const names = run('git', ['ls-files', ...documents])
    .trimEnd()
    .split('\n');
  for (const name of names) cpSync(path.join(project, name), path.join(folder, name));
}

function stageNode(arch: string, folder: string, downloads: string): void {
  const spec = `node-linux-${arch}@${nodeVersion}`;
  const packed = run('npm', ['pack', '--json', '--prefer-offline', '--pack-destination', downloads, spec]);
  const [{ filename, integrity } = { filename: '', integrity: '' }] = JSON.parse(packed) as Record<string, string>[];
  if (integrity !== nodeIntegrity[arch]) {
    throw new Error(`${spec}: expected ${nodeIntegrity[arch]}, got ${integrity}`);
  }
  const tarball = path.join(downloads, filename ?? '');
  const extract = (member: string, as: string) =>
    run('tar', ['-xzf', tarball, '-C', folder, `--transform=s|^.*$|${as}|`, member]);
  extract('package/bin/node', 'lib/node');
  extract('package/LICENSE', 'lib/node-LICENSE');
}

/** Packs a folder so that only its content and the commit count. */
function pack(parent: string, name: string, tarball: string, level: string): void {
  const fixed = [
    '--sort=name',
    '--numeric-owner',
    '--owner=0',
    '--group=0',
    '--mode=u=rwX,go=rX',
    `--mtime=${committedAt.toISOString()}`,
  ];
  run('tar', ['-C', parent, ...fixed, `--use-compress-program=gzip -n -${level}`, '-cf', tarball, name]);
}

const { values } = parseArgs({
  options: {
    output: { type: 'string', default: path.join(project, '.cache/release') },
    /** How hard gzip tries: 1 takes a third of the time of 6, and makes the files larger. */
    level: { type: 'string', default: '6' },
    arch: { type: 'string', multiple: true, default: Object.keys(nodeIntegrity) },
  },
});
const { version } = JSON.parse(readFileSync(path.join(project, 'package.json'), 'utf8')) as { version: string };
const output = path.resolve(values.output);
const staging = path.join(output, 'staging');
const name = `prosody-filer-${version}`;
const release = path.join(staging, name);

rmSync(staging, { recursive: true, force: true });
stageProgram(release);
const files = values.arch.flatMap((arch) => {
  stageNode(arch, release, staging);
  const tarball = `${name}-linux-${arch}.tar.gz`;
  pack(staging, name, path.join(output, tarball), values.level);
  const tree = path.join(staging, `debian-${arch}`);
  const debian = packTree(tree, stagePackage(release, arch, committedAt, tree), output, values.level);
  for (const file of [tarball, debian])
    console.log(`${file}: ${(statSync(path.join(output, file)).size / 1e6).toFixed(1)} MB`);
  return [tarball, debian];
});
writeFileSync(path.join(output, 'SHA256SUMS'), run('sha256sum', files, output));
rmSync(staging, { recursive: true });
