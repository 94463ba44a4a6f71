import type { Logger } from 'pino';
import type { ComponentConfig } from '../config/component-settings.js';
import type { Config } from '../config/config.js';
import type { ProcessMetrics } from '../metrics.js';
import { answerStanza } from '../slots/answer-stanza.js';
import { Component } from '../slots/component.js';
import { SlotService, type SlotServiceContext } from '../slots/slot-service.js';
import { openSlotIssuer } from './open-slot-issuer.js';

/** Gives out slots as a component of the XMPP server until it is stopped. */
export async function serveSlots(
  component: ComponentConfig,
  config: Config,
  parts: Pick<SlotServiceContext, 'limits' | 'uploaderIds'> & { readonly logger: Logger },
  metrics: ProcessMetrics | undefined,
): Promise<Component> {
  const { logger } = parts;
  const { jid, access, isDefaultAccess } = component;
  const maxFileSize = Math.min(component.maxFileSize, config.maxFileSize ?? Number.POSITIVE_INFINITY);
  const issuer = await openSlotIssuer(component, config);
  const service = new SlotService({ ...component, maxFileSize }, { ...parts, issuer, now: Date.now });
  const byDefault = isDefaultAccess ? ' (the default: component.access is not set)' : '';
  logger.info({ jid }, `accepting slot requests from ${access.join(', ')}${byDefault}`);
  const give = service.give.bind(service);
  const context = { ...component, maxFileSize, takesExpiry: component.upload === 'filer', give, logger, metrics };
  const connected = new Component(component, {
    answer: (stanza) => answerStanza(stanza, context),
    logger,
  });
  metrics?.watchComponent(() => connected.connection.isConnected);
  return connected;
}
