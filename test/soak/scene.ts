import type { Settings } from '../support/program.js';
import type { Filer } from './filer.js';
import type { FlappingXmpp } from './flapping-xmpp.js';
import type { History } from './history.js';
import type { LogWatch } from './log-watch.js';
import type { Oracle } from './oracle.js';
import type { Troubles } from './troubles.js';

/** Where the uploads are, seen from outside of the program. */
export interface Site {
  readonly settings: Settings;
  /** See `Rules.grainMs`. */
  readonly grainMs: number;
  /** When the store fails; it never does if it is a folder. */
  readonly troubles: Troubles;
  readonly isFlapping: boolean;
  /** Makes the store fail now and then, until the signal at the latest. */
  flap(signal: AbortSignal): Promise<void>;
  /** All uploads, with their sizes in bytes. */
  uploads(): Promise<Map<string, number>>;
  /** Whatever should not be there while no upload is running. */
  leftOvers(): Promise<string[]>;
  /** How many files a process of the program may have open while no client is connected. */
  readonly maxIdleFiles: number;
}

/** All who take part. */
export interface Scene {
  readonly site: Site;
  readonly filer: Filer;
  readonly log: LogWatch;
  readonly oracle: Oracle;
  readonly history: History;
  readonly xmpp: FlappingXmpp;
}
