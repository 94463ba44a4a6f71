import type { Config } from '../config/config.js';
import { compileRetention, type Retention } from '../retention/expiry.js';
import { Quotas } from '../retention/quotas.js';
import { UploaderIds } from '../upload/uploader.js';

/** Who uploads, how much each may, and how long uploads stay: what a process derives from the configuration once. */
export interface Rules {
  readonly retention: Retention;
  readonly uploaderIds: UploaderIds;
  readonly quotas: Quotas;
}

/** Derives the rules. */
export function deriveRules({ retention, secrets, jidInUrlDomain, limits }: Config): Rules {
  const uploaderIds = new UploaderIds(secrets, jidInUrlDomain);
  return { retention: compileRetention(retention), uploaderIds, quotas: new Quotas(limits.quotas, uploaderIds) };
}
