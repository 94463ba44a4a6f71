import { Element } from 'ltx';

/** The namespaces of service discovery (XEP-0030). */
export const infoNs = 'http://jabber.org/protocol/disco#info';
export const itemsNs = 'http://jabber.org/protocol/disco#items';

const errorsNs = 'urn:ietf:params:xml:ns:xmpp-stanzas';

/** Builds an element. Children that are `undefined` are left out. */
export function xml(
  name: string,
  attributes: Readonly<Record<string, string | number | undefined>>,
  ...children: readonly (Element | string | undefined)[]
): Element {
  const element = new Element(name, attributes);
  element.append(...children.filter((child) => child !== undefined));
  return element;
}

/** What a disco#info request gets: an identity, features, and forms with more of it (XEP-0128). */
export function infoElement(
  node: string | undefined,
  identity: Readonly<Record<'category' | 'type' | 'name', string>>,
  features: readonly string[],
  ...forms: readonly Element[]
): Element {
  return xml(
    'query',
    { xmlns: infoNs, node },
    xml('identity', identity),
    ...[infoNs, ...features].map((feature) => xml('feature', { var: feature })),
    ...forms,
  );
}

/** A stanza error (RFC 6120 §8.3). */
export interface StanzaError {
  readonly type: 'auth' | 'cancel' | 'modify' | 'wait';
  readonly condition: string;
  /** Shown to the user. */
  readonly text?: string;
  /** An application-specific condition. */
  readonly detail?: Element | undefined;
}

/** Whether the stanza is an iq of type get or set, which must be answered (RFC 6120 §8.2.3). */
export function mustBeAnswered(stanza: Element): boolean {
  const { type, from } = stanza.attrs;
  return stanza.is('iq') && (type === 'get' || type === 'set') && from !== undefined;
}

function answerTo(iq: Element, type: 'result' | 'error', ...children: readonly (Element | undefined)[]): Element {
  const { id, from, to } = iq.attrs;
  return xml('iq', { type, id, from: to, to: from }, ...children);
}

/** The result for an iq. */
export function resultOf(iq: Element, child?: Element): Element {
  return answerTo(iq, 'result', child);
}

/** The error for an iq. */
export function errorOf(iq: Element, { type, condition, text, detail }: StanzaError): Element {
  return answerTo(
    iq,
    'error',
    xml(
      'error',
      { type },
      xml(condition, { xmlns: errorsNs }),
      text === undefined ? undefined : xml('text', { xmlns: errorsNs, 'xml:lang': 'en' }, text),
      detail,
    ),
  );
}
