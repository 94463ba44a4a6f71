import type { Logger } from 'pino';
import type { ComponentConfig, Config } from '../config/config.js';
import { FilerError } from '../errors.js';
import type { StoreLimits } from '../retention/store-limits.js';
import { answerStanza } from '../slots/answer-stanza.js';
import { Component } from '../slots/component.js';
import { filerIssuer } from '../slots/filer-issuer.js';
import type { SlotIssuer } from '../slots/slot-issuer.js';
import { SlotService } from '../slots/slot-service.js';

function openIssuer({ baseUrl, upload }: ComponentConfig, secret: string): SlotIssuer {
  if (baseUrl !== undefined && upload === 'filer') return filerIssuer(baseUrl, secret);
  throw new FilerError('STORE_UNUSABLE', 'component.upload: "direct" is not built in');
}

/** Gives slots as a component of the XMPP server until it is stopped. */
export function serveSlots(component: ComponentConfig, config: Config, limits: StoreLimits, logger: Logger): Component {
  const { jid, access, isDefaultAccess } = component;
  const [secret = ''] = config.secrets;
  const maxFileSize = Math.min(component.maxFileSize, config.maxFileSize ?? Number.POSITIVE_INFINITY);
  const issuer = openIssuer(component, secret);
  const service = new SlotService({ ...component, maxFileSize }, { issuer, limits, logger, now: Date.now });
  const byDefault = isDefaultAccess ? ' (component.access is not set)' : '';
  logger.info({ jid }, `slots may be asked for by the users of ${access.join(', ')}${byDefault}`);
  const give = service.give.bind(service);
  return new Component(component, {
    answer: (stanza) => answerStanza(stanza, { ...component, maxFileSize, give, logger }),
    logger,
  });
}
