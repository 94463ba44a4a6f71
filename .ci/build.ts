/*
 * Builds the program: dist/main.js with all packages in it, split so that a part that only some need (the AWS SDK, XML, one
 * command) is read only by them. One file in place of 500 makes the start twice as fast.
 *
 *   dist/main.js, dist/*.js     CommonJS, not minified: stack traces name functions and files
 *   dist/package.json           tells Node.js that they are CommonJS
 *   dist/LICENSES.txt           the licences of the packages that are in it
 *
 * In a checkout, `--version` names the commit. `--release` leaves it out.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, type Metafile, type Plugin, transform } from 'esbuild';
import { types } from 'mime-types';

const project = fileURLToPath(new URL('..', import.meta.url));

/** The folders of the packages whose files are in the build, in the order of their names. */
function bundledPackages({ outputs }: Metafile): string[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
  const folders = inputs.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  // The table of `readyTypes` is made from mime-db.
  return [...new Set([...folders, 'node_modules/mime-db'])].sort();
}

/** Throws for a package without a licence of its own. */
function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(path.join(project, folder, 'package.json'), 'utf8'));
  const files = readdirSync(path.join(project, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  if (license === undefined) throw new Error(`${folder}: expected a licence in its package.json`);
  const texts = files.map((file) => readFileSync(path.join(project, folder, file), 'utf8').trim());
  return [`${name} ${version}, ${license}`, ...texts].join('\n\n');
}

/** The checkout's commit, and whether its files are those of the commit. `undefined` if git cannot tell. */
function currentCommit(): string | undefined {
  // Without this check, git would name the commit of a checkout around this folder.
  if (!existsSync(path.join(project, '.git'))) return undefined;
  const describe = ['describe', '--always', '--abbrev=12', '--exclude=*', '--dirty= with changes'];
  try {
    return execFileSync('git', describe, {
      cwd: project,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}

const { values } = parseArgs({
  options: {
    outdir: { type: 'string', default: path.join(project, 'dist') },
    release: { type: 'boolean', default: false },
  },
});
const commit = values.release ? undefined : currentCommit();

rmSync(values.outdir, { recursive: true, force: true });
/** Of a package in CommonJS, `import()` would give no names in the build: a module that imports it as usual is loaded instead. */
const noLatePackages: Plugin = {
  name: 'no late packages',
  setup: ({ onResolve }) =>
    onResolve({ filter: /^[^.]/ }, ({ kind, path: name, importer }) =>
      kind === 'dynamic-import' && importer.startsWith(path.join(project, 'src/'))
        ? { errors: [{ text: `import('${name}'): load a module of src/ that imports it` }] }
        : undefined,
    ),
};
/** Fastify loads these for TLS, HTTP/2, schemas, versions of plugins, and `inject`, which the program does not use. */
const unusedByFastify =
  /^(node:https|node:http2|semver|light-my-request|@fastify\/(ajv|fast-json-stringify)-compiler)$/;
/** Puts an empty module in the place of each, which saves 60 to 100 ms of CPU time and 3 MiB at each start. */
const noUnused: Plugin = {
  name: 'no unused',
  setup: ({ onResolve, onLoad }) => {
    onResolve({ filter: unusedByFastify }, ({ path: name, importer }) =>
      importer.startsWith(path.join(project, 'node_modules/fastify/'))
        ? { path: name, namespace: 'unused' }
        : undefined,
    );
    onLoad({ filter: /^/, namespace: 'unused' }, () => ({ contents: 'module.exports = {};' }));
  },
};
/** The program needs only the table that mime-types makes from its 230 KB each time it is loaded. */
const readyTypes: Plugin = {
  name: 'ready types',
  setup: ({ onLoad }) =>
    onLoad({ filter: /\/node_modules\/mime-types\/index\.js$/ }, () => ({
      contents: `exports.types = Object.setPrototypeOf(JSON.parse(${JSON.stringify(JSON.stringify(types))}), null);`,
    })),
};
/** Node.js loads CommonJS with 50 ms less CPU time, but esbuild can split only ES modules. */
async function toCommonJs(code: string): Promise<string> {
  const result = await transform(code, {
    format: 'cjs',
    platform: 'node',
    target: 'node20',
    supported: { 'dynamic-import': false },
    // Packages in both formats look for `module` to find out what they are loaded as.
    define: { 'import.meta.url': '__filename', module: 'undefined', exports: 'undefined' },
  });
  return result.code;
}
const { metafile, outputFiles } = await build({
  write: false,
  absWorkingDir: project,
  entryPoints: ['src/main.ts'],
  outdir: values.outdir,
  bundle: true,
  splitting: true,
  metafile: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  legalComments: 'none',
  logLevel: 'warning',
  define: commit === undefined ? {} : { builtCommit: JSON.stringify(commit) },
  plugins: [noLatePackages, noUnused, readyTypes],
});
mkdirSync(values.outdir, { recursive: true });
writeFileSync(path.join(values.outdir, 'package.json'), '{ "type": "commonjs" }\n');
for (const { path: file, text } of outputFiles) writeFileSync(file, await toCommonJs(text));
const licences = bundledPackages(metafile).map(licenceOf);
writeFileSync(path.join(values.outdir, 'LICENSES.txt'), `${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
