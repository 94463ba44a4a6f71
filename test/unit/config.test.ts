import assert from 'node:assert/strict';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { defaultBaseUrl, parseBaseUrl } from '../../src/config/base-url.js';
import { ConfigError } from '../../src/config/config-error.js';
import { writeDefaultConfig } from '../../src/config/default-config.js';
import { loadConfig } from '../../src/config/load-config.js';
import { dayMs, hourMs } from '../../src/units.js';
import { quotaTable } from '../support/quota-table.js';
import { tempDir } from '../support/temp-dir.js';

const minimal = 'secret = "k"\nstoreDir = "/srv/upload"\n';

async function load(t: TestContext, text: string) {
  const file = path.join(await tempDir(t), 'config.toml');
  await writeFile(file, text);
  return loadConfig(file);
}

async function problemsOf(t: TestContext, text: string): Promise<string[]> {
  try {
    await load(t, text);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map((line) => line.replace(/^.*?config\.toml:/, '').trim());
    throw error;
  }
  return assert.fail('the configuration was taken');
}

describe('a configuration of the original prosody-filer', () => {
  it('works unchanged', async (t) => {
    const { config, warnings } = await load(
      t,
      '### comment\nlistenPort      = "[::]:5050"\nunixSocket = false\nsecret          = "s3cret"\nstoreDir        = "./uploads/"\nuploadSubDir    = "upload/"\nlogLevel = "Warning"\n',
    );
    assert.deepEqual(config.listen, { host: '::', port: 5050 });
    assert.deepEqual(config.secrets, ['s3cret']);
    assert.equal(config.storeDir, path.resolve('uploads'));
    assert.deepEqual(config.baseSegments, ['upload']);
    assert.equal(config.logLevel, 'warn');
    assert.deepEqual(warnings, []);
  });

  it('may write its keys in any letter case', async (t) => {
    const { config } = await load(t, 'listenport = ":80"\nSECRET = "k"\nstoredir = "/s"\nuploadsubdir = "/a/b/"\n');
    assert.deepEqual(
      [config.listen, config.secrets, config.storeDir, config.baseSegments],
      [{ host: '::', port: 80 }, ['k'], '/s', ['a', 'b']],
    );
  });

  it('may begin with a byte order mark', async (t) => {
    assert.deepEqual((await load(t, `\uFEFF${minimal}`)).config.secrets, ['k']);
  });

  for (const [text, expected] of [
    ['uploadRootDir = "./uploads/"', 'uploadRootDir: expected a known key. Set storeDir'],
    ['S3Secret = "hush"', 'S3Secret: expected a known key. Set secretAccessKey in a table [s3]'],
    ['s3_bucket = "uploads"', 's3_bucket: expected a known key. Set bucket in a table [s3]'],
    ['[security]\nsecret = "hush"', 'security: expected a known key. Set secret above all tables'],
    ['constructor = 1', 'constructor: expected a known key'],
  ] as const) {
    it(`names the successor of a former key: ${text}`, async (t) => {
      const problems = await problemsOf(t, `${minimal}${text}\n`);
      assert.deepEqual(problems, [expected]);
    });
  }

  it('warns of a secret that was published', async (t) => {
    const { warnings } = await load(t, 'secret = "mysecret"\nstoreDir = "/s"\n');
    assert.match(warnings.join(), /secret: this one is published/);
  });

  it('may serve uploads at the root path', async (t) => {
    for (const line of ['', 'uploadSubDir = ""', 'uploadSubDir = "/"']) {
      assert.deepEqual((await load(t, minimal + line)).config.baseSegments, []);
    }
  });
});

describe('listenPort', () => {
  const addresses: [string, object][] = [
    ['127.0.0.1:5050', { host: '127.0.0.1', port: 5050 }],
    ['[::1]:5050', { host: '::1', port: 5050 }],
    [':5050', { host: '::', port: 5050 }],
    ['localhost:0', { host: '127.0.0.1', port: 0 }],
    ['upload.example.org:80', { host: 'upload.example.org', port: 80 }],
  ];
  for (const [text, address] of addresses) {
    it(`takes ${text}`, async (t) => {
      assert.deepEqual((await load(t, `${minimal}listenPort = "${text}"`)).config.listen, address);
    });
  }

  for (const text of ['5050', '127.0.0.1', '::1:5050', '127.0.0.1:65536', '127.0.0.1:x', '/run/filer.sock']) {
    it(`refuses ${text}`, async (t) => {
      const [problem] = await problemsOf(t, `${minimal}listenPort = "${text}"`);
      assert.match(problem ?? '', /^listenPort: expected an address such as "127.0.0.1:5050", got/);
    });
  }

  it('is a path with unixSocket, with a mode of its own', async (t) => {
    const text = `${minimal}listenPort = "/run/filer.sock"\nunixSocket = true\nunixSocketMode = "0666"`;
    assert.deepEqual((await load(t, text)).config.listen, { path: '/run/filer.sock', mode: 0o666 });
  });
});

