/*
 * XEP-0363 in both of its namespaces:
 *
 *   urn:xmpp:http:upload:0   <request filename= size= content-type=/>             <slot><put url=/><get url=/></slot>
 *   urn:xmpp:http:upload     <request><filename/><size/><content-type/></request>  <slot><put>URL</put><get>URL</get></slot>
 *
 * Version 1.2.0 adds purposes: message, profile, ephemeral and permanent. An ephemeral upload may have an expiry. Unknown elements
 * are ignored.
 *
 *   <request …><ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='2026-11-22T12:30:00Z'/></request>
 */
import type { Element } from 'ltx';
import { type ErrorCode, FilerError, type SlotErrorCode } from '../errors.js';
import { unlimited } from '../units.js';
import type { Purpose } from '../upload/purpose.js';
import type { IssuedSlot } from './slot-issuer.js';
import type { SlotRequest } from './slot-policy.js';
import { type StanzaError, xml } from './stanza.js';

const currentNs = 'urn:xmpp:http:upload:0';
const olderNs = 'urn:xmpp:http:upload';
const purposeNs = 'urn:xmpp:http:upload:purpose:0';

/** The feature of a service that keeps uploads by this purpose (XEP-0363 1.2.0). */
export function featureOf(purpose: Purpose): string {
  return `${purposeNs}#${purpose}`;
}

/** The namespaces of slot requests. */
export const uploadNamespaces: readonly string[] = [currentNs, olderNs];

/** The fields of a slot request in either namespace; `undefined` if the element is something else. */
export function parseSlotRequest(element: Element): SlotRequest | undefined {
  const namespace = element.getNS() ?? '';
  if (!element.is('request') || !uploadNamespaces.includes(namespace)) return undefined;
  const fieldOf = (name: string): string | undefined =>
    namespace === currentNs ? element.attrs[name] : (element.getChildText(name) ?? undefined);
  return {
    filename: fieldOf('filename'),
    size: fieldOf('size'),
    contentType: fieldOf('content-type'),
    purpose: element
      .getChildElements()
      .find((child) => child.getNS() === purposeNs)
      ?.getName(),
    expireBefore: element.getChild('ephemeral', purposeNs)?.attrs['expire-before'],
  };
}

/** The answer to a slot request in this namespace. */
export function slotElement(namespace: string, { putUrl, getUrl }: IssuedSlot): Element {
  const urls = Object.entries({ put: putUrl, get: getUrl });
  const children = urls.map(([name, url]) => (namespace === currentNs ? xml(name, { url }) : xml(name, {}, url)));
  return xml('slot', { xmlns: namespace }, ...children);
}

/** The size limit for service discovery: a data form for each namespace (XEP-0363 §4, XEP-0128). None if there is no limit. */
export function limitForms(maxFileSize: number): Element[] {
  if (maxFileSize === unlimited) return [];
  return uploadNamespaces.map((namespace) =>
    xml(
      'x',
      { xmlns: 'jabber:x:data', type: 'result' },
      xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, namespace)),
      xml('field', { var: 'max-file-size' }, xml('value', {}, String(maxFileSize))),
    ),
  );
}

const invalid: StanzaError = { type: 'modify', condition: 'bad-request', text: 'Invalid file name, size or expiry.' };
const noRoom: StanzaError = {
  type: 'wait',
  condition: 'resource-constraint',
  text: 'The server has no room for this file now.',
};
const tooMuch: StanzaError = { type: 'wait', condition: 'resource-constraint', text: 'Your upload quota is used up.' };

const refusals: Readonly<Record<SlotErrorCode, StanzaError> & Partial<Record<ErrorCode, StanzaError>>> = {
  QUOTA_REACHED: tooMuch,
  REQUEST_INVALID: invalid,
  SIZE_REFUSED: { type: 'modify', condition: 'not-acceptable', text: 'The file is too large.' },
  SLOTS_LIMITED: { type: 'wait', condition: 'resource-constraint', text: 'Too many requests. Try again in a minute.' },
  STORE_BUSY: noRoom,
  STORE_FULL: noRoom,
  TYPE_REFUSED: { type: 'modify', condition: 'not-acceptable', text: 'Files of this type are not allowed.' },
  UPLOAD_EXPIRED: { type: 'modify', condition: 'not-acceptable', text: 'The expiry of the file has passed already.' },
  UPLOADER_REFUSED: { type: 'auth', condition: 'forbidden', text: 'You are not allowed to upload files here.' },
};

/** The stanza error for a refused slot (XEP-0363 §5); `undefined` if the error is an unexpected failure. */
export function refusalOf(error: unknown, namespace: string, maxFileSize: number): StanzaError | undefined {
  const refusal = error instanceof FilerError ? refusals[error.code] : undefined;
  if (!(error instanceof FilerError) || refusal === undefined) return undefined;
  const { code, retryAt } = error;
  if (code === 'SIZE_REFUSED') {
    const limit = xml('max-file-size', {}, String(maxFileSize));
    return { ...refusal, detail: xml('file-too-large', { xmlns: namespace }, limit) };
  }
  if (retryAt === undefined) return refusal;
  return { ...refusal, detail: xml('retry', { xmlns: namespace, stamp: new Date(retryAt).toISOString() }) };
}
