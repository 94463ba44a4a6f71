import type { Logger } from 'pino';
import type { ComponentConfig } from '../config/component-settings.js';
import type { Config } from '../config/config.js';
import type { ProcessMetrics } from '../metrics.js';
import type { StoreLimits } from '../retention/store-limits.js';
import { UserUploads } from '../retention/user-uploads.js';
import type { AdHocCommands } from '../slots/ad-hoc/ad-hoc-commands.js';
import { Jobs } from '../slots/ad-hoc/jobs.js';
import { openAdHoc } from '../slots/ad-hoc/open-ad-hoc.js';
import { advertisedPurposes } from '../slots/advertised-purposes.js';
import { answerStanza } from '../slots/answer-stanza.js';
import { Component } from '../slots/component.js';
import { SlotService } from '../slots/slot-service.js';
import type { ServedStore } from '../storage/store.js';
import { least } from '../units.js';
import { openSlotIssuer } from './open-slot-issuer.js';
import type { Rules } from './rules.js';

/** Clients wait at least 30 s for an answer. */
const patienceMs = 10_000;

/** The connected component. */
export type RunningSlots = Pick<Component, 'connection' | 'stop'>;

/** What slots and commands work with. */
interface SlotParts extends Rules {
  readonly store: ServedStore;
  readonly limits: StoreLimits;
  readonly logger: Logger;
}

function openCommands(component: ComponentConfig, parts: SlotParts, service: SlotService, jobs: Jobs): AdHocCommands {
  const context = { ...parts, now: Date.now };
  const quotaLeft = async (jid: string) => {
    const { stored, today } = await parts.limits.quotaLeft(jid);
    return { stored, today: least(today, await service.leftToday(jid)) };
  };
  return openAdHoc(component, { ...context, uploads: new UserUploads(context), jobs, quotaLeft });
}

/** Gives out slots as a component of the XMPP server, and runs commands of its users, until it is stopped. */
export async function serveSlots(
  component: ComponentConfig,
  config: Config,
  parts: SlotParts,
  metrics: ProcessMetrics | undefined,
): Promise<RunningSlots> {
  const { logger } = parts;
  const { jid, access, isDefaultAccess } = component;
  const maxFileSize = Math.min(component.maxFileSize, config.maxFileSize ?? Number.POSITIVE_INFINITY);
  const issuer = await openSlotIssuer(component, config);
  const advertised = { purposes: advertisedPurposes(component.upload, config.retention.rules) };
  const service = new SlotService({ ...component, ...advertised, maxFileSize }, { ...parts, issuer, now: Date.now });
  const jobs = new Jobs(patienceMs);
  const commands = openCommands(component, parts, service, jobs);
  const byDefault = isDefaultAccess ? ' (the default: component.access is not set)' : '';
  logger.info({ jid }, `accepting slot requests from ${access.join(', ')}${byDefault}`);
  const give = service.give.bind(service);
  const maxFileSizeFor = service.maxFileSizeFor.bind(service);
  const context = { ...component, maxFileSizeFor, ...advertised, give, commands, logger, metrics };
  const connected = new Component(component, { answer: (stanza) => answerStanza(stanza, context), logger });
  metrics?.watchComponent(() => connected.connection.isConnected);
  return {
    get connection() {
      return connected.connection;
    },
    stop: async () => {
      jobs.stop();
      await connected.stop();
    },
  };
}
