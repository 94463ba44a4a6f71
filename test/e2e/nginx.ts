import { writeFile } from 'node:fs/promises';
import { userInfo } from 'node:os';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { run } from '../support/command.js';
import { type NginxLayout, nginxExample } from '../support/nginx-example.js';
import { findProgram, freePort } from '../support/peers.js';
import type { Program } from '../support/program.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';

type Teardown = Pick<TestContext, 'after'>;

/** The configuration of an nginx that writes into this folder; if root starts it, `user` sends the files. */
export function nginxConfig(folder: string, http: string, user: string): string {
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off;
${userInfo().uid === 0 ? `user ${user};` : ''}
pid ${folder}/nginx.pid;
error_log stderr notice;
events {}
http {
access_log off;
${temporary.join('\n')}
${http}
}
`;
}

/** Starts an nginx of its own with what its `http` block is made to hold; resolves once it listens, without a complaint. */
async function startNginxWith(
  t: Teardown,
  makeHttp: (address: string, folder: string) => Promise<string>,
  user = 'root',
) {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const address = `127.0.0.1:${await freePort()}`;
  const configFile = path.join(folder, 'nginx.conf');
  await writeFile(configFile, nginxConfig(folder, await makeHttp(address, folder), user));
  const nginx = new RunningProcess(findProgram('nginx') ?? 'nginx', ['-c', configFile, '-p', folder, '-e', 'stderr']);
  running = nginx;
  await nginx.waitForLine((line) => line.includes('start worker process '));
  const complaint = nginx.lines.find((line) => /\[(warn|error|crit|alert|emerg)\]/.test(line));
  if (complaint !== undefined) throw new Error(`nginx complains: ${complaint}`);
  return address;
}

/**
 * Starts an nginx of its own with these locations in its one server; resolves to its origin once it listens. If root runs
 * the test, `user` sends the files.
 */
export async function startNginx(t: Teardown, locations: string, besideServer = '', user?: string): Promise<string> {
  const address = await startNginxWith(
    t,
    async (listen) => `${besideServer}\nserver {\nlisten ${listen};\n${locations}\n}`,
    user,
  );
  return `http://${address}`;
}

/** The files of a certificate and its key. */
export interface Certificate {
  readonly file: string;
  readonly keyFile: string;
}

/** Makes a certificate for 127.0.0.1 that signs itself. */
export async function makeCertificate(folder: string): Promise<Certificate> {
  const certificate = { file: path.join(folder, 'fullchain.pem'), keyFile: path.join(folder, 'privkey.pem') };
  const { code, stderr } = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=IP:127.0.0.1'],
    ...['-keyout', certificate.keyFile, '-out', certificate.file],
  ]);
  if (code !== 0) throw new Error(`openssl failed: ${stderr}`);
  return certificate;
}

/**
 * Starts an nginx with a layout of nginx.example.conf in front of the program, whose settings must be those of the layout;
 * resolves to its https origin. `besideServer` is what the operator's nginx.conf has beside it.
 */
export async function startNginxLayout(
  t: Teardown,
  layout: NginxLayout,
  { origin, storeDir }: Pick<Program, 'origin' | 'storeDir'>,
  besideServer = '',
): Promise<string> {
  const address = await startNginxWith(t, async (listen, folder) => {
    const certificate = await makeCertificate(folder);
    const names = { address: listen, filer: new URL(origin).host, storeDir, certificate };
    return `${besideServer}\n${nginxExample(layout, names)}`;
  });
  return `https://${address}`;
}
