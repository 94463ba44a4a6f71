import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { findProgram, freePort } from '../support/peers.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';

/** Starts an nginx of its own with these locations in its one server; resolves to its origin once it listens. */
export async function startNginx(t: Pick<TestContext, 'after'>, locations: string, besideServer = ''): Promise<string> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const port = await freePort();
  const configFile = path.join(folder, 'nginx.conf');
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  await writeFile(
    configFile,
    `daemon off;
${userInfo().uid === 0 ? 'user root;' : ''}
pid ${folder}/nginx.pid;
error_log stderr notice;
events {}
http {
access_log off;
${temporary.join('\n')}
${besideServer}
server {
listen 127.0.0.1:${port};
${locations}
}
}
`,
  );
  const nginx = new RunningProcess(findProgram('nginx') ?? 'nginx', ['-c', configFile, '-p', folder, '-e', 'stderr']);
  running = nginx;
  await nginx.waitForLine((line) => line.includes('start worker process '));
  return `http://127.0.0.1:${port}`;
}
