import type { RetentionSettings } from '../retention/expiry.js';
import type { LimitSettings } from '../retention/limits.js';
import type { S3Options } from '../storage/s3/s3-options.js';

/** Where a TCP server listens. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** Where the server listens: a TCP address, or a Unix socket with its mode. */
export type ListenAddress = TcpAddress | { readonly path: string; readonly mode: number };

/** A component of an XMPP server that hands out slots (XEP-0363, XEP-0114). */
export interface ComponentConfig {
  /** Its domain. */
  readonly jid: string;
  /** Where the XMPP server listens for components. */
  readonly host: string;
  readonly port: number;
  readonly secret: string;
  readonly name: string;
  /** The bare JIDs and the domains, in lower case, whose users may ask for slots; never empty. */
  readonly access: readonly string[];
  /** Whether nobody said who may, so that it is the users of the domain above. */
  readonly isDefaultAccess: boolean;
  /** Patterns for content types such as `image/*`; empty: all. */
  readonly allowedTypes: readonly string[];
  /** The URL, with a slash at its end, under which clients reach this server; set unless all goes past it. */
  readonly baseUrl: string | undefined;
  /** Bytes. */
  readonly maxFileSize: number;
  /** Bytes for which each uploader may be given slots in 24 hours. */
  readonly dailyQuota: number | undefined;
  /** Whether clients upload to this server or to the bucket. */
  readonly upload: 'filer' | 'direct';
}

/** Where uploads lie: in a folder, or in a bucket. */
export type Storage =
  | { readonly storeDir: string; readonly s3?: undefined }
  | { readonly storeDir?: undefined; readonly s3: S3Options };

/** Where uploads lie, for people. */
export function describeStorage({ storeDir, s3 }: Storage): string {
  return s3 === undefined ? storeDir : `s3://${s3.bucket}/${s3.path}`;
}

/** The checked configuration: bytes, ms, absolute paths. */
export type Config = Storage & CommonConfig;

interface CommonConfig {
  readonly listen: ListenAddress;
  /** Where metrics and health are told; `undefined`: nowhere. */
  readonly metricsListen: TcpAddress | undefined;
  /** Any of them may have signed a token; the first one signs our own slots and makes the ids of uploaders. */
  readonly secrets: readonly string[];
  readonly deleteSecret: string | undefined;
  /** Decoded path segments of the base URL, e.g. `['upload']`. */
  readonly baseSegments: readonly string[];
  readonly maxFileSize: number | undefined;
  readonly maxUploads: number;
  /** Processes that serve. */
  readonly workers: number;
  readonly limits: LimitSettings;
  readonly sweepIntervalMs: number;
  readonly retention: RetentionSettings;
  /** The least age at which an upload may go to make room. */
  readonly evictMinAgeMs: number;
  /** How long the slot of a deleted upload stays taken. */
  readonly replayWindowMs: number;
  readonly trustProxy: readonly string[];
  readonly isDurable: boolean;
  /** `undefined`: 0644 and 0755 less the umask. */
  readonly fileMode: number | undefined;
  readonly dirMode: number | undefined;
  /** With slashes around it; `undefined`: the bytes of uploads are sent by this program. */
  readonly accelRedirect: string | undefined;
  readonly cors: boolean;
  readonly strictContentType: boolean;
  readonly stallTimeoutMs: number;
  readonly shutdownTimeoutMs: number;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  /** `undefined`: the XMPP server hands out all slots. */
  readonly component: ComponentConfig | undefined;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'fatal';

/** `auto`: readable on a terminal, JSON elsewhere. */
export type LogFormat = 'auto' | 'json' | 'pretty';

/** Everything that is wrong with a configuration, a line each: `file: key: expected …, got …`. */
export class ConfigError extends Error {
  readonly code = 'CONFIG_INVALID';
  readonly problems: readonly string[];

  constructor(problems: readonly string[], options?: ErrorOptions) {
    super(problems.join('\n'), options);
    this.name = 'ConfigError';
    this.problems = problems;
  }
}
