import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { get } from 'node:https';
import path from 'node:path';
import { after, before, describe, it } from 'node:test';
import { checkSlowUpload } from '../../src/diagnosis/remote/check-slow-upload.js';
import { Visit } from '../../src/diagnosis/remote/visit.js';
import { run } from '../support/command.js';
import { type Answer, send } from '../support/http-client.js';
import { sendByHttp2 } from '../support/http2-client.js';
import { missingPeer } from '../support/peers.js';
import { type Program, startProgram } from '../support/program.js';
import { shared } from '../support/shared.js';
import { type Teardown, tempDir } from '../support/temp-dir.js';
import { v1Token } from '../support/tokens.js';
import { assertProblems, examineByProcess } from './examination.js';
import { type ProxyName, proxyPrograms, type RunningProxy, startProxy } from './proxies.js';

/** File names as they are encoded in the URL, and as they are. Clients encode more than they must, or less. */
const hostileNames = {
  '%61%41': 'aA',
  '%25%34%31%252F.pdf': '%41%2F.pdf',
  'a%23b%3fc%3bd%3de.html': 'a#b?c;d=e.html',
  'two%20%20spaces': 'two  spaces',
  '%e6%97%a5r%c3%a9': '日ré',
  '%F0%9F%98%80.jpg': '😀.jpg',
  'a+b&c=d;e': 'a+b&c=d;e',
  '~!*()$,@:': '~!*()$,@:',
  "%22%3C%3E'%7B%7D%5C%5E%60%7C": `"<>'{}\\^\`|`,
  '...': '...',
  '.htaccess': '.htaccess',
};

/** As ejabberd hands them out since 25.08. HTTP/2 knows no such names. */
const rawNames = { 'büro_日本.jpg': 'büro_日本.jpg' };

/** A mistake in the lines of `init`, and what the doctor says about it. */
const mistakes: Readonly<
  Record<ProxyName, { change: (block: string) => string; problems: Readonly<Record<string, RegExp>> }>
> = {
  caddy: {
    change: (block) => block.replace('reverse_proxy', 'request_body {\nmax_size 1MB\n}\nreverse_proxy'),
    problems: { 'large file': /Remove max_size of request_body/ },
  },
  apache: {
    change: (block) => block.replace('SetEnv no-gzip 1', ''),
    problems: { compression: /served as gzip.*Set SetEnv no-gzip 1/ },
  },
  haproxy: {
    change: (block) => block.replace('timeout connect', 'http-request set-path %[path,url_dec]\ntimeout connect'),
    problems: { names: /Remove http-request set-path/ },
  },
};

type Send = typeof send;

/** HTTP/1.1 and HTTP/2. */
const protocols: readonly Send[] = [
  send,
  (to, options) => (typeof to === 'string' ? assert.fail('a raw target is needed') : sendByHttp2(to, options)),
];

async function startBehind(t: Teardown, name: ProxyName): Promise<{ program: Program; proxy: RunningProxy }> {
  const program = await startProgram(t, { trustProxy: ['127.0.0.1'], maxFileSize: '25MB' });
  return { program, proxy: await startProxy(t, name, program.origin) };
}

/** PUT and GET of a name as it is encoded in the URL, through the proxy. */
async function exchange(
  sendBy: Send,
  { origin, secret }: Pick<Program, 'origin' | 'secret'>,
  [encoded, name]: readonly [string, string],
  body: Buffer,
): Promise<{ put: Answer; download: Answer; range: Answer }> {
  const slot = randomBytes(8).toString('hex');
  const rawTarget = `/upload/${slot}/${encoded}`;
  const query = `?v=${v1Token(`${slot}/${name}`, body.length, secret)}`;
  const put = await sendBy({ origin, rawTarget: rawTarget + query }, { method: 'PUT', body });
  const download = await sendBy({ origin, rawTarget });
  const range = await sendBy({ origin, rawTarget }, { headers: { range: 'bytes=1-3' } });
  return { put, download, range };
}

