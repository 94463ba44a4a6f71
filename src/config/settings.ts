import { componentTable, domainEntry } from './component-settings.js';
import { quotaTable } from './quota-settings.js';
import { retentionTable } from './retention-settings.js';
import { s3Table } from './s3-settings.js';
import { choice, list, type TableOf, table } from './schema.js';
import {
  duration,
  flag,
  formats,
  integer,
  mode,
  secret,
  secretFile,
  size,
  string,
  text,
  timeout,
} from './setting-types.js';

const signingSecret = { isSecret: true, expected: 'the secret that the XMPP server signs with, not empty' } as const;
const proxy = {
  type: 'string',
  format: formats.proxy,
  expected: 'an address, a network such as "10.0.0.0/8" with a prefix length of at least 1, or "unix"',
} as const;

/** The settings as a JSON Schema with an entry for each key. */
export const settingsSchema = table({
  listenPort: text(
    'Address on which prosody-filer listens for uploads: `host:port`, `[::1]:port`, or `:port` for all addresses. With `unixSocket = true` it is the path of a socket, at most 107 bytes long.',
    { default: '127.0.0.1:5050', expected: 'an address such as "127.0.0.1:5050"' },
  ),
  unixSocket: flag(
    'If true, prosody-filer listens on a Unix socket with the path in `listenPort`. It replaces a socket on which no program listens any more.',
    { default: false },
  ),
  unixSocketMode: mode('Octal mode of the Unix socket. The proxy needs the right to write to it.', { default: '0660' }),
  metricsListen: text(
    'Address for a page to look at, `/metrics` (Prometheus) and `/healthz`. They have no password, so keep the address private.',
    {
      unset: 'no metrics',
      example: '127.0.0.1:9550',
      format: formats.address,
      expected: 'an address such as "127.0.0.1:9550"',
    },
  ),
  secret: secret(
    'Secret that the XMPP server signs tokens with. Set the same one there. Make a random one with `openssl rand -hex 32`.',
    { ...signingSecret, unset: 'required, unless `secrets` or `secretFile` is set', example: 'mysecret' },
  ),
  secrets: list({ type: 'string', format: formats.notEmpty, ...signingSecret })(
    'More secrets that are valid too, so that you can change the secret without refusing uploads. Keep an old one as long as uploads from its time are stored: quotas, `stats` and `purge --uploader` need it.',
    { isSecret: true, unset: 'none', example: ['old-secret'], minItems: 1, expected: 'a list of secrets, not empty' },
  ),
  secretFile: secretFile(
    "File that holds the secret, such as one of systemd's LoadCredential or Docker's secrets. White space around the secret is left out.",
    {
      unset: 'none',
      example: '/run/credentials/prosody-filer.service/secret',
    },
  ),
  deleteSecret: secret("Metronome's `http_file_delete_secret`. Metronome deletes uploads with it.", {
    unset: 'DELETE is answered with 405',
    example: 'another-secret',
    expected: "Metronome's delete_secret, not empty",
  }),
  storeDir: text('Folder for the uploads, with one folder for each slot. Keep other files out of it.', {
    unset: 'required, unless there is a table `[s3]`',
    example: './upload/',
    isForFolder: true,
    expected: 'the folder for the uploads, or a table [s3]',
  }),
  uploadSubDir: string(
    'Path of the base URL that the XMPP server hands out, with or without slashes around it, not percent-encoded.',
    {
      default: '/',
      example: 'upload/',
      format: formats.basePath,
      expected: 'the path of the base URL, such as "upload/"',
    },
  ),
  fileMode: mode('Octal mode of stored files, whatever the umask. Set it if nginx reads the files itself.', {
    unset: '`"0644"` less the umask',
    example: '0640',
    format: formats.fileMode,
    isForFolder: true,
    expected: 'an octal mode as text that lets the owner read, such as "0640"',
  }),
  dirMode: mode(
    'Octal mode of the folders for the uploads, whatever the umask. Set it if nginx reads the files itself.',
    {
      unset: '`"0755"` less the umask',
      example: '0750',
      format: formats.dirMode,
      isForFolder: true,
      expected: 'an octal mode as text that lets the owner read, write and enter, such as "0750"',
    },
  ),
  maxFileSize: size(
    'Largest upload that prosody-filer accepts, whatever the token says. `"100MB"` is 100,000,000 bytes, `"100MiB"` is 104,857,600.',
    { unset: 'the token decides', example: '100MB' },
  ),
  expiresAfter: duration(
    'How long prosody-filer keeps an upload. Then it answers 410 and deletes the file. If the token has an earlier expiry, that one counts.',
    { unset: 'for ever', example: '28d' },
  ),
  replayWindow: duration(
    'How long the URL of a deleted upload stays blocked: GET is answered with 410, PUT with 409. Most tokens never expire, so a client could upload the file again. `"0s"` blocks nothing.',
    { default: '30d', format: formats.window, expected: 'a time such as "30d", or "0s"' },
  ),
  retention: list(retentionTable)(
    'Another `expiresAfter` for some uploads. The first table whose conditions an upload meets decides.',
    { default: [], unset: 'none', expected: 'tables [[retention]]' },
  ),
  maxUploads: integer(
    'How many uploads may run at once. More are answered with 503 and `Retry-After`. Once half of them run, each uploader and each client address may run a tenth; behind a proxy, set `trustProxy` for that.',
    { default: 2000, minimum: 1, expected: 'a number of uploads, at least 1' },
  ),
  maxStoreSize: size(
    'How much may be stored in all, running uploads included. Each file counts as at least 4 KiB. An upload beyond that is answered with 507.',
    { unset: 'no limit', example: '50GB' },
  ),
  minFreeSpace: size(
    'How much space must stay free on the disk when all running uploads have arrived. An upload that needs some of it is answered with 507.',
    { unset: 'none', example: '1GB', isForFolder: true },
  ),
  whenFull: choice('refuse', 'evict')(
    'What happens when `maxStoreSize` or `minFreeSpace` is reached. `"refuse"`: the upload is answered with 507. `"evict"`: prosody-filer deletes the oldest uploads as the bytes of the new one arrive.',
    { default: 'refuse' },
  ),
  evictMinAge: duration('How old an upload must be before `whenFull = "evict"` may delete it.', { default: '1d' }),
  userQuota: size(
    'How much may be stored for each uploader, if the token or the path names the uploader (mod_http_file_share, ejabberd, `[component]`). More is answered with 413.',
    { unset: 'no limit', example: '1GB' },
  ),
  dailyQuota: size(
    'How much each uploader may send in 24 hours, if the token or the path names the uploader. More is answered with 413 and `Retry-After`.',
    { unset: 'no limit', example: '200MB' },
  ),
  quota: list(quotaTable)(
    'Other figures for the uploaders of a gateway, of a domain, or for one uploader. What a table does not set is as at the top.',
    { default: [], unset: 'none', expected: 'tables [[quota]]' },
  ),
  jidInUrlDomain: string(
    'Domain of the users if ejabberd has `jid_in_url: node`. Then a path begins with the name of the uploader, which quotas, `stats` and `purge --uploader` know by this. It must be the only domain that uploads here.',
    { ...domainEntry, unset: 'paths name no JID', example: 'example.org' },
  ),
  sweepInterval: timeout(
    'How often prosody-filer looks for expired uploads and deletes them. From its expiry on, an upload is answered with 410, even before the sweep.',
    { default: '1h' },
  ),
  workers: integer(
    'How many processes serve, 1 to 64. Leave 1 unless one core is always busy: an upload costs more CPU time with several, and each takes up to 160 MiB of memory. If a worker dies, another one starts after 1 s, or after up to 60 s if that one dies too.',
    { default: 1, minimum: 1, maximum: 64, expected: 'a number of processes, 1 to 64' },
  ),
  trustProxy: list(proxy)(
    'Addresses or networks of proxies whose `X-Forwarded-For` names the client, for the log and for the shares of `maxUploads`. A network needs a prefix length of at least 1. `"unix"` is the proxy on the Unix socket.',
    { default: [], example: ['127.0.0.1', '::1'], expected: 'a list of addresses or networks' },
  ),
  strictContentType: flag(
    'If true, the PUT must have the content type that the slot was requested for (v2 and token). Many clients send another one.',
    { default: false },
  ),
  durability: choice('sync', 'none')(
    'When prosody-filer answers uploads and deletions. `"sync"`: when they are on the disk. `"none"`: earlier, which is faster, but a power failure may lose the last uploads and bring back the last deleted ones.',
    { default: 'sync' },
  ),
  accelRedirect: string(
    'Path of an internal location by which nginx sends the files, with a slash at both ends. Clients must come through nginx, and its user must be able to read `storeDir`.',
    {
      unset: 'prosody-filer sends the files',
      example: '/internal-uploads/',
      pattern: '^/(?!\\.{1,2}/)[\\w.~-]+/$',
      isForFolder: true,
      expected: 'the path of an internal location of nginx, such as "/internal-uploads/"',
    },
  ),
  cors: flag(
    'If true, answers have CORS headers, which web clients need. Set it to false only if the proxy adds them.',
    { default: true },
  ),
  stallTimeout: timeout(
    'How long prosody-filer waits for the next byte of a request or an upload before it closes the connection. A download may stand still for 30 times as long.',
    { default: '60s' },
  ),
  shutdownTimeout: timeout(
    'How long running transfers may go on after SIGTERM. Then prosody-filer breaks them off and logs how many there were.',
    { default: '30s' },
  ),
  logLevel: choice(
    'trace',
    'debug',
    'info',
    'warn',
    'warning',
    'error',
    'fatal',
    'panic',
  )(
    'Lowest level that prosody-filer logs: `trace`, `debug`, `info`, `warn`, `error` or `fatal`. Each request is one line at `info`, a refused upload is one at `warn`.',
    { default: 'info', isAnyCase: true },
  ),
  logFormat: choice(
    'auto',
    'json',
    'pretty',
  )('Format of the log: `"json"`, `"pretty"` for people, or `"auto"`: pretty on a terminal, JSON elsewhere.', {
    default: 'auto',
  }),
  s3: {
    ...s3Table,
    description: 'Bucket of an S3-compatible store that holds the uploads, in place of `storeDir`.',
    unset: 'none',
  },
  component: {
    ...componentTable,
    description:
      'Component of the XMPP server that hands out the slots itself, on Prosody, ejabberd, Openfire and others.',
    unset: 'none',
  },
});

/** These settings with their defaults, in bytes and milliseconds. */
export type SettingsOf<Key extends keyof typeof settingsSchema.properties> = TableOf<
  Pick<typeof settingsSchema.properties, Key>
>;

/** The settings of a configuration file with their defaults, in bytes and milliseconds. */
export type Settings = TableOf<typeof settingsSchema.properties>;
