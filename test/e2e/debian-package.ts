import { chmod, cp, mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { packTree, stagePackage } from '../../.ci/debian/package.js';
import { projectFolder } from '../support/command.js';

const documents = [
  'README.md',
  'LICENSE',
  'CHANGELOG.md',
  'config.example.toml',
  'nginx.example.conf',
  'prosody-filer.service',
  'src/contrib',
  'dist',
];

/**
 * Packs the built program as another version, with another port in configuration and socket. In place of Node.js, it has a script
 * that runs the one of bootSystemd: that is quicker to install. Returns the file.
 */
export async function makePackage(folder: string, version: string, port: number): Promise<string> {
  const release = path.join(folder, version);
  await mkdir(path.join(release, 'lib'), { recursive: true });
  for (const name of documents) await cp(path.join(projectFolder, name), path.join(release, name), { recursive: true });
  await cp(path.join(projectFolder, 'src/prosody-filer.sh'), path.join(release, 'bin/prosody-filer'));
  await writeFile(path.join(release, 'lib/node'), '#!/bin/sh\nexec /opt/prosody-filer/lib/node "$@"\n');
  await chmod(path.join(release, 'lib/node'), 0o755);
  await writeFile(path.join(release, 'lib/node-LICENSE'), 'The licence of Node.js');
  const manifest = JSON.parse(await readFile(path.join(projectFolder, 'package.json'), 'utf8'));
  await writeFile(path.join(release, 'package.json'), JSON.stringify({ ...manifest, version }));

  const tree = path.join(folder, `${version}-tree`);
  const edition = stagePackage(release, process.arch, new Date(0), tree);
  for (const name of ['etc/prosody-filer/config.toml', 'usr/lib/systemd/system/prosody-filer.socket']) {
    const file = path.join(tree, name);
    await writeFile(file, (await readFile(file, 'utf8')).replace(':5050', `:${port}`));
  }
  return path.join(folder, packTree(tree, edition, folder, '1'));
}