for (const [name, executable] of Object.entries(proxyPrograms) as [ProxyName, string][]) {
  describe(`behind ${name}, with the lines of init`, { skip: missingPeer(executable, 'openssl', 'curl') }, () => {
    const behind = shared((t) => startBehind(t, name));

    it('uploads and downloads arrive unchanged, whatever the name and the protocol', async () => {
      const { program, proxy } = await behind();
      const through = { origin: proxy.origin, secret: program.secret };
      for (const sendBy of protocols) {
        for (const names of Object.entries({ ...hostileNames, ...(sendBy === send ? rawNames : {}) })) {
          const body = Buffer.from(names.join());
          const { put, download, range } = await exchange(sendBy, through, names, body);
          assert.deepEqual(
            [put.status, download.status, download.body.toString()],
            [201, 200, body.toString()],
            names[0],
          );
          assert.deepEqual([range.status, range.body.toString()], [206, body.subarray(1, 4).toString()], names[0]);
        }
        const large = randomBytes(20_000_000);
        const { put, download, range } = await exchange(sendBy, through, ['large', 'large'], large);
        assert.deepEqual([put.status, download.status, range.status], [201, 200, 206]);
        assert.ok(download.body.equals(large) && range.body.equals(large.subarray(1, 4)));
      }
    });

    it('prosody-filer knows the address of the client, whatever the client claims', async () => {
      const { program, proxy } = await behind();
      const headers = { 'x-forwarded-for': '192.0.2.1' };
      const options = { localAddress: '127.0.0.9', headers, rejectUnauthorized: false };
      get(`${proxy.origin}/upload/none`, options, (answer) => answer.resume());
      assert.equal((await program.waitForLog(({ path }) => path === '/upload/none'))['client'], '127.0.0.9');
    });

    it('the doctor finds no problem, and knows the proxy', async () => {
      const { program, proxy } = await behind();
      const trust = [`NODE_EXTRA_CA_CERTS=${proxy.certificate}`];
      const examination = await examineByProcess(program, `${proxy.origin}/upload/`, trust);
      assertProblems(examination, {});
      const connection = examination.findings.find(({ check }) => check === 'connection');
      assert.match(connection?.found ?? '', new RegExp(`behind ${name}`));
    });

    it('a refused large PUT gets its status, and pages of other sites can read it', async (t) => {
      const { program, proxy } = await behind();
      const target = `/upload/s/large?v=${v1Token('s/large', 20_000_000, program.secret)}0`;
      const file = path.join(await tempDir(t), 'large');
      await writeFile(file, Buffer.alloc(20_000_000));
      for (const version of ['--http1.1', '--http2']) {
        const options = ['-sSki', version, '-H', 'Expect:', '-T', file];
        const { stdout, stderr } = await run('curl', [...options, proxy.origin + target]);
        assert.match(stdout, /^HTTP\S+ 403[\s\S]*access-control-allow-origin: \*/i, stderr);
      }
    });

    it('the doctor names a mistake in the words of the proxy', async (t) => {
      const { program } = await behind();
      const { change, problems } = mistakes[name];
      const proxy = await startProxy(t, name, program.origin, change);
      const trust = [`NODE_EXTRA_CA_CERTS=${proxy.certificate}`];
      assertProblems(await examineByProcess(program, `${proxy.origin}/upload/`, trust), problems);
    });
  });
}

describe('a slow upload of the doctor', { concurrency: true, skip: missingPeer('caddy', 'openssl') }, () => {
  const filer = shared((t) => startProgram(t));
  before(() => {
    process.env['NODE_TLS_REJECT_UNAUTHORIZED'] = '0';
  });
  after(() => {
    delete process.env['NODE_TLS_REJECT_UNAUTHORIZED'];
  });
  // As Traefik does after 60 s, so that no test has to take that long.
  const limited = 'servers {\n    timeouts {\n      read_body 1s\n    }';
  for (const [limit, expected] of [
    ['', /^201 for an upload/],
    [limited, /An upload that takes 3 s was ended.*Remove read_body/],
  ] as const) {
    it(`${limit === '' ? 'passes a proxy without a time limit' : 'finds the time limit of a proxy'}`, async (t) => {
      const program = await filer();
      const proxy = await startProxy(t, 'caddy', program.origin, undefined, (text) =>
        limit === '' ? text : text.replace('servers {', limit),
      );
      const visit = new Visit({
        url: new URL(`${proxy.origin}/upload/`),
        secret: program.secret,
        baseSegments: ['upload'],
        cors: true,
        storage: program.storeDir,
        removeCommand: (slot) => slot,
        removeFromStore: 'no',
        maxFileSize: undefined,
        deleteSecret: undefined,
        accelRedirect: undefined,
        slotUrl: undefined,
        direct: undefined,
        downloadsFrom: undefined,
      });
      await visit.get('missing');
      assert.match(JSON.stringify(await checkSlowUpload(3000)(visit)).replace(/^"/, ''), expected);
    });
  }
});
