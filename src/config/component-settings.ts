import { withSlash } from './base-url.js';
import { requirePatterns } from './check-pattern.js';
import { SettingProblem } from './config-error.js';
import { choice, list, type TableOf, table } from './schema.js';
import { requireSecret } from './secret-file.js';
import { formats, integer, printable, secret, secretFile, size, string, text } from './setting-types.js';

const domain = '[^\\s@/\\p{Cc}\\uFFFE\\uFFFF]+';
/** The rest of an entry for a domain. */
export const domainEntry = {
  pattern: `^${domain}$`,
  isAnyCase: true,
  expected: 'a domain such as "example.org"',
} as const;
/** The rest of an entry for a JID or a domain. */
export const jidOrDomain = {
  type: 'string',
  pattern: `^(${domain}@)?${domain}$`,
  isAnyCase: true,
  expected: 'a JID or a domain',
} as const;
const typePattern = {
  type: 'string',
  pattern: printable,
  expected: 'a pattern for content types such as "image/*"',
} as const;

/** The table `[component]`. */
export const componentTable = {
  ...table({
    jid: text('Domain of the component.', {
      ...domainEntry,
      example: 'upload.example.org',
      expected: 'the domain of the component, such as "upload.example.org"',
    }),
    host: string('Host on which the XMPP server accepts components.', {
      default: '127.0.0.1',
      format: formats.host,
      expected: 'the host of the XMPP server',
    }),
    port: integer('Port on which the XMPP server accepts components.', {
      default: 5347,
      minimum: 1,
      maximum: 65_535,
      expected: 'the port on which the XMPP server accepts components, 1 to 65535',
    }),
    secret: secret("The component's secret on the XMPP server. It is not the secret of the tokens.", {
      unset: 'required, unless `secretFile` is set',
      example: "the component's secret on the XMPP server",
      expected: "the component's secret on the XMPP server, not empty",
    }),
    secretFile: secretFile("File that holds the component's secret.", {
      unset: 'none',
      example: '/run/credentials/prosody-filer.service/component',
    }),
    name: text('Name of the service, which clients may show.', {
      default: 'HTTP File Upload',
      expected: 'a name that clients may show for the service',
    }),
    access: list(jidOrDomain)(
      'Who may ask for slots: domains (their users, not those of domains below them) and bare JIDs. The log shows the list at the start.',
      {
        unset: 'the users of the domain above `jid`',
        example: ['example.org', 'filesharingenthusiast@example.net'],
        minItems: 1,
        expected: 'a list of JIDs and domains, not empty',
      },
    ),
    admins: list({ ...jidOrDomain, pattern: `^${domain}@${domain}$`, expected: 'a JID' })(
      'Bare JIDs of those who may run the commands of admins: statistics, and deleting the uploads of a user.',
      {
        default: [],
        unset: 'nobody',
        example: ['admin@example.org'],
        expected: 'a list of bare JIDs',
      },
    ),
    allowedTypes: list(typePattern)(
      'Patterns for the content types of which clients may upload files. If a client names no type, the type of the file name counts. With `upload = "direct"` the PUT must send the type.',
      {
        default: [],
        unset: 'all types',
        example: ['image/*', 'video/*', 'audio/*'],
        expected: 'a list of patterns for content types such as "image/*"',
      },
    ),
    baseUrl: text('URL under which clients reach prosody-filer. Its path is `uploadSubDir`.', {
      unset: 'required, unless `upload` is `"direct"` and `baseDomain` is set',
      example: 'https://uploads.example.org/upload/',
      format: formats.baseUrl,
      expected: 'the URL under which clients reach prosody-filer, such as "https://uploads.example.org/upload/"',
    }),
    maxFileSize: size('Largest file that gets a slot. `maxFileSize` at the top counts too.', { default: '100MiB' }),
    dailyQuota: size('How much each uploader may get slots for in 24 hours, used or not.', {
      unset: 'no limit',
      example: '200MB',
    }),
    upload: choice('filer', 'direct')(
      'Where clients upload. `"filer"`: to prosody-filer. `"direct"`: to the bucket of `[s3]`, by URLs that are signed for 5 minutes.',
      { default: 'filer' },
    ),
  }),
  isSecret: true,
  expected: 'a table [component]',
} as const;

type ComponentSettings = TableOf<typeof componentTable.properties>;

/** The bucket, as far as the component needs to know it. */
interface Bucket {
  readonly baseDomain: string | undefined;
}

function requireBaseUrl(text: string, segments: readonly string[]): string {
  const path = `/${segments.map((segment) => `${segment}/`).join('')}`;
  const baseUrl = withSlash(text);
  if (baseUrl !== undefined && new URL(baseUrl).pathname === path) return baseUrl;
  throw new SettingProblem(`component.baseUrl: expected a URL with the path of uploadSubDir, ${path}, got '${text}'`);
}

/** The component that the table describes; `segments` are those of uploadSubDir. Throws a SettingProblem. */
export function componentConfig(settings: ComponentSettings, segments: readonly string[], bucket: Bucket | undefined) {
  const { secret, secretFile, ...plain } = settings;
  const { jid, allowedTypes, access, baseUrl, upload } = settings;
  if (upload === 'direct' && bucket === undefined) {
    throw new SettingProblem('component.upload: expected "filer", because "direct" needs a table [s3]');
  }
  if (baseUrl === undefined && (upload === 'filer' || bucket?.baseDomain === undefined)) {
    const { expected } = componentTable.properties.baseUrl;
    throw new SettingProblem(`component.baseUrl: expected ${expected}, but it is not set`);
  }
  requirePatterns('component.allowedTypes', allowedTypes);
  const [, ...parents] = jid.split('.');
  if (access === undefined && parents.length === 0) {
    throw new SettingProblem(
      `component.access: expected a list of JIDs and domains, because ${jid} has no domain above it`,
    );
  }
  return {
    ...plain,
    secret: requireSecret('component.secret', secret, secretFile),
    /** The bare JIDs and the domains, in lower case, whose users may ask for slots; never empty. */
    access: access ?? [parents.join('.')],
    /** True if `access` was not set and defaults to the domain above the component's. */
    isDefaultAccess: access === undefined,
    /** With a slash at its end; `undefined` only if clients neither upload to prosody-filer nor download from it. */
    baseUrl: baseUrl === undefined ? undefined : requireBaseUrl(baseUrl, segments),
  };
}

/** A component of an XMPP server that hands out slots (XEP-0363, XEP-0114). */
export type ComponentConfig = Readonly<ReturnType<typeof componentConfig>>;
