import type { Logger } from 'pino';
import type { ComponentConfig, Config } from '../config/config.js';
import type { StoreLimits } from '../retention/store-limits.js';
import { answerStanza } from '../slots/answer-stanza.js';
import { Component } from '../slots/component.js';
import { directIssuer } from '../slots/direct-issuer.js';
import { filerIssuer } from '../slots/filer-issuer.js';
import type { SlotIssuer } from '../slots/slot-issuer.js';
import { SlotService } from '../slots/slot-service.js';
import { openUploadSigner } from '../storage/open-store.js';

/** Who makes the URLs, by what the configuration says. */
async function openIssuer({ baseUrl = '', upload }: ComponentConfig, config: Config): Promise<SlotIssuer> {
  const { s3, stallTimeoutMs, secrets } = config;
  const [secret = ''] = secrets;
  if (upload === 'filer' || s3 === undefined) return filerIssuer(baseUrl, secret);
  const downloadUrl = s3.publicUrl === undefined ? baseUrl : s3.publicUrl + s3.path;
  return directIssuer(await openUploadSigner({ s3, stallTimeoutMs }), downloadUrl);
}

/** Gives slots as a component of the XMPP server until it is stopped. */
export async function serveSlots(
  component: ComponentConfig,
  config: Config,
  limits: StoreLimits,
  logger: Logger,
): Promise<Component> {
  const { jid, access, isDefaultAccess } = component;
  const maxFileSize = Math.min(component.maxFileSize, config.maxFileSize ?? Number.POSITIVE_INFINITY);
  const issuer = await openIssuer(component, config);
  const service = new SlotService({ ...component, maxFileSize }, { issuer, limits, logger, now: Date.now });
  const byDefault = isDefaultAccess ? ' (component.access is not set)' : '';
  logger.info({ jid }, `slots may be asked for by the users of ${access.join(', ')}${byDefault}`);
  const give = service.give.bind(service);
  const context = { ...component, maxFileSize, takesExpiry: component.upload === 'filer', give, logger };
  return new Component(component, {
    answer: (stanza) => answerStanza(stanza, context),
    logger,
  });
}