describe('metricsListen', () => {
  it('is off by default', async (t) => {
    assert.equal((await load(t, minimal)).config.metricsListen, undefined);
    const { config } = await load(t, `${minimal}metricsListen = "127.0.0.1:9550"`);
    assert.deepEqual(config.metricsListen, { host: '127.0.0.1', port: 9550 });
  });

  it('refuses text that is not an address', async (t) => {
    assert.deepEqual(await problemsOf(t, `${minimal}metricsListen = "9550"`), [
      `metricsListen: expected an address such as "127.0.0.1:9550", got '9550'`,
    ]);
  });

  for (const [uploads, metrics] of [
    ['127.0.0.1:5050', 'localhost:5050'],
    [':5050', '127.0.0.1:5050'],
    ['10.0.0.1:5050', '0.0.0.0:5050'],
  ]) {
    it(`refuses ${metrics} if listenPort is ${uploads}`, async (t) => {
      assert.deepEqual(await problemsOf(t, `${minimal}listenPort = "${uploads}"\nmetricsListen = "${metrics}"`), [
        `metricsListen: expected another address than that of listenPort, got '${metrics}'`,
      ]);
    });
  }

  it('may use the port of listenPort on another address', async (t) => {
    await load(t, `${minimal}listenPort = "10.0.0.1:5050"\nmetricsListen = "127.0.0.1:5050"`);
  });
});

describe('the JIDs in a configuration', () => {
  it('are compared as servers do (RFC 7622): in lower case and normalization form C', async (t) => {
    const typed = 'Rene\u0301@Bu\u0308cher.Example';
    const text = `[component]\njid = "Upload.Bu\u0308cher.Example"\nsecret = "s"\nbaseUrl = "https://u.example/"\naccess = ["${typed}"]\nadmins = ["${typed}"]\n[[quota]]\nmatch = "${typed}"\nuserQuota = "1GB"\n`;
    const { config } = await load(t, minimal + text);
    const sent = 'ren\u00e9@b\u00fccher.example';
    assert.deepEqual(config.component?.access, [sent]);
    assert.deepEqual(config.component?.admins, [sent]);
    assert.equal(config.component?.jid, 'upload.b\u00fccher.example');
    assert.equal(config.limits.quotas[0]?.match, sent);
  });
});

describe('the admins of a component', () => {
  const component = '[component]\njid = "u.example.org"\nsecret = "c"\nbaseUrl = "https://u.example.org/"\n';

  it('are read in lower case, and are nobody by default', async (t) => {
    assert.deepEqual((await load(t, minimal + component)).config.component?.admins, []);
    const { config } = await load(t, `${minimal}${component}admins = ["Admin@Example.org"]\n`);
    assert.deepEqual(config.component?.admins, ['admin@example.org']);
  });

  it('are bare JIDs of people, and no domains', async (t) => {
    const text = `${minimal}${component}admins = ["example.org", "a@b/c d"]\n`;
    assert.deepEqual(await problemsOf(t, text), [
      `component.admins[0]: expected a JID, got 'example.org'`,
      `component.admins[1]: expected a JID, got 'a@b/c d'`,
    ]);
  });
});

describe('patterns', () => {
  it('in the syntax of other programs are refused, each with its place', async (t) => {
    const component = '[component]\njid = "u.example.org"\nsecret = "c"\nbaseUrl = "https://u.example.org/"\n';
    const rule = (line: string) => `[[retention]]\n${line}\nexpiresAfter = "1d"\n`;
    const rules = [`match = '!(a)'`, `match = 'a/*'`, `contentType = 'video/**'`, `match = '*.{jpg,png}'`].map(rule);
    assert.deepEqual(await problemsOf(t, `${minimal}${component}allowedTypes = ["image/*", "[a"]\n${rules.join('')}`), [
      `component.allowedTypes[1]: expected a closing "]" or "}", or punctuation after "\\", in a pattern, got '[a'`,
      `retention[0].match: expected "\\!" in place of "!" at the beginning in a pattern, got '!(a)'`,
      `retention[1].match: expected no "/" in a pattern for file names, got 'a/*'`,
      `retention[2].contentType: expected one "*", not two in a pattern, got 'video/**'`,
    ]);
  });
});

