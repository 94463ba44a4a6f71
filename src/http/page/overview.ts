import type { LimitSettings } from '../../retention/limits.js';
import type { FinishedSweep } from '../../retention/sweeper.js';
import type { Figures } from './figures.js';
import type { History } from './history.js';

/** The connection of `[component]`. Times are in ms since the epoch. */
export interface ComponentState {
  readonly jid: string;
  readonly isConnected: boolean;
  readonly since: number;
  readonly reason?: string;
}

/** What the page shows beside the health of the store. Times are in ms since the epoch. */
export interface Overview {
  readonly now: number;
  readonly startedAt: number;
  /** Where the uploads are, in words. */
  readonly storage: string;
  readonly limits: Pick<LimitSettings, 'maxStoreSize' | 'minFreeSpace' | 'evictsWhenFull'>;
  /** The latest figures; `undefined` before the first reading. */
  readonly figures: Figures | undefined;
  /** Why the latest figures could not be read. */
  readonly figuresFailure: string | undefined;
  readonly history: History;
  readonly component: ComponentState | undefined;
  readonly lastSweep: FinishedSweep | undefined;
  readonly nextSweepAt: number | undefined;
  readonly sweepFailure: string | undefined;
  /** The largest first; `undefined` before the store was counted. */
  readonly uploaders: readonly { readonly id: string; readonly bytes: number }[] | undefined;
}
