import type { RetentionSettings } from '../upload/expiry.js';
import type { LimitSettings } from '../upload/limits.js';

/** Where a TCP server listens. */
export interface TcpAddress {
  readonly host: string;
  readonly port: number;
}

/** Where the server listens: a TCP address, or a Unix socket with its mode. */
export type ListenAddress = TcpAddress | { readonly path: string; readonly mode: number };

/** The checked configuration: bytes, ms, absolute paths. */
export interface Config {
  readonly listen: ListenAddress;
  /** Where metrics and health are told; `undefined`: nowhere. */
  readonly metricsListen: TcpAddress | undefined;
  readonly secrets: readonly string[];
  readonly deleteSecret: string | undefined;
  readonly storeDir: string;
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