describe('retention', () => {
  it('has a default and rules', async (t) => {
    const text = `${minimal}expiresAfter = "28d"\n[[retention]]\nmatch = "story_*"\nexpiresAfter = "24h"\n
      [[retention]]\ncontentType = "video/*"\nlargerThan = "20MB"\nexpiresAfter = "1w"\n`;
    assert.deepEqual((await load(t, text)).config.retention, {
      expiresAfterMs: 28 * dayMs,
      evictMinAgeMs: undefined,
      rules: [
        { match: 'story_*', contentType: undefined, largerThan: undefined, purpose: undefined, expiresAfterMs: dayMs },
        {
          match: undefined,
          contentType: 'video/*',
          largerThan: 20_000_000,
          purpose: undefined,
          expiresAfterMs: 7 * dayMs,
        },
      ],
    });
  });

  it('may write its keys in any letter case', async (t) => {
    const { config } = await load(t, `${minimal}[[Retention]]\nMatch = "*"\nEXPIRESAFTER = "1h"\n`);
    assert.deepEqual(config.retention.rules, [
      { match: '*', contentType: undefined, largerThan: undefined, purpose: undefined, expiresAfterMs: hourMs },
    ]);
  });

  it('may keep uploads of a purpose for ever', async (t) => {
    const { config } = await load(t, `${minimal}[[retention]]\npurpose = "profile"\nexpiresAfter = "Never"\n`);
    assert.deepEqual(config.retention.rules, [
      {
        match: undefined,
        contentType: undefined,
        largerThan: undefined,
        purpose: 'profile',
        expiresAfterMs: undefined,
      },
    ]);
    assert.equal((await problemsOf(t, `${minimal}expiresAfter = "never"\n`)).length, 1);
    const [problem] = await problemsOf(t, `${minimal}[[retention]]\npurpose = "avatar"\nexpiresAfter = "1d"\n`);
    assert.equal(
      problem,
      `retention[0].purpose: expected "message", "profile", "ephemeral" or "permanent", got 'avatar'`,
    );
  });

  it('knows no purposes where slots lead to a bucket', async (t) => {
    const bucket = '[s3]\nbucket = "uploads"\nregion = "r"\nbaseDomain = "x.example.org"\n';
    const component = '[component]\njid = "upload.example.org"\nsecret = "c"\nupload = "direct"\n';
    const rule = '[[retention]]\npurpose = "profile"\nexpiresAfter = "1d"\n';
    assert.deepEqual(await problemsOf(t, `secret = "k"\n${rule}${bucket}${component}`), [
      'retention[0].purpose: expected it only with upload = "filer", because slots of a bucket have no purpose',
    ]);
  });

  it('reports the place of each mistake', async (t) => {
    const text = `${minimal}expiresAfter = "0s"\n[[retention]]\nmatch = 5\nexpiresAfter = "24h"\n[[retention]]\nexpiresAfter = "1 moon"\n`;
    const problems = await problemsOf(t, text);
    assert.ok(problems.includes(`expiresAfter: expected a time such as "24h" or "28d", got '0s'`), problems.join());
    assert.ok(problems.includes(`retention[0].match: expected a pattern for file names such as "story_*", got 5`));
    assert.ok(
      problems.includes(`retention[1].expiresAfter: expected a time such as "24h" or "28d", or "never", got '1 moon'`),
    );
    assert.ok(
      problems.some((problem) =>
        problem.startsWith('retention[1]: expected a table with expiresAfter and at least one of match'),
      ),
      problems.join(),
    );
    const [unknown] = await problemsOf(
      t,
      `${minimal}[[retention]]\nmatch = "*"\nexpireAfter = "1d"\nexpiresAfter = "1d"`,
    );
    assert.equal(unknown, 'retention[0].expireAfter: expected a known key. Did you mean expiresAfter?');
  });
});

describe('quotas', () => {
  it('have tables, whose "none" is a number that JSON can hold', async (t) => {
    const table = '[[quota]]\nmatch = "Slidge.Example.org"\nuserQuota = "None"\ndailyQuota = "1GB"\n';
    const { config } = await load(t, `${minimal}userQuota = "1MB"\n${table}`);
    assert.deepEqual(config.limits.quotas, [
      quotaTable('slidge.example.org', { userQuota: Number.MAX_SAFE_INTEGER, dailyQuota: 1e9 }),
    ]);
  });

  for (const [lines, problem] of [
    ['userQuota = "1GB"', 'quota[0].match: expected a JID or a domain, but it is not set'],
    ['match = "a@b/c"\nuserQuota = "1GB"', "quota[0].match: expected a JID or a domain, got 'a@b/c'"],
    [
      'match = "a"\nuserQuota = "unlimited"',
      `quota[0].userQuota: expected a size such as "50MB", or "none", got 'unlimited'`,
    ],
    ['match = "a"\nuserQuota = "0B"', `quota[0].userQuota: expected a size such as "50MB", or "none", got '0b'`],
    [
      'match = "a"\nrequestsPerMinute = 0',
      'quota[0].requestsPerMinute: expected a number of requests, at least 1, got 0',
    ],
    [
      'match = "a"',
      "quota[0]: expected a table with match and at least one of userQuota, dailyQuota, maxFileSize and requestsPerMinute, got { match: 'a' }",
    ],
    ['match = "a"\nquota = "1GB"', 'quota[0].quota: expected a known key'],
    [
      'match = "a"\nuserQuota = "1GB"\n[[quota]]\nmatch = "A"\nuserQuota = "2GB"',
      "quota[1].match: expected a JID or domain without a table, 'a' has one already: quota[0]",
    ],
  ] as const) {
    it(`reports: ${problem}`, async (t) => {
      assert.ok((await problemsOf(t, `${minimal}[[quota]]\n${lines}\n`)).includes(problem));
    });
  }

  it('are no other place for "none"', async (t) => {
    for (const key of ['userQuota', 'maxStoreSize']) {
      assert.equal((await problemsOf(t, `${minimal}${key} = "none"\n`)).length, 1);
    }
  });
});

