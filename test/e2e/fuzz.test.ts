import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdir, readdir, stat, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import path from 'node:path';
import { it } from 'node:test';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { eventually } from '../support/eventually.js';
import { startProgram } from '../support/program.js';
import { tempDir } from '../support/temp-dir.js';
import { bearer } from '../support/tokens.js';
import { filesIn } from '../support/tree.js';
import { get, put, putHead, randomNumbers, type Uploadable } from '../support/uploading.js';

const runs = 4000;
const atOnce = 16;

/** Texts that parsers, routers and file systems may trip over. */
const traps = [
  ...[
    '\r\n',
    '\n',
    '\r\n\r\n',
    '\0',
    ' ',
    '\t',
    '%',
    '%2e%2e',
    '%2f',
    '%00',
    '%c0%ae',
    '../',
    '..',
    '/',
    '//',
    '?',
    '#',
  ],
  ...['Content-Length: 5\r\n', 'Content-Length: -1\r\n', 'Content-Length: 99999999999999999999\r\n', 'Expect: x\r\n'],
  ...['Transfer-Encoding: chunked\r\n', 'Connection: upgrade\r\nUpgrade: h2c\r\n', 'Expect: 100-continue\r\n'],
  ...['Range: bytes=-1\r\n', 'If-Range: "\r\n', 'Authorization: Bearer a.b.c\r\n', 'Host: y\r\n', '\x16\x03\x01'],
  ...['../outside', '..%2foutside', '%2e%2e/outside', '/upload/../outside', `${'../'.repeat(9)}etc/passwd`],
  ...['.prosody-filer/', 'http://x', '\xff\xfe', 'v2=', '&v=', 'PUT ', 'CONNECT ', 'HTTP/9.9', 'x'.repeat(9000)],
];

/**
 * Makes requests, valid ones mutated and others, that are the same for the same random numbers; `sizes` are those of the
 * keys for which a token was signed.
 */
function requestMaker(program: Uploadable, random: () => number) {
  const sizes = new Map<string, number>();
  const pick = <T>(from: readonly [T, ...T[]]): T => from[Math.floor(random() * from.length)] ?? from[0];
  const upTo = (max: number) => Math.floor(random() * (max + 1));
  const trap = () => traps[upTo(traps.length - 1)] ?? '';
  const randomBytes = (count: number) => String.fromCharCode(...Array.from({ length: count }, () => upTo(255)));
  const get = (extra = '') => `GET /upload/good/f HTTP/1.1\r\nHost: x\r\n${extra}\r\n`;

  function valid(key: string): string {
    const body = randomBytes(1 + upTo(300));
    sizes.set(key, body.length);
    const claims = { slot: 'good', filename: 'g', filesize: 5, filetype: trap(), exp: 1 };
    return pick([
      () => `${putHead(program, key, body.length)}${body}`,
      () => `${putHead(program, key, body.length, `Content-Type: ${trap()}\r\n`)}${body}`,
      () => `${putHead(program, key, body.length, 'Expect: 100-continue\r\n')}${body}`,
      () =>
        `PUT /upload/good/g HTTP/1.1\r\nHost: x\r\nAuthorization: ${bearer(claims)}\r\nContent-Length: 5\r\n\r\nhello`,
      () => get(),
      () => get().repeat(1 + upTo(5)),
      () => get(`Range: bytes=${upTo(9)}-${upTo(9)}\r\nIf-Range: "x"\r\n`),
      () => get('If-None-Match: *\r\nIf-Modified-Since: 0\r\n'),
      () => get().replace('GET', pick(['HEAD', 'OPTIONS', 'DELETE', 'POST', 'TRACE', 'PATCH', 'FOO'])),
      () =>
        get().replace(
          'good/f',
          Array.from({ length: upTo(6) }, trap)
            .join('')
            .slice(0, 5000),
        ),
    ])();
  }

  function mutated(text: string): string {
    const at = upTo(text.length);
    const length = upTo(pick([2, 20, 200]));
    return pick([
      () => text.slice(0, at) + randomBytes(1) + text.slice(at + 1),
      () => text.slice(0, at) + text.slice(at + length),
      () => text.slice(0, at) + trap() + text.slice(at),
      () => text.slice(0, at) + text.slice(at, at + length) + text.slice(at),
      () => text.replace('\r\n', `\r\n${trap()}`),
      () => text.slice(0, at),
    ])();
  }

  function make(key: string): Buffer {
    if (random() < 0.1) return Buffer.from(randomBytes(1 + upTo(2000)), 'latin1');
    let text = valid(key);
    for (let count = pick([0, 1, 1, 2, 5]); count > 0; count -= 1) text = mutated(text);
    return Buffer.from(text, 'latin1');
  }
  return { make, sizes };
}

