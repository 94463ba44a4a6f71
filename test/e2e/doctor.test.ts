import assert from 'node:assert/strict';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { mainFile, run } from '../support/command.js';
import { nginxOfInit } from '../support/init-lines.js';
import { layoutSettings } from '../support/nginx-example.js';
import { freePort, missingPeer } from '../support/peers.js';
import { type Program, type Settings, startProgram } from '../support/program.js';
import { readmeBlock } from '../support/readme.js';
import { shared } from '../support/shared.js';
import { type Teardown, tempDir } from '../support/temp-dir.js';
import { filesIn } from '../support/tree.js';
import { assertProblems, type Examination, examine, examineByProcess, problemsOf } from './examination.js';
import { startNginx } from './nginx.js';

/** Asserts that exactly these checks found problems, each with a matching text, and that the store is empty. */
async function assertNamed(examination: Examination, program: Program, expected: Record<string, RegExp>) {
  assertProblems(examination, expected);
  assert.deepEqual(await filesIn(program.storeDir), []);
}

/** The uploads in the store, without prosody-filer's own files. */
async function uploadsIn({ storeDir }: Program): Promise<string[]> {
  return (await filesIn(storeDir)).filter((file) => !file.startsWith('.prosody-filer/'));
}

/** What `init` prints for nginx, with these changes in the server block. */
function changedNginx(program: Program, changes: Changes): [inServer: string, beforeServer: string] {
  const [inServer, beforeServer] = nginxOfInit(program);
  const changed = changes.reduce((text, [from, to]) => text.replace(from, () => to), inServer);
  return [changed, beforeServer];
}

type Changes = readonly (readonly [from: string | RegExp, to: string])[];

interface BrokenSetUp {
  /** Changes to the location of `init`. */
  readonly changes?: Changes;
  readonly settings?: Settings;
  readonly command?: readonly string[];
  readonly problems: Record<string, RegExp>;
}

const proxyPass = 'proxy_pass http://prosody_filer;';

/** The location with more directives in it. */
function withMore(directives: string): Changes {
  return [[proxyPass, `${proxyPass} ${directives}`]];
}

/** The location with this text after the address in proxy_pass. */
function passingTo(rest: string): Changes {
  return [[proxyPass, `proxy_pass http://prosody_filer${rest};`]];
}