describe('trustProxy', () => {
  it('is a list of addresses and networks', async (t) => {
    const { config } = await load(t, `${minimal}trustProxy = ["127.0.0.1", "::1", "10.0.0.0/8", "fd00::/8"]`);
    assert.deepEqual(config.trustProxy, ['127.0.0.1', '::1', '10.0.0.0/8', 'fd00::/8']);
    assert.deepEqual(await problemsOf(t, `${minimal}trustProxy = ["unix"]`), [
      'trustProxy: expected "unix" only together with unixSocket = true',
    ]);
    for (const wrong of ['localhost', '10.0.0.0/33', '10.0.0.0/8/8', '10.0.0/8', '::1/x', '']) {
      const [problem] = await problemsOf(t, `${minimal}trustProxy = ["127.0.0.1", "${wrong}"]`);
      assert.match(
        problem ?? '',
        /^trustProxy\[1\]: expected an address, a network such as "10.0.0.0\/8" with a prefix length of at least 1, or "unix", got/,
      );
    }
  });
});

describe('accelRedirect', () => {
  it('is a path outside that of uploads', async (t) => {
    const { config } = await load(t, `${minimal}uploadSubDir = "upload"\naccelRedirect = "/internal-uploads/"`);
    assert.equal(config.accelRedirect, '/internal-uploads/');
    assert.equal((await load(t, minimal)).config.accelRedirect, undefined);
    for (const wrong of ['', '/', 'internal/', '/internal', '/../', '/a b/', '/a%20b/', '/a/b/', 'http://x/']) {
      assert.deepEqual(await problemsOf(t, `${minimal}accelRedirect = "${wrong}"`), [
        `accelRedirect: expected the path of an internal location of nginx, such as "/internal-uploads/", got '${wrong}'`,
      ]);
    }
    for (const base of ['upload', '/upload/', 'upload/a']) {
      assert.deepEqual(await problemsOf(t, `${minimal}uploadSubDir = "${base}"\naccelRedirect = "/upload/"`), [
        "accelRedirect: expected another path than that of uploadSubDir, got '/upload/'",
      ]);
    }
  });
});