/** A request without an answer within this time counts as incomplete. */
const patienceMs = 40;

/** Writes bytes in two pieces, awaits an answer for a moment, and ends or breaks the connection; resolves to all of it. */
async function exchange(origin: string, bytes: Buffer, cut: number, isBroken: boolean): Promise<string> {
  const { hostname, port } = new URL(origin);
  const socket = connect({ host: hostname, port: Number(port), allowHalfOpen: true });
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk)).on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  await once(socket, 'connect');
  socket.once('end', () => socket.destroy());
  socket.write(bytes.subarray(0, cut));
  await setImmediate();
  if (!isBroken) {
    socket.write(bytes.subarray(cut));
    await Promise.race([new Promise((resolve) => socket.once('data', resolve)), closed, delay(patienceMs)]);
    socket.end();
  } else socket.resetAndDestroy();
  await closed;
  return Buffer.concat(chunks).toString('latin1');
}

it('random and mutated requests store nothing without a token, leave no file open, and never stop the server', async (t) => {
  const seed = Number(process.env['FUZZ_SEED'] ?? Math.floor(Math.random() * 2 ** 32));
  t.diagnostic(`FUZZ_SEED=${seed}`);
  const random = randomNumbers(seed);
  const parent = await tempDir(t);
  const storeDir = path.join(parent, 'parent/upload');
  await mkdir(storeDir, { recursive: true });
  await writeFile(path.join(parent, 'parent/outside'), 'PRECIOUS');
  const program = await startProgram(t, { storeDir, stallTimeout: '5s' });
  assert.equal((await put(program, 'good/f', Buffer.from('good'))).status, 201);
  const openBefore = await program.openFiles();

  const { make, sizes } = requestMaker(program, random);
  const requests = Array.from({ length: runs }, (_, index) => {
    const bytes = make(`fuzz/${index}`);
    return { bytes, cut: Math.floor(random() * bytes.length), isBroken: random() < 0.1 };
  });
  const statuses = new Map<string, number>();
  const work = async () => {
    for (let next = requests.pop(); next !== undefined; next = requests.pop()) {
      const received = await exchange(program.origin, next.bytes, next.cut, next.isBroken);
      assert.doesNotMatch(received, /PRECIOUS|root:x:/);
      assert.match(received, /^(HTTP\/1\.1 \d{3} |$)/);
      const status = received.slice(9, 12);
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  t.diagnostic(
    [...statuses]
      .sort()
      .map(([status, count]) => `${status || 'no answer'}: ${count}`)
      .join(', '),
  );

  // A token signs path and size, so only these can have been stored.
  for (const name of (await filesIn(storeDir)).filter((file) => !file.includes('.prosody-filer/'))) {
    if (name === 'good/f') continue;
    assert.equal((await stat(path.join(storeDir, name))).size, sizes.get(name), `${name} was stored without a token`);
  }
  assert.ok(Number(statuses.get('201')) > 0, 'no upload was valid');
  assert.deepEqual(await readdir(parent), ['parent']);
  assert.deepEqual(await readdir(path.join(parent, 'parent')), ['outside', 'upload']);
  await eventually(async () => !(await filesIn(storeDir)).some((name) => name.includes('temporary')));
  await eventually(async () => (await program.openFiles()) <= openBefore);
  assert.equal((await get(program, 'good/f')).body.toString(), 'good');
  assert.equal((await put(program, 'good/g', Buffer.from('also good'))).status, 201);
  assert.equal((await get(program, 'good/g')).body.toString(), 'also good');
  const lines = program.logLines();
  assert.deepEqual(
    lines.filter(({ level, msg, status }) => level === 'fatal' || msg === 'unexpected error' || Number(status) >= 500),
    [],
  );
  assert.equal(program.output().split('\n').length, lines.length, 'something was printed that is no log line');
});
