import type { BaseLogger, Logger } from 'pino';
import type { Metrics } from '../metrics.js';
import type { Retention } from '../retention/expiry.js';
import type { Limits } from '../retention/limits.js';
import type { Store, Tombstones } from '../storage/store.js';
import type { TokenSettings } from '../token/token.js';
import type { RawHeaders } from './headers.js';
import type { UploadLimit } from './upload-limit.js';

/** What of the configuration the HTTP side needs. */
export interface HttpSettings extends TokenSettings {
  /** Decoded path segments of the base URL, e.g. `['upload']`. */
  readonly baseSegments: readonly string[];
  /** Bytes of the largest upload taken whatever the token says; `undefined`: the token decides. */
  readonly maxFileSize?: number | undefined;
  /** Metronome's delete_secret; without it DELETE is refused. */
  readonly deleteSecret?: string | undefined;
  /** Uploads that may run at once. */
  readonly maxUploads: number;
  /** Addresses and networks of proxies whose X-Forwarded-For is believed, `unix` for the one on a Unix socket. */
  readonly trustProxy: readonly string[];
  /** The URI, with slashes around it, of the internal location by which nginx sends uploads; `undefined`: it does not. */
  readonly accelRedirect?: string | undefined;
  /** Whether answers carry CORS headers. */
  readonly cors: boolean;
  /** How long the client of an upload may send no byte. That of a download may take no byte for 30 times as long. */
  readonly stallTimeoutMs: number;
  /** How long running transfers may go on when the server closes. */
  readonly shutdownTimeoutMs: number;
  /** How long an upload of so many bytes may take, ms; if not set, as http/upload-body.ts says. */
  readonly maxUploadMs?: (size: number) => number;
}

/** The part of a pino logger that is used here. */
export type FilerLogger = Pick<BaseLogger, 'info' | 'warn' | 'error'> & Pick<Logger, 'isLevelEnabled'>;

/** What every handler works with. */
export interface HandlerContext {
  readonly store: Store & Tombstones;
  readonly settings: HttpSettings;
  readonly retention: Retention;
  readonly limits: Limits;
  readonly uploadLimit: UploadLimit;
  /** The headers that every answer carries. */
  readonly commonRawHeaders: RawHeaders;
  readonly logger: FilerLogger;
  /** Where requests are counted, if they are. */
  readonly metrics?: Metrics | undefined;
  /** ms since the epoch. */
  readonly now: () => number;
}