describe('secrets', () => {
  it('may be several, also from a file; those of `secrets` come last', async (t) => {
    const file = path.join(await tempDir(t), 'secret');
    await writeFile(file, 'from file\n');
    const { config } = await load(t, `secret = "a"\nsecrets = ["b", "c"]\nsecretFile = "${file}"\nstoreDir = "/s"`);
    assert.deepEqual(config.secrets, ['a', 'from file', 'from file\n', 'b', 'c']);
    const renewed = await load(t, `secrets = ["old"]\nsecretFile = "${file}"\nstoreDir = "/s"`);
    assert.deepEqual(renewed.config.secrets, ['from file', 'from file\n', 'old']);
  });

  it('must be set and not empty', async (t) => {
    const expected = 'expected the secret that the XMPP server signs with, not empty,';
    assert.deepEqual(await problemsOf(t, 'storeDir = "/s"'), [`secret: ${expected} but it is not set`]);
    assert.deepEqual(await problemsOf(t, 'secret = ""\nstoreDir = "/s"'), [`secret: ${expected} got an empty text`]);
    assert.deepEqual(await problemsOf(t, 'secrets = ["a", ""]\nstoreDir = "/s"'), [
      `secrets[1]: ${expected} got an empty text`,
    ]);
  });

  it('never appear in a message', async (t) => {
    const problems = [
      ...(await problemsOf(t, 'secret = ["hunter2"]\nstoreDir = "/s"')),
      ...(await problemsOf(t, 'storeDir = "/s"\nsecret = "hunter2')),
      ...(await problemsOf(t, 'storeDir = "/s"\nsecret = "hunter2"\nsecret = "hunter2"')),
      ...(await problemsOf(t, `${minimal}[[component]]\njid = "u.example.org"\nsecret = "hunter2"`)),
      ...(await problemsOf(t, 'secret = "k"\n[[s3]]\nsecretAccessKey = "hunter2"')),
      ...(await problemsOf(t, 'secrets = "hunter2"\nstoreDir = "/s"')),
    ];
    assert.equal(problems.length, 6);
    assert.ok(!problems.join().includes('hunter2'), problems.join());
  });

  it('are refused in a file below storeDir', async (t) => {
    const folder = await tempDir(t);
    const file = path.join(folder, 'config.toml');
    for (const storeDir of [folder, path.dirname(folder), `${folder}/./`]) {
      await writeFile(file, `secret = "k"\nstoreDir = ${JSON.stringify(storeDir)}\n`);
      assert.throws(() => loadConfig(file), {
        message: /storeDir: expected a folder for uploads only, but \S+config.toml is in it/,
      });
    }
    await writeFile(path.join(folder, 'secret'), 's');
    const text = `secretFile = "${folder}/secret"\nstoreDir = "${folder}"`;
    assert.match((await problemsOf(t, text)).join(), /but \S+secret is in it/);
  });

  it('must be text if they come from a file', async (t) => {
    const file = path.join(await tempDir(t), 'secret');
    for (const bytes of [Buffer.of(), Buffer.from('\n'), Buffer.from('\uFEFF \t\r\n\n'), Buffer.of(0xff, 0xfe)]) {
      await writeFile(file, bytes);
      assert.match(
        (await problemsOf(t, `secretFile = "${file}"\nstoreDir = "/s"`)).join(),
        /^secretFile: expected the secret as text/,
      );
    }
  });

  for (const [text, secrets, oddity] of [
    ['hush', ['hush'], undefined],
    ['hush\n', ['hush', 'hush\n'], undefined],
    ['two words\n', ['two words', 'two words\n'], undefined],
    ['hush\r\n', ['hush', 'hush\r', 'hush\r\n'], undefined],
    ['hush  \n\n', ['hush', 'hush  ', 'hush  \n\n'], 'around'],
    ['\uFEFFhush\n', ['hush', '\uFEFFhush', '\uFEFFhush\n'], 'around'],
    ['\nhush', ['hush', '\nhush'], 'around'],
    ['# comment\nhush\n', ['# comment\nhush', '# comment\nhush\n'], 'inside'],
    ['hu\u200Bsh', ['hu\u200Bsh'], 'inside'],
  ] as const) {
    it(`may be in a file as Prosody reads them: ${JSON.stringify(text)}`, async (t) => {
      const file = path.join(await tempDir(t), 'secret');
      await writeFile(file, text);
      const { config, oddFiles } = await load(t, `secretFile = "${file}"\nstoreDir = "/s"`);
      assert.deepEqual(config.secrets, secrets);
      assert.equal(oddFiles.length, oddity === undefined ? 0 : 1);
      if (oddity !== undefined)
        assert.match(oddFiles[0]?.found ?? '', new RegExp(`^secretFile: \\S+ .* ${oddity} the`));
    });
  }

  it('must be readable if they come from a file', async (t) => {
    const [problem] = await problemsOf(t, 'secretFile = "/nonexistent"\nstoreDir = "/s"');
    assert.match(problem ?? '', /^secretFile: expected a file that this user can read, but reading it failed: ENOENT$/);
  });
});

