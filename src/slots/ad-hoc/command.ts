import type { QuotaLeft } from '../../retention/quota-left.js';
import type { UserUploads } from '../../retention/user-uploads.js';
import type { Jobs } from './jobs.js';
import type { Stage } from './stage.js';

/** A command that clients can run (XEP-0050). */
export interface Command {
  /** Its name on the wire. Some clients show it too. */
  readonly node: string;
  readonly name: string;
  /** Begins it for a bare JID. Throws a CommandRefusal or a FilerError. */
  start(jid: string): Promise<Stage>;
}

/** What commands about uploads depend on. */
export interface UploadCommandsContext {
  readonly uploads: UserUploads;
  readonly jobs: Jobs;
  /** What the quotas leave to a bare JID. */
  quotaLeft(jid: string): Promise<QuotaLeft>;
}
