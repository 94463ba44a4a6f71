import type { Probing } from '../storage/store.js';
import type { ServiceManager } from './service-manager.js';

/** Signs of life in each of the watchdog's periods: one may come late or be lost. */
const signsPerPeriod = 3;

/**
 * Gives signs of life as often as the service manager's watchdog needs, each after the event loop and the store have answered.
 * That the store is full or fails is an answer: clients are told so, and a restart would not help.
 */
export function giveSignsOfLife({ watchdogMs }: ServiceManager, store: Probing, giveSign: () => void): void {
  if (watchdogMs === undefined) return;
  setInterval(() => void store.check().then(giveSign, giveSign), watchdogMs / signsPerPeriod).unref();
}