describe('a wrong configuration', () => {
  it('reports every mistake with key, value found and value expected', async (t) => {
    const text = [
      'listenPort = "nowhere"',
      'sekret = "k"',
      'uploadSubDir = "../x"',
      'maxFileSize = "50 megs"',
      'fileMode = 640',
      'unixSocket = "yes"',
      'logLevel = "loud"',
      'durability = "maybe"',
      'stallTimeout = "0s"',
    ].join('\n');
    assert.deepEqual((await problemsOf(t, text)).sort(), [
      'durability: expected "sync" or "none", got \'maybe\'',
      'fileMode: expected an octal mode as text that lets the owner read, such as "0640", got 640',
      `logLevel: expected "trace", "debug", "info", "warn", "warning", "error", "fatal" or "panic", got 'loud'`,
      'maxFileSize: expected a size such as "50MB" or "2GiB", got \'50 megs\'',
      'secret: expected the secret that the XMPP server signs with, not empty, but it is not set',
      'sekret: expected a known key. Did you mean secret?',
      'stallTimeout: expected a time such as "60s", at most "24d", got \'0s\'',
      'storeDir: expected the folder for the uploads, or a table [s3], but it is not set',
      "unixSocket: expected true or false, got 'yes'",
      'uploadSubDir: expected the path of the base URL, such as "upload/", got \'../x\'',
    ]);
  });

  it('reports line and column of a TOML syntax error', async (t) => {
    assert.match((await problemsOf(t, 'secret = "k"\nstoreDir = /s\n')).join(), /^2:\d+: /);
  });

  it('reports a value that only looks like TOML', async (t) => {
    assert.match((await problemsOf(t, 'secret = 2020-13-45')).join(), /^expected TOML, but a value in it is invalid$/);
  });

  it('suggests no key if no known key is similar', async (t) => {
    for (const name of ['foo', 'bad', 'toString', 'bananas']) {
      assert.deepEqual(await problemsOf(t, `${minimal}${name} = 1`), [`${name}: expected a known key`]);
    }
  });

  it('may not set a key twice in different letter case', async (t) => {
    assert.match(
      (await problemsOf(t, `${minimal}STOREDIR = "/t"`)).join(),
      /^storeDir: expected each key once, but it also stands there as STOREDIR$/,
    );
  });

  it('reports every mistake that concerns several keys', async (t) => {
    const text =
      'secret = "k"\nstoreDir = "/s"\ntrustProxy = ["unix"]\n[s3]\nbucket = "uploads"\n[component]\njid = "u"\nsecret = "c"\n';
    assert.deepEqual(await problemsOf(t, text), [
      'storeDir: expected it only without a table [s3], because it has no meaning for a bucket',
      's3.region: expected the region of the bucket, such as "eu-central-1", because endpointUrl is not set',
      'component.baseUrl: expected the URL under which clients reach prosody-filer, such as "https://uploads.example.org/upload/", but it is not set',
      'trustProxy: expected "unix" only together with unixSocket = true',
    ]);
  });

  it('reports a number that is too large for JavaScript', async (t) => {
    const [problem] = await problemsOf(t, `${minimal}maxFileSize = 9223372036854775807`);
    assert.match(problem ?? '', /^maxFileSize: expected a size .*, got 9223372036854775807n$/);
  });
});

describe('a value that a library would refuse at the start', () => {
  const disk = (line: string) => `${minimal}${line}\n`;
  const s3 = (line: string) => `secret = "k"\n[s3]\nbucket = "uploads"\n${line}\n`;
  const component = (line: string) =>
    `${minimal}[component]\njid = "u.example.org"\nsecret = "c"\nbaseUrl = "https://u.example.org/"\n${line}\n`;

  for (const [text, problem] of [
    [
      disk('trustProxy = ["0.0.0.0/0"]'),
      /^trustProxy\[0\]: expected an address, .* with a prefix length of at least 1, .*, got '0\.0\.0\.0\/0'$/,
    ],
    [disk('trustProxy = ["::/0"]'), /^trustProxy\[0\]: expected an address/],
    [disk('stallTimeout = "0.4ms"'), /^stallTimeout: expected a time such as "60s", at most "24d"/],
    [disk('shutdownTimeout = "24.8d"'), /^shutdownTimeout: expected a time such as "60s", at most "24d"/],
    [disk(`expiresAfter = "${'0'.repeat(100)}1d"`), /^expiresAfter: expected a time/],
    [disk('expiresAfter = "999999999w"'), /^expiresAfter: expected a time/],
    [disk('maxFileSize = "999999999TB"'), /^maxFileSize: expected a size/],
    [disk('listenPort = "[zz]:80"'), /^listenPort: expected an address/],
    [disk('listenPort = "[1.2.3.4]:80"'), /^listenPort: expected an address/],
    [disk('metricsListen = "a b:80"'), /^metricsListen: expected an address/],
    [disk('listenPort = "/run/a\\u0000b"\nunixSocket = true'), /^listenPort: expected an address/],
    [
      disk(`listenPort = "/run/${'x'.repeat(103)}"\nunixSocket = true`),
      /^listenPort: expected the path of a socket, at most 107 bytes long, got '\/run\/x+', which has 108$/,
    ],
    [
      disk('fileMode = "0040"'),
      /^fileMode: expected an octal mode as text that lets the owner read, such as "0640", got '0040'$/,
    ],
    [
      disk('dirMode = "0600"'),
      /^dirMode: expected an octal mode as text that lets the owner read, write and enter, .*got '0600'$/,
    ],
    [disk('uploadSubDir = "up%20load/"'), /^uploadSubDir: expected the path of the base URL/],
    [disk('uploadSubDir = ".prosody-filer/"'), /^uploadSubDir: expected the path of the base URL/],
    [disk('uploadSubDir = "a\\u0001/"'), /^uploadSubDir: expected the path of the base URL/],
    ['secret = "k"\nstoreDir = "/s\\u0000"', /^storeDir: expected the folder for the uploads/],
    [s3('region = "eu central"'), /^s3\.region: expected the region of the bucket/],
    [s3('endpointUrl = "https://s3.example.org:99999"'), /^s3\.endpointUrl: expected the URL of the S3 service/],
    [s3('region = "eu"\naccessKeyId = "é"\nsecretAccessKey = "x"'), /^s3\.accessKeyId: expected the id/],
    [s3('region = "eu"\nbaseDomain = "files.example.org:x"'), /^s3\.baseDomain: expected the domain/],
    [component('host = "xmpp.example.org:5347"'), /^component\.host: expected the host of the XMPP server/],
    [component('name = "a\\u0001"'), /^component\.name: expected a name that clients may show for the service/],
    [component('secretFile = 5'), /^component\.secretFile: expected the path of a file/],
  ] as const) {
    it(`is reported: ${problem.source}`, async (t) => {
      assert.match((await problemsOf(t, text)).join('\n'), problem);
    });
  }

  it('is accepted if it is valid', async (t) => {
    const lines = [
      'trustProxy = ["10.0.0.0/1", "::ffff:10.0.0.1", "fe80::1%eth0"]',
      'stallTimeout = "1.0001s"',
      'fileMode = "0440"',
      'listenPort = "[fe80::1%lo]:0"',
      'metricsListen = "uploads_1.example.org.:65535"',
    ];
    const { config } = await load(t, minimal + lines.join('\n'));
    assert.equal(config.stallTimeoutMs, 1000);
    const socketPath = `/run/${'x'.repeat(102)}`;
    const { config: onSocket } = await load(t, disk(`listenPort = "${socketPath}"\nunixSocket = true`));
    assert.deepEqual(onSocket.listen, { path: socketPath, mode: 0o660 });
  });
});