const brokenSetUps: Record<string, BrokenSetUp> = {
  'a body limit in nginx': {
    settings: { maxFileSize: '20MB' },
    changes: [['client_max_body_size 0;', 'client_max_body_size 1m;']],
    problems: {
      'large file': /An upload of 20000000 bytes got 413 from the proxy \(nginx.*Set client_max_body_size 0;/,
    },
  },
  'buffered requests': {
    changes: [['proxy_request_buffering off;', '']],
    problems: { buffering: /before its whole body was sent.*Set proxy_request_buffering off;/ },
  },
  'a doubled prefix': {
    changes: passingTo('/upload/upload/'),
    problems: { upload: /403 from prosody-filer\. \| The prefix arrives twice, as \/upload\/upload\// },
  },
  'a prefix that is cut off': {
    changes: passingTo('/'),
    problems: { upload: /404 from prosody-filer\. \| The proxy cuts the prefix/ },
  },
  'an uploadSubDir that lacks the prefix': {
    settings: { uploadSubDir: '/' },
    problems: { upload: /403.*uploadSubDir lacks the prefix upload\/.*Set uploadSubDir = "upload\/"/ },
  },
  'a decoded path': {
    changes: passingTo('$uri$is_args$args'),
    problems: { names: /"%41 percent.jpg".*The proxy decodes the path.*no path, no \$uri/ },
  },
  'a path built from what a location captures': {
    changes: [['location /upload/', 'location ~ ^/upload/(.*)$'], ...passingTo('/upload/$1$is_args$args')],
    problems: { names: /"%41 percent.jpg".*The proxy decodes the path/ },
  },
  'a query that is dropped': {
    changes: passingTo('$uri'),
    problems: { upload: /403.*The proxy drops the query, which holds the token.*\$is_args\$args/ },
  },
  'doubled CORS headers': {
    changes: withMore('add_header Access-Control-Allow-Origin *;'),
    problems: { CORS: /appears more than once on .*GET 200.*Both.*add_header.*or set cors = false/ },
  },
  'missing CORS headers': {
    settings: { cors: false },
    problems: { preflight: /cors = false/, CORS: /missing on .*cors = false/ },
  },
  'CORS headers that nginx does not add to errors': {
    settings: { cors: false },
    changes: withMore(`add_header Access-Control-Allow-Origin *; add_header Access-Control-Allow-Methods PUT;
      add_header Access-Control-Allow-Headers 'Authorization, Content-Type';`),
    problems: { CORS: /missing on .*404.*add_header without always/ },
  },
  'a preflight that nginx answers': {
    changes: withMore('if ($request_method = OPTIONS) { return 204; }'),
    problems: { preflight: /204 from the proxy.*answers OPTIONS itself/, CORS: /missing on OPTIONS 204/ },
  },
  "a preflight that the original's README has nginx answer": {
    changes: withMore('if ($request_method = OPTIONS) { add_header Content-Length 0; return 200; }'),
    problems: { preflight: /200 from the proxy.*answers OPTIONS itself/, CORS: /missing on OPTIONS 200/ },
  },
  'a Content-Type that nginx changes on downloads': {
    changes: withMore('proxy_hide_header Content-Type; add_header Content-Type text/html;'),
    problems: {
      download: /text\/plain came back as text\/html\. \| The proxy changes the type/,
      'v2 token': /image\/png came back as text\/html/,
      'Metronome token': /came back as text\/html/,
      'Bearer token': /came back as text\/html/,
      'slot token': /came back as text\/html/,
      names: /came back as text\/html/,
      'large file': /came back as text\/html/,
    },
  },
  'no problem in a charset that nginx adds': {
    changes: withMore('charset utf-8;'),
    problems: {},
  },
  'a Content-Type that nginx changes on uploads': {
    changes: withMore('proxy_set_header Content-Type text/csv;'),
    problems: {
      download: /text\/plain came back as text\/csv.*proxy_set_header Content-Type/,
      names: /came back as text\/csv/,
      'large file': /came back as text\/csv/,
    },
  },
  'a Content-Type that nginx changes under strictContentType': {
    settings: { strictContentType: true },
    changes: withMore('proxy_set_header Content-Type text/plain;'),
    problems: {
      'v2 token': /403.*The proxy changes the Content-Type.*Remove what sets Content-Type.*proxy_set_header/,
      'Metronome token': /403.*The proxy changes the Content-Type/,
      'safe headers': /without Content-Disposition/,
      names: /image\/jpeg came back as text\/plain/,
      'large file': /video\/mp4 came back as text\/plain/,
    },
  },
  compression: {
    changes: [['gzip off;', 'gzip on;']],
    problems: { compression: /HTML is served as gzip, with the ETag W\/.*gzip off/ },
  },
  'safe headers that nginx hides': {
    changes: withMore(
      'proxy_hide_header X-Content-Type-Options; proxy_hide_header Content-Disposition; proxy_hide_header Content-Security-Policy;',
    ),
    problems: { 'safe headers': /without Content-Disposition.*nosniff.*Content-Security-Policy.*proxy_hide_header/ },
  },
  'an Authorization header that nginx drops': {
    changes: withMore('proxy_set_header Authorization "";'),
    problems: { 'Bearer token': /403.*The proxy drops or replaces the Authorization header/ },
  },
  'a Range header that nginx drops': {
    changes: withMore('max_ranges 0; proxy_set_header Range "";'),
    problems: { range: /200 from prosody-filer.*max_ranges/ },
  },
  'a password that nginx asks for': {
    changes: withMore('auth_basic uploads; auth_basic_user_file /dev/null;'),
    problems: {
      'missing file': /401 from the proxy/,
      preflight: /401/,
      upload: /401.*asks for a password.*auth_basic off/,
    },
  },
  'a location of static files': {
    changes: [[proxyPass, 'root /nowhere;']],
    problems: { 'missing file': /404.*No location/, preflight: /405/, upload: /405.*serves the location from its own/ },
  },
  'CORS headers that nginx hides': {
    changes: withMore('proxy_hide_header Access-Control-Allow-Origin;'),
    problems: { CORS: /missing on .*proxy_hide_header/ },
  },
  'an ETag that nginx hides': {
    changes: withMore('proxy_hide_header ETag; proxy_set_header If-None-Match "";'),
    problems: { 'not modified': /The download has no ETag\./, compression: /no ETag/ },
  },
  'a filter that changes downloads': {
    changes: withMore("sub_filter '<p>' '';"),
    problems: { compression: /HTML is served with no ETag.*filters/ },
  },
  'a method that nginx forbids': {
    changes: withMore('limit_except GET { deny all; }'),
    problems: { preflight: /403 from the proxy/, upload: /403 from the proxy.*limit_except/ },
  },
  'slots that lead elsewhere': {
    settings: { component: { jid: 'u.localhost', secret: 's', port: 1, baseUrl: 'https://other.example/upload/' } },
    problems: {
      'slot URL':
        /have another URL: https:\/\/other\.example\/upload\/ \| component\.baseUrl differs.*baseUrl = "http:/,
    },
  },
  'an internal location that is missing': {
    settings: layoutSettings.b,
    changes: [['location /internal-uploads/', 'location /other/']],
    problems: {
      accelRedirect:
        /the client got 404 from nginx\. \| nginx has no location \/internal-uploads\/, or its alias is not storeDir.*Have exactly this location/,
    },
  },
  'a site of its own where the internal location is missing': {
    settings: layoutSettings.b,
    changes: [
      ['location /internal-uploads/', 'location /other/'],
      ['location /upload/', 'location / { return 200 welcome; }\nlocation /upload/'],
    ],
    problems: {
      accelRedirect: /the client got 7 other bytes\. \| nginx has no location \/internal-uploads\//,
      CORS: /missing on GET 200/,
    },
  },
  'an alias that is not storeDir': {
    settings: layoutSettings.b,
    changes: [[/alias .*;/, 'alias /nowhere/;']],
    problems: { accelRedirect: /404 from nginx.*its alias is not storeDir/ },
  },
  'an internal location that leads back': {
    settings: layoutSettings.b,
    changes: [[/alias .*;/, 'proxy_pass http://prosody_filer/upload/;']],
    problems: { accelRedirect: /500 from nginx\. \| The location \/internal-uploads\/ passes requests on/ },
  },
  'an internal location that clients can use': {
    settings: layoutSettings.b,
    changes: [['internal;', '']],
    problems: { accelRedirect: /Clients can fetch uploads at \/internal-uploads\/, past prosody-filer.*"internal;"/ },
  },
  'an nginx that ignores accelRedirect': {
    settings: layoutSettings.b,
    changes: withMore('proxy_ignore_headers X-Accel-Redirect;'),
    problems: { accelRedirect: /^A download has no bytes.*remove proxy_ignore_headers/ },
  },
  'safe headers that the internal location lacks': {
    settings: layoutSettings.b,
    changes: [[/add_header X-Content-Type-Options .*;/, '']],
    problems: {
      HEAD: /headers that differ: x-content-type-options/,
      'safe headers': /without X-Content-Type-Options: nosniff.*add the headers where the proxy serves the files/,
    },
  },
  'a redirect': {
    changes: [[proxyPass, 'return 301 https://other.example$request_uri;']],
    problems: { connection: /301 to https:\/\/other.example.*Use the URL that it redirects to/ },
  },
  'a server whose clock is ahead': {
    command: ['faketime', '-f', '+1h'],
    problems: { 'Bearer token': /403.*clock is wrong/, 'slot token': /403.*clock is wrong/ },
  },
  'a server whose clock is behind': {
    command: ['faketime', '-f', '-1h'],
    problems: { clock: /Last-Modified of a new file is 36\d\d s behind/ },
  },
};

/** A changed copy of the program's configuration file: the doctor reads it, the program does not. */
async function changedConfig(
  t: TestContext,
  { configFile }: Program,
  changes: Changes,
): Promise<{ configFile: string }> {
  const text = changes.reduce((config, [from, to]) => config.replace(from, to), await readFile(configFile, 'utf8'));
  const changed = path.join(await tempDir(t), 'config.toml');
  await writeFile(changed, text);
  return { configFile: changed };
}

/** nginx with the location of `init` and a self-signed certificate for this name. */
async function startTlsNginx(t: TestContext, program: Program, subjectAltName: string) {
  const folder = await tempDir(t);
  const [key, certificate] = [path.join(folder, 'key.pem'), path.join(folder, 'certificate.pem')];
  const { code, stderr } = await run('openssl', [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '1'],
    ...['-subj', '/CN=test', '-addext', `subjectAltName=${subjectAltName}`, '-keyout', key, '-out', certificate],
  ]);
  assert.equal(code, 0, stderr);
  const port = await freePort();
  const [inServer, beforeServer] = nginxOfInit(program);
  const server = `${beforeServer}
  server {
    listen 127.0.0.1:${port} ssl;
    ssl_certificate ${certificate};
    ssl_certificate_key ${key};
    ${inServer}
  }`;
  const plainOrigin = await startNginx(t, '', server);
  return { url: `https://127.0.0.1:${port}/upload/`, plainOrigin, trust: [`NODE_EXTRA_CA_CERTS=${certificate}`] };
}

/** What an operator sees whose nginx buffers uploads. */
const shown = (url: string) => `
ok      preflight        204 from prosody-filer. PUT, Authorization and Content-Type are allowed.
PROBLEM buffering        A PUT that must be refused got no answer before its whole body was sent (waited 3 s).
        usual cause: The proxy stores each upload before it passes it on. It writes each upload twice and reports errors late.
        change: Set proxy_request_buffering off; and proxy_http_version 1.1; in the location.
ok      upload           201 after 11 ms.
ok      large file       20000000 bytes up in 0.42 s, down in 0.33 s.
${url}: 24 checks, problems: 1
`;

describe('the doctor behind nginx', { skip: missingPeer('nginx', 'openssl', 'faketime') }, () => {
  it('finds no problem with the nginx of init, over https, and leaves no files', async (t) => {
    const program = await startProgram(t, layoutSettings.b);
    const { url, trust } = await startTlsNginx(t, program, 'IP:127.0.0.1');
    const examination = await examineByProcess(program, url, trust);
    await assertNamed(examination, program, {});
    assert.deepEqual(
      examination.findings.filter(({ outcome }) => outcome !== 'ok'),
      [],
    );
    assert.equal((await examineByProcess(program, url.replace(/\/$/, ''), trust)).code, 0);
  });

  const programs = new Map<string, () => Promise<Program>>();
  for (const [mistake, { changes = [], settings = {}, command = [], problems }] of Object.entries(brokenSetUps)) {
    const key = JSON.stringify([settings, command]);
    // The large file then has 2 MB, which is more than nginx accepts by default.
    const start = (t: Teardown) => startProgram(t, { maxFileSize: '2MB', ...settings }, command);
    const programFor = programs.get(key) ?? shared(start);
    programs.set(key, programFor);
    it(`names ${mistake}`, async (t) => {
      const program = await programFor();
      const origin = await startNginx(t, ...changedNginx(program, changes));
      await assertNamed(await examine(program, `${origin}/upload/`), program, problems);
    });
  }

  it('prints what it found, the usual cause and what to change, without secrets and tokens', async (t) => {
    const program = await startProgram(t);
    const origin = await startNginx(t, ...changedNginx(program, [['proxy_request_buffering off;', '']]));
    const url = `${origin}/upload/`;
    const command = readmeBlock('sh', 'doctor').replace(/^.* (?=doctor)/, `${process.execPath} ${mainFile} `);
    const own = command
      .replace('/etc/prosody-filer/config.toml', program.configFile)
      .replace('https://uploads.example.org/upload/', url);
    const { code, stdout } = await run('bash', ['-c', own]);
    assert.equal(code, 1);
    const linesOf = (text: string) => text.replaceAll(/[\d.]+/g, 'N').split('\n');
    const missing = linesOf(shown(url)).filter((line) => !linesOf(stdout).includes(line));
    assert.deepEqual(missing, [], stdout);
    assert.doesNotMatch(stdout, new RegExp(`${program.secret}|v2?=|Bearer ey`));
  });

  it('names a server that does not run behind the proxy', async (t) => {
    const program = await startProgram(t);
    const origin = await startNginx(t, ...changedNginx(program, []));
    await program.stop();
    const examination = await examine(program, `${origin}/upload/`);
    await assertNamed(examination, program, { connection: /502 from the proxy.*does not run.*compare proxy_pass/ });
  });

  it('names plain http, wrong certificates and ports', async (t) => {
    const program = await startProgram(t);
    const { url, plainOrigin, trust } = await startTlsNginx(t, program, 'DNS:uploads.example.org');
    const plainUrl = `${await startNginx(t, ...changedNginx(program, []))}/upload/`;
    const unusedPort = await freePort();
    const cases: [string, string[], Record<string, RegExp>][] = [
      [url, [], { connection: /self-signed certificate.*NODE_EXTRA_CA_CERTS/ }],
      [url, trust, { connection: /not in the cert's list.*for another name/ }],
      [`${plainOrigin.replace('http:', 'https:')}/`, [], { connection: /speaks another protocol/ }],
      [`http://127.0.0.1:${unusedPort}/`, [], { connection: /ECONNREFUSED.*does not run or listens elsewhere/ }],
      ['http://no-such-host.invalid/', [], { connection: /ENOTFOUND|EAI_AGAIN/ }],
      // Linux takes it for this machine, which no network needs to know.
      [plainUrl.replace('127.0.0.1', '0.0.0.0'), [], { encryption: /plain http to 0\.0\.0\.0.*https:\/\// }],
    ];
    for (const [to, env, problems] of cases)
      await assertNamed(await examineByProcess(program, to, env), program, problems);
    const plain = await examine(program, url.replace('https:', 'http:'));
    assert.match(problemsOf(plain)['upload'] ?? '', /400 from the proxy.*http on its https port/);
  });

  it("names a clock of the doctor's own that is wrong", async (t) => {
    const program = await startProgram(t);
    const origin = await startNginx(t, ...changedNginx(program, []));
    const examination = await examineByProcess(program, `${origin}/upload/`, ['faketime', '-f', '+1h']);
    await assertNamed(examination, program, { clock: /^Date is 36\d\d s behind this machine's clock/ });
  });
});

describe('the doctor and accelRedirect', { skip: missingPeer('nginx') }, () => {
  const outcomeOf = ({ findings }: Examination) => findings.find(({ check }) => check === 'accelRedirect');

  it('says that nginx sends the bytes, and what to do where it does not', async (t) => {
    const program = await startProgram(t, layoutSettings.b);
    const url = `${await startNginx(t, ...nginxOfInit(program))}/upload/`;
    assert.deepEqual(outcomeOf(await examine(program, url)), {
      check: 'accelRedirect',
      outcome: 'ok',
      found: 'nginx sends the bytes of downloads.',
    });
    const direct = problemsOf(await examine(program, program.uploadUrl));
    assert.match(direct['accelRedirect'] ?? '', /^A download has no bytes.*Without nginx, remove accelRedirect/);
    const unset = await changedConfig(t, program, [['accelRedirect', '# accelRedirect']]);
    const stale = problemsOf(await examine(unset, program.uploadUrl));
    assert.match(stale['accelRedirect'] ?? '', /still runs with accelRedirect.*Restart prosody-filer\.$/);
  });

  it('warns if the running server does not know accelRedirect yet, and says where nginx could send the bytes', async (t) => {
    const program = await startProgram(t);
    const url = `${await startNginx(t, ...nginxOfInit(program))}/upload/`;
    const set = await changedConfig(t, program, [['secret', `accelRedirect = "/internal-uploads/"\nsecret`]]);
    const early = await examine(set, url);
    assert.deepEqual([early.code, outcomeOf(early)?.outcome], [0, 'warning']);
    assert.match(outcomeOf(early)?.found ?? '', /accelRedirect is set, but prosody-filer sends the bytes/);
    const without = outcomeOf(await examine(program, url));
    assert.deepEqual([without?.outcome, /see "nginx" in the README/.test(without?.change ?? '')], ['ok', true]);
    const direct = outcomeOf(await examine(program, program.uploadUrl));
    assert.deepEqual([direct?.outcome, direct?.change], ['ok', undefined]);
  });

  it('names an nginx whose user may not read the files', {
    skip: process.getuid?.() !== 0 && 'needs root',
  }, async (t) => {
    const program = await startProgram(t, layoutSettings.b);
    const url = `${await startNginx(t, ...nginxOfInit(program), 'www-data')}/upload/`;
    const problem = { accelRedirect: /403 from nginx\. \| nginx's user may not enter.*check-config as root/ };
    await assertNamed(await examine(program, url), program, problem);
  });
});

describe('the doctor', () => {
  it('says which files remain if its configuration is for another store', async (t) => {
    const program = await startProgram(t);
    const other = await startProgram(t);
    const mixed = await changedConfig(t, program, [[program.storeDir, other.storeDir]]);
    const { 'left behind': left = '' } = problemsOf(await examine(mixed, program.uploadUrl));
    assert.match(left, /^13 of 13 test files remain\. .*another storeDir.* rm -r \S+\/doctor-[-0-9a-f]{36}$/);
    assert.deepEqual(await filesIn(other.storeDir), []);
  });

  it('names another secret, and a smaller maxFileSize of the running server', async (t) => {
    const program = await startProgram(t, { maxFileSize: '1MB' });
    const otherSecret = await changedConfig(t, program, [[program.secret, 'another']]);
    const secretProblem = {
      upload: /403 from prosody-filer\. \| The running server has another secret than this configuration/,
    };
    await assertNamed(await examine(otherSecret, program.uploadUrl), program, secretProblem);
    const otherSize = await changedConfig(t, program, [['maxFileSize', '# maxFileSize']]);
    const sizeProblem = { 'large file': /413 from prosody-filer\. \| The running server has a smaller maxFileSize/ };
    await assertNamed(await examine(otherSize, program.uploadUrl), program, sizeProblem);
  });

  it('removes its own uploads, and no others, by DELETE if it cannot reach storeDir', async (t) => {
    const program = await startProgram(t, { deleteSecret: 'd' });
    const kept = 'doctor-0/kept.txt';
    await mkdir(path.join(program.storeDir, 'doctor-0'));
    await writeFile(path.join(program.storeDir, kept), 'x');
    const elsewhere = await changedConfig(t, program, [[program.storeDir, '/nowhere']]);
    const { code, findings } = await examine(elsewhere, program.uploadUrl);
    assert.equal(code, 0);
    assert.match(
      findings.find(({ check }) => check === 'removal')?.found ?? '',
      / The doctor removes them by DELETE\.$/,
    );
    assert.deepEqual(await uploadsIn(program), [kept]);
  });

  it('says before its uploads that they will remain if it cannot remove them', async (t) => {
    const program = await startProgram(t);
    const elsewhere = await changedConfig(t, program, [[program.storeDir, '/nowhere']]);
    const { code, findings } = await examine(elsewhere, program.uploadUrl);
    assert.equal(code, 0);
    const [warning, upload] = findings.filter(({ check }) => ['removal', 'upload'].includes(check));
    const [, command = ''] = /(rm -r \/nowhere\/doctor-[-0-9a-f]{36})$/.exec(warning?.found ?? '') ?? [];
    assert.deepEqual([warning?.outcome, upload?.check], ['skipped', 'upload']);
    await run('bash', ['-c', command.replace('/nowhere', program.storeDir)]);
    assert.deepEqual(
      (await filesIn(program.storeDir)).filter((file) => !file.startsWith('.prosody-filer/')),
      [],
    );
  });

  it('exits with 2 for an invalid base URL or configuration', async (t) => {
    const folder = await tempDir(t);
    const configFile = path.join(folder, 'config.toml');
    await writeFile(configFile, 'secret = "s"\nstoreDir = "./upload/"\n');
    for (const args of [
      [],
      ['uploads.example.org'],
      ['ftp://x/'],
      ['https://x/?v=1'],
      ['https://x/', '--config', 'y'],
    ]) {
      const { code, stdout, stderr } = await run(process.execPath, [mainFile, 'doctor', ...args], folder);
      assert.deepEqual([code, stdout], [2, '']);
      assert.match(stderr, /^prosody-filer: \S/);
    }
  });
});
