import type { Probing } from '../storage/store.js';
import type { ServiceManager } from './service-manager.js';

/** Signs of life for each period of the watchdog, so that one may be late or lost. */
const signsPerPeriod = 3;

/**
 * Gives signs of life as often as the watchdog of the service manager needs them, each after the store has answered. An
 * error of the store, such as a full disk, counts as an answer: a restart would not help.
 */
export function giveSignsOfLife({ watchdogMs }: ServiceManager, store: Probing, giveSign: () => void): void {
  if (watchdogMs === undefined) return;
  setInterval(() => void store.check().then(giveSign, giveSign), watchdogMs / signsPerPeriod).unref();
}