describe('writeDefaultConfig', () => {
  it('writes a configuration that loads, with a secret of its own each time', async (t) => {
    const folder = await tempDir(t);
    const [first = '', second = ''] = ['a.toml', 'b.toml'].map((name) => {
      writeDefaultConfig(path.join(folder, name), defaultBaseUrl);
      const { config, warnings } = loadConfig(path.join(folder, name));
      assert.deepEqual(warnings, []);
      assert.deepEqual(config.listen, { host: '127.0.0.1', port: 5050 });
      assert.deepEqual(config.baseSegments, ['upload']);
      return config.secrets.join();
    });
    assert.match(first, /^[0-9a-f]{64}$/);
    assert.notEqual(first, second);
  });

  it('never replaces an existing file', async (t) => {
    const file = path.join(await tempDir(t), 'config.toml');
    await writeFile(file, '');
    assert.throws(() => writeDefaultConfig(file, defaultBaseUrl), { name: 'ConfigError', message: /EEXIST/ });
  });
});

describe('parseBaseUrl', () => {
  it('adds the trailing slash', () => {
    for (const url of ['https://u.example.org', 'https://u.example.org:8443/a/b.c', 'http://[::1]:5050/upload']) {
      assert.equal(parseBaseUrl(url), `${url}/`);
      assert.equal(parseBaseUrl(`${url}/`), `${url}/`);
    }
  });

  it('refuses text that is not a URL, and URLs that a configuration cannot hold unchanged', () => {
    for (const url of [
      ...['', 'uploads.example.org', 'ftp://example.org/', 'https:///upload/', 'https://example.org/a/../b/'],
      ...[
        'https://example.org/a//b/',
        'https://example.org/?a=b',
        'https://example.org/#a',
        'https://u:p@example.org/',
      ],
      ...['https://example.org/a"b/', 'https://example.org/a b/', 'https://example.org/%41/', 'https://example.org:x/'],
      ...['https://example.org/\n', 'HTTPS://EXAMPLE.ORG/'],
    ]) {
      assert.throws(() => parseBaseUrl(url), { name: 'ConfigError', message: /^--base-url: expected a URL/ }, url);
    }
  });
});

