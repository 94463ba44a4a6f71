import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestContext } from 'node:test';
import { proxySnippet } from '../../src/config/proxy-snippets.js';
import { eventually } from '../support/eventually.js';
import { isListening } from '../support/listening.js';
import { findProgram, freePort } from '../support/peers.js';
import { RunningProcess } from '../support/running-process.js';
import { tempDir } from '../support/temp-dir.js';
import { type Certificate, makeCertificate } from './nginx.js';

/** What a proxy of the tests needs to know. */
interface Place {
  /** Address and port for clients, which speak TLS. */
  readonly listen: string;
  /** Where prosody-filer listens. */
  readonly filer: string;
  readonly folder: string;
  readonly certificate: Certificate;
}

interface Kind {
  readonly program: string;
  /** The whole configuration with the lines of `init`, in which 127.0.0.1:5050 is replaced already. */
  readonly configuration: (block: string, place: Place) => string;
  readonly args: (configFile: string) => readonly string[];
}

const apacheModules = ['mpm_event', 'authz_core', 'env', 'filter', 'deflate', 'reqtimeout', 'socache_shmcb', 'ssl'];

const kinds = {
  caddy: {
    program: 'caddy',
    configuration: (block, { listen, folder, certificate: { file, keyFile } }) => `{
  admin off
  auto_https disable_redirects
  storage file_system ${folder}
  servers {
    protocols h1 h2
  }
}
${block.replace(/^.* \{$/m, `https://${listen} {\n  tls ${file} ${keyFile}`)}
`,
    args: (configFile) => ['run', '--adapter', 'caddyfile', '--config', configFile],
  },
  apache: {
    program: 'apache2',
    configuration: (block, { listen, folder, certificate: { file, keyFile } }) => `ServerRoot ${folder}
DefaultRuntimeDir ${folder}
PidFile ${folder}/apache.pid
${[...apacheModules, 'http2', 'proxy', 'proxy_http'].map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so`).join('\n')}
User www-data
Group www-data
ErrorLog "|/bin/cat"
ServerName 127.0.0.1
AddOutputFilterByType DEFLATE text/html text/plain
Listen ${listen}
<VirtualHost *:*>
SSLEngine on
SSLCertificateFile ${file}
SSLCertificateKeyFile ${keyFile}
${block}
</VirtualHost>
`,
    args: (configFile) => ['-f', configFile, '-DFOREGROUND'],
  },
  haproxy: {
    program: 'haproxy',
    configuration: (block, { listen, folder }) =>
      `${block.replace('bind :443 ssl crt /etc/haproxy/uploads.pem', `bind ${listen} ssl crt ${folder}/both.pem`)}
`,
    args: (configFile) => ['-db', '-V', '-f', configFile],
  },
} as const satisfies Record<string, Kind>;

/** The name of a proxy. */
export type ProxyName = keyof typeof kinds;

/** The names of the proxies that these tests start, and of their programs. */
export const proxyPrograms: Readonly<Record<ProxyName, string>> = {
  caddy: kinds.caddy.program,
  apache: kinds.apache.program,
  haproxy: kinds.haproxy.program,
};

/** A proxy that runs. */
export interface RunningProxy {
  /** Its https origin. */
  readonly origin: string;
  /** The file of its certificate. */
  readonly certificate: string;
}

/** Resolves once a proxy accepts connections at this address; rejects with what it printed if it ends before. */
async function listening(proxy: RunningProcess, address: string): Promise<void> {
  const [host, port] = address.split(':');
  const ended = proxy.ended.then(() => assert.fail(`the proxy ended: ${proxy.lines.join('\n')}`));
  await Promise.race([ended, eventually(() => isListening(Number(port), host))]);
}

/**
 * Starts a proxy of its own with the lines of `init` and these changes to them, in front of the filer at this origin;
 * resolves once it listens.
 */
export async function startProxy(
  t: Pick<TestContext, 'after'>,
  name: ProxyName,
  filerOrigin: string,
  change: (block: string) => string = (block) => block,
  changeWhole: (configuration: string) => string = (text) => text,
): Promise<RunningProxy> {
  let running: RunningProcess | undefined;
  t.after(() => running?.stop()); // hooks run in this order: first the server, then its folder
  const folder = await tempDir(t);
  const kind: Kind = kinds[name];
  const certificate = await makeCertificate(folder);
  await writeFile(
    path.join(folder, 'both.pem'),
    `${await readFile(certificate.file, 'utf8')}${await readFile(certificate.keyFile, 'utf8')}`,
  );
  const filer = new URL(filerOrigin).host;
  const place = { listen: `127.0.0.1:${await freePort()}`, filer, folder, certificate };
  const block = change(proxySnippet(name, 'https://uploads.example.org/upload/').replaceAll('127.0.0.1:5050', filer));
  const configFile = path.join(folder, 'proxy.conf');
  await writeFile(configFile, changeWhole(kind.configuration(block, place)));
  await mkdir(path.join(folder, 'logs'));
  const proxy = new RunningProcess(findProgram(kind.program) ?? kind.program, kind.args(configFile));
  running = proxy;
  await listening(proxy, place.listen);
  return {
    origin: `https://${place.listen}`,
    certificate: certificate.file,
  };
}
