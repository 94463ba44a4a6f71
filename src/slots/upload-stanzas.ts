/*
 * XEP-0363 in both of its namespaces:
 *
 *   urn:xmpp:http:upload:0   <request filename= size= content-type=/>             <slot><put url=/><get url=/></slot>
 *   urn:xmpp:http:upload     <request><filename/><size/><content-type/></request>  <slot><put>URL</put><get>URL</get></slot>
 *
 * Of the purposes of version 1.2.0 one says when the file is to go; the others, and what else stands in a request, are ignored:
 *
 *   <request …><ephemeral xmlns='urn:xmpp:http:upload:purpose:0' expire-before='2026-11-22T12:30:00Z'/></request>
 */
import type { Element } from 'ltx';
import { type ErrorCode, FilerError, type SlotErrorCode } from '../errors.js';
import type { IssuedSlot } from './slot-issuer.js';
import type { SlotRequest } from './slot-policy.js';
import { type StanzaError, xml } from './stanza.js';

const currentNs = 'urn:xmpp:http:upload:0';
const olderNs = 'urn:xmpp:http:upload';
const purposeNs = 'urn:xmpp:http:upload:purpose:0';

/** The feature of a service that keeps files no longer than their senders say (XEP-0363 1.2.0). */
export const ephemeralFeature = `${purposeNs}#ephemeral`;

/** The namespaces in which slots can be asked for. */
export const uploadNamespaces: readonly string[] = [currentNs, olderNs];

/** What a request of either namespace asks for; `undefined` for what is no request. */
export function parseSlotRequest(element: Element): SlotRequest | undefined {
  const namespace = element.getNS() ?? '';
  if (!element.is('request') || !uploadNamespaces.includes(namespace)) return undefined;
  const fieldOf = (name: string): string | undefined =>
    namespace === currentNs ? element.attrs[name] : (element.getChildText(name) ?? undefined);
  return {
    filename: fieldOf('filename'),
    size: fieldOf('size'),
    contentType: fieldOf('content-type'),
    expireBefore: element.getChild('ephemeral', purposeNs)?.attrs['expire-before'],
  };
}

/** The answer to a request in this namespace. */
export function slotElement(namespace: string, { putUrl, getUrl }: IssuedSlot): Element {
  const urls = Object.entries({ put: putUrl, get: getUrl });
  const children = urls.map(([name, url]) => (namespace === currentNs ? xml(name, { url }) : xml(name, {}, url)));
  return xml('slot', { xmlns: namespace }, ...children);
}

/** What a client may know before it asks: a data form for each namespace (XEP-0363 §4, XEP-0128). */
export function limitForms(maxFileSize: number): Element[] {
  return uploadNamespaces.map((namespace) =>
    xml(
      'x',
      { xmlns: 'jabber:x:data', type: 'result' },
      xml('field', { var: 'FORM_TYPE', type: 'hidden' }, xml('value', {}, namespace)),
      xml('field', { var: 'max-file-size' }, xml('value', {}, String(maxFileSize))),
    ),
  );
}

const invalid: StanzaError = { type: 'modify', condition: 'bad-request', text: 'The file name, size or time is none.' };
const noRoom: StanzaError = { type: 'wait', condition: 'resource-constraint', text: 'There is no room for it now.' };
const tooMuch: StanzaError = { type: 'wait', condition: 'resource-constraint', text: 'Your quota is reached.' };

const refusals: Readonly<Record<SlotErrorCode, StanzaError> & Partial<Record<ErrorCode, StanzaError>>> = {
  QUOTA_REACHED: tooMuch,
  REQUEST_INVALID: invalid,
  SIZE_REFUSED: { type: 'modify', condition: 'not-acceptable', text: 'The file is too large.' },
  SLOTS_LIMITED: { type: 'wait', condition: 'resource-constraint', text: 'Too many requests.' },
  STORE_BUSY: noRoom,
  STORE_FULL: noRoom,
  TYPE_REFUSED: { type: 'modify', condition: 'not-acceptable', text: 'Files of this type are not taken.' },
  UPLOAD_EXPIRED: { type: 'modify', condition: 'not-acceptable', text: 'The file would expire before it is uploaded.' },
  UPLOADER_REFUSED: { type: 'auth', condition: 'forbidden', text: 'You may not upload files here.' },
};

/** The stanza error for what was thrown instead of a slot (XEP-0363 §5); `undefined` where it is no refusal but a failure. */
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