describe('[s3]', () => {
  const bucket = 'secret = "k"\n[s3]\nbucket = "uploads"\n';

  it('replaces storeDir', async (t) => {
    const text = `${bucket}ENDPOINTURL = "https://s3.example.org"\naccessKeyId = "id"\nsecretAccessKey = "hush"\n`;
    const { config } = await load(t, text);
    assert.equal(config.storeDir, undefined);
    assert.deepEqual(config.s3, {
      region: 'auto',
      endpointUrl: 'https://s3.example.org',
      bucket: 'uploads',
      path: '',
      credentials: { accessKeyId: 'id', secretAccessKey: 'hush' },
      forcePathStyle: false,
      download: 'proxy',
      publicUrl: undefined,
    });
  });

  it('prefixes each key with the path and one slash, or with nothing', async (t) => {
    for (const [given, path] of [
      ['', ''],
      ['/', ''],
      ['a', 'a/'],
      ['/a/b/', 'a/b/'],
    ]) {
      const { config } = await load(t, `${bucket}region = "eu-central-1"\npath = "${given}"\n`);
      assert.equal(config.s3?.path, path);
    }
    const [problem] = await problemsOf(t, `${bucket}region = "eu-central-1"\npath = "a//b"\n`);
    assert.match(problem ?? '', /^s3\.path: expected the path that all keys in the bucket begin with/);
  });

  it('is public under baseDomain', async (t) => {
    for (const [given, url] of [
      ['cdn.example.org', 'https://cdn.example.org/'],
      ['http://localhost:1/b', 'http://localhost:1/b/'],
    ]) {
      const { config } = await load(t, `${bucket}region = "eu-central-1"\nbaseDomain = "${given}"\n`);
      assert.equal(config.s3?.publicUrl, url);
    }
  });

  it('reads the secret access key from a file', async (t) => {
    const file = path.join(await tempDir(t), 'key');
    await writeFile(file, '\uFEFFhush \n\n');
    const text = `${bucket}region = "eu-central-1"\naccessKeyId = "id"\nsecretAccessKeyFile = "${file}"\n`;
    const { config, secretFiles, oddFiles } = await load(t, text);
    assert.equal(config.s3?.credentials?.secretAccessKey, 'hush');
    assert.match(oddFiles[0]?.found ?? '', /^s3\.secretAccessKeyFile: /);
    assert.ok(secretFiles.includes(file));
  });

  for (const [lines, problem] of [
    ['', /^s3\.region: expected the region of the bucket/],
    ['region = "eu-central-1"\naccessKeyId = "id"', /^s3\.secretAccessKey: expected either it or .*File, got neither/],
    ['region = "eu-central-1"\nsecretAccessKey = "hush"', /^s3\.accessKeyId: expected the id/],
    ['region = "eu-central-1"\ndownload = "public"', /^s3\.baseDomain: expected/],
    ['region = "eu-central-1"\nbuckett = "b"', /^s3\.buckett: expected a known key\. Did you mean bucket\?/],
    ['region = "eu-central-1"\nsecretAccessKey = 5', /^s3\.secretAccessKey: .*, got a number$/],
    ['endpointUrl = "s3.example.org"', /^s3\.endpointUrl: expected the URL of the S3 service/],
  ] as const) {
    it(`reports: ${problem.source}`, async (t) => {
      assert.match((await problemsOf(t, bucket + lines)).join('\n'), problem);
    });
  }

  it('needs a bucket, and refuses settings that are for a folder', async (t) => {
    assert.deepEqual(await problemsOf(t, 'secret = "k"\n[s3]\nregion = "eu-central-1"\n'), [
      's3.bucket: expected the name of a bucket, but it is not set',
    ]);
    for (const line of [
      'storeDir = "/s"',
      'minFreeSpace = "1GB"',
      'accelRedirect = "/internal/"',
      'fileMode = "0640"',
    ]) {
      const [problem] = await problemsOf(t, `${line}\n${bucket}region = "eu-central-1"\n`);
      assert.match(
        problem ?? '',
        /^\w+: expected it only without a table \[s3\], because it has no meaning for a bucket$/,
      );
    }
  });
});

describe('[component]', () => {
  const component =
    'uploadSubDir = "upload/"\n[component]\njid = "upload.example.org"\nsecret = "c"\nbaseUrl = "https://u.example.org/upload/"\n';

  it('gives slots to users of the parent domain by default', async (t) => {
    const { config } = await load(t, minimal + component);
    assert.deepEqual([config.component?.access, config.component?.isDefaultAccess], [['example.org'], true]);
    assert.deepEqual([config.component?.port, config.component?.maxFileSize], [5347, 100 * 1024 * 1024]);
    const named = await load(t, `${minimal}${component}access = ["Romeo@Example.net", "example.org"]\n`);
    assert.deepEqual(named.config.component?.access, ['romeo@example.net', 'example.org']);
  });

  for (const [lines, problem] of [
    ['access = []', /^component\.access: expected a list of JIDs and domains, not empty, got \[\]/],
    ['access = ["a b"]', /^component\.access\[0\]: expected a JID or a domain, got 'a b'/],
    ['port = 0', /^component\.port: expected the port/],
    ['secretFile = "/f"', /^component\.secret: expected either it or component\.secretFile, got both/],
    ['upload = "direct"', /^component\.upload: expected "filer", because "direct" needs a table \[s3\]/],
  ] as const) {
    it(`reports: ${problem.source}`, async (t) => {
      assert.match((await problemsOf(t, minimal + component + lines)).join('\n'), problem);
    });
  }

  it('needs the URL of the uploads, with the path of uploadSubDir', async (t) => {
    const wrong = component.replace('/upload/"\n', '/files/"\n');
    assert.deepEqual(await problemsOf(t, minimal + wrong), [
      "component.baseUrl: expected a URL with the path of uploadSubDir, /upload/, got 'https://u.example.org/files/'",
    ]);
    assert.match(
      (await problemsOf(t, minimal + component.replace(/baseUrl.*\n/, ''))).join(),
      /^component\.baseUrl: expected the URL under which clients reach prosody-filer, .*, but it is not set$/,
    );
  });
});
