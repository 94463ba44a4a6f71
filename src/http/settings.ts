import type { BaseLogger, Logger } from 'pino';
import type { Metrics } from '../metrics.js';
import type { Retention } from '../retention/expiry.js';
import type { Limits } from '../retention/limits.js';
import type { Quotas } from '../retention/quotas.js';
import type { Store, Tombstones } from '../storage/store.js';
import type { TokenSettings } from '../token/token.js';
import type { RawHeaders } from './headers.js';
import type { UploadLimit } from './upload-limit.js';

/** The settings of the HTTP server. */
export interface HttpSettings extends TokenSettings {
  /** Decoded path segments of the base URL, e.g. `['upload']`. */
  readonly baseSegments: readonly string[];
  /** The largest upload in bytes, whatever the token allows; `undefined`: only the token decides. */
  readonly maxFileSize?: number | undefined;
  /** Metronome's delete_secret; `undefined`: DELETE is refused. */
  readonly deleteSecret?: string | undefined;
  /** How many uploads may run at once. */
  readonly maxUploads: number;
  /** Addresses and networks of the proxies whose X-Forwarded-For is used; `unix` for a proxy on a Unix socket. */
  readonly trustProxy: readonly string[];
  /** The URI of nginx's internal location, which begins and ends with a slash; `undefined`: nginx does not send uploads. */
  readonly accelRedirect?: string | undefined;
  /** Whether answers carry CORS headers. */
  readonly cors: boolean;
  /** How long the client of an upload may pause. The client of a download may pause 30 times as long. */
  readonly stallTimeoutMs: number;
  /** How long running transfers may go on when the server closes. */
  readonly shutdownTimeoutMs: number;
  /** How long an upload of this size may take, ms; by default `maxUploadMs` of http/upload-body.ts. */
  readonly maxUploadMs?: (size: number) => number;
}

/** The part of a pino logger that http/ uses. */
export type FilerLogger = Pick<BaseLogger, 'info' | 'warn' | 'error'> & Pick<Logger, 'isLevelEnabled'>;

/** What handlers depend on. */
export interface HandlerContext {
  readonly store: Store & Tombstones;
  readonly settings: HttpSettings;
  readonly retention: Retention;
  readonly limits: Limits;
  readonly quotas: Quotas;
  readonly uploadLimit: UploadLimit;
  /** The headers of every answer. */
  readonly commonRawHeaders: RawHeaders;
  readonly logger: FilerLogger;
  /** Counts requests; `undefined`: metrics are off. */
  readonly metrics?: Metrics | undefined;
  /** ms since the epoch. */
  readonly now: () => number;
}
