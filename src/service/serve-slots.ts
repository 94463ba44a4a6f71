import type { Logger } from 'pino';
import type { ComponentConfig } from '../config/component-settings.js';
import type { Config } from '../config/config.js';
import { Quotas } from '../retention/quotas.js';
import { answerStanza } from '../slots/answer-stanza.js';
import { Component } from '../slots/component.js';
import { SlotService, type SlotServiceContext } from '../slots/slot-service.js';
import { type Purpose, purposes } from '../upload/purpose.js';
import { openSlotIssuer } from './open-slot-issuer.js';

/**
 * The purposes to advertise: those that the rules of retention name, and two that need no rule. An ephemeral upload may come with
 * an expiry, and every other upload is a message. Slots that lead to a bucket have no purpose.
 */
function purposesFor({ upload }: ComponentConfig, { retention }: Config): Purpose[] {
  const named = new Set(['message', 'ephemeral', ...retention.rules.map(({ purpose }) => purpose)]);
  return upload === 'filer' ? purposes.filter((purpose) => named.has(purpose)) : [];
}

/** Gives out slots as a component of the XMPP server until it is stopped. */
export async function serveSlots(
  component: ComponentConfig,
  config: Config,
  parts: Pick<SlotServiceContext, 'limits' | 'uploaderIds'> & { readonly logger: Logger },
): Promise<Component> {
  const { logger } = parts;
  const { jid, access, isDefaultAccess } = component;
  const maxFileSize = Math.min(component.maxFileSize, config.maxFileSize ?? Number.POSITIVE_INFINITY);
  const issuer = await openSlotIssuer(component, config);
  const quotas = new Quotas(config.limits.quotas, parts.uploaderIds);
  const advertised = { purposes: purposesFor(component, config) };
  const service = new SlotService(
    { ...component, ...advertised, maxFileSize },
    { ...parts, quotas, issuer, now: Date.now },
  );
  const byDefault = isDefaultAccess ? ' (the default: component.access is not set)' : '';
  logger.info({ jid }, `accepting slot requests from ${access.join(', ')}${byDefault}`);
  const give = service.give.bind(service);
  const maxFileSizeFor = service.maxFileSizeFor.bind(service);
  const context = { ...component, maxFileSizeFor, ...advertised, give, logger };
  return new Component(component, {
    answer: (stanza) => answerStanza(stanza, context),
    logger,
  });
}
