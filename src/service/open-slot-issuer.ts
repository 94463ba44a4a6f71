import type { ComponentConfig } from '../config/component-settings.js';
import type { Config } from '../config/config.js';
import { directIssuer } from '../slots/direct-issuer.js';
import { filerIssuer } from '../slots/filer-issuer.js';
import type { SlotIssuer } from '../slots/slot-issuer.js';
import { openUploadSigner } from '../storage/open-store.js';

/** Makes the slot issuer that the configuration asks for. It does not connect to anything. */
export async function openSlotIssuer({ baseUrl = '', upload }: ComponentConfig, config: Config): Promise<SlotIssuer> {
  const { s3, stallTimeoutMs, secrets } = config;
  const [secret = ''] = secrets;
  if (upload === 'filer' || s3 === undefined) return filerIssuer(baseUrl, secret);
  const downloadUrl = s3.publicUrl === undefined ? baseUrl : s3.publicUrl + s3.path;
  return directIssuer(await openUploadSigner({ s3, stallTimeoutMs }), downloadUrl);
}
