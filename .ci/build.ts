/*
 * Builds the program: dist/main.js with all packages in it, split so that a part that only some need (the AWS SDK, XML, one
 * command) is read only by them. One file in place of 500 makes the start twice as fast.
 *
 *   dist/main.js, dist/*.js     not minified: stack traces name functions and files
 *   dist/LICENSES.txt           the licences of the packages that are in it
 */
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { build, type Metafile, type Plugin } from 'esbuild';

const project = fileURLToPath(new URL('..', import.meta.url));

/** The folders of the packages whose files are in the build, in the order of their names. */
function bundledPackages({ outputs }: Metafile): string[] {
  const inputs = Object.values(outputs).flatMap((output) => Object.keys(output.inputs));
  const folders = inputs.flatMap((file) => /^(?:.*\/)?node_modules\/(?:@[^/]+\/)?[^/]+/.exec(file)?.[0] ?? []);
  return [...new Set(folders)].sort();
}

/** Throws for a package without a licence of its own. */
function licenceOf(folder: string): string {
  const { name, version, license } = JSON.parse(readFileSync(path.join(project, folder, 'package.json'), 'utf8'));
  const files = readdirSync(path.join(project, folder)).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
  if (license === undefined) throw new Error(`${folder}: expected a licence in its package.json`);
  const texts = files.map((file) => readFileSync(path.join(project, folder, file), 'utf8').trim());
  return [`${name} ${version}, ${license}`, ...texts].join('\n\n');
}

const { values } = parseArgs({ options: { outdir: { type: 'string', default: path.join(project, 'dist') } } });

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
const { metafile } = await build({
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
  plugins: [noLatePackages],
  // CommonJS packages call `require` for the modules of Node.js.
  banner: {
    js: "import { createRequire as requireFrom } from 'node:module'; const require = requireFrom(import.meta.url);",
  },
});
const licences = bundledPackages(metafile).map(licenceOf);
writeFileSync(path.join(values.outdir, 'LICENSES.txt'), `${licences.join(`\n\n${'-'.repeat(80)}\n\n`)}\n`);
