import type { Element } from 'ltx';
import { FilerError, messageOf } from '../errors.js';
import type { ProcessMetrics } from '../metrics.js';
import type { Purpose } from '../upload/purpose.js';
import { bareJid } from '../upload/uploader.js';
import type { AdHocCommands } from './ad-hoc/ad-hoc-commands.js';
import { describeNode, listNode } from './ad-hoc/command-discovery.js';
import { commandsNs } from './ad-hoc/command-refusal.js';
import type { IssuedSlot } from './slot-issuer.js';
import type { SlotRequest } from './slot-policy.js';
import { errorOf, infoElement, infoNs, itemsNs, mustBeAnswered, resultOf, type StanzaError, xml } from './stanza.js';
import { featureOf, limitForms, parseSlotRequest, refusalOf, slotElement, uploadNamespaces } from './upload-stanzas.js';

/** The commands of the component. */
type Commands = Pick<AdHocCommands, 'answer' | 'listFor' | 'require'>;

const pingNs = 'urn:xmpp:ping';

const unavailable: StanzaError = { type: 'cancel', condition: 'service-unavailable' };
const failed: StanzaError = { type: 'cancel', condition: 'internal-server-error' };

/** What answers to stanzas depend on. */
export interface AnswerContext {
  /** The component's domain. */
  readonly jid: string;
  /** The name that clients show for the service. */
  readonly name: string;
  /** The largest file in bytes for which a bare JID gets a slot; `unlimited`: any. */
  maxFileSizeFor(jid: string): number;
  /** The purposes that the service advertises. */
  readonly purposes: readonly Purpose[];
  /** Gives a slot to a bare JID, or throws. */
  give(jid: string, request: SlotRequest): Promise<IssuedSlot>;
  readonly commands: Commands;
  readonly logger: Record<'debug' | 'warn' | 'error', (line: object, message: string) => void>;
  readonly metrics?: Pick<ProcessMetrics, 'slotsGiven' | 'slotsRefused'> | undefined;
}

function askerOf(iq: Element): string {
  return bareJid(iq.attrs['from'] ?? '');
}

function describeService(iq: Element, { name, maxFileSizeFor, purposes }: AnswerContext): Element {
  const identity = { category: 'store', type: 'file', name };
  const features = [itemsNs, pingNs, commandsNs, ...uploadNamespaces, ...purposes.map(featureOf)];
  return infoElement(undefined, identity, features, ...limitForms(maxFileSizeFor(askerOf(iq))));
}

async function giveSlot(iq: Element, namespace: string, request: SlotRequest, context: AnswerContext) {
  const uploader = askerOf(iq);
  try {
    const slot = await context.give(uploader, request);
    context.metrics?.slotsGiven.inc();
    return resultOf(iq, slotElement(namespace, slot));
  } catch (error) {
    context.metrics?.slotsRefused.inc({ reason: error instanceof FilerError ? error.code : 'UNEXPECTED' });
    const refusal = refusalOf(error, namespace, context.maxFileSizeFor(uploader));
    if (refusal === undefined) throw error;
    // slot-service.ts logs a JID that asks too often, once a minute.
    const level = error instanceof FilerError && error.code === 'SLOTS_LIMITED' ? 'debug' : 'warn';
    context.logger[level]({ uploader, reason: messageOf(error) }, 'slot refused');
    return errorOf(iq, refusal);
  }
}

async function answer(iq: Element, context: AnswerContext): Promise<Element> {
  const [child] = iq.getChildElements();
  if (iq.attrs['to'] !== context.jid || child === undefined) return errorOf(iq, unavailable);
  if (iq.attrs['type'] === 'set') {
    return child.is('command', commandsNs) ? context.commands.answer(iq, child) : errorOf(iq, unavailable);
  }
  const request = parseSlotRequest(child);
  if (request !== undefined) return giveSlot(iq, child.getNS() ?? '', request, context);
  if (child.is('ping', pingNs)) return resultOf(iq);
  const isInfo = child.is('query', infoNs);
  if (!isInfo && !child.is('query', itemsNs)) return errorOf(iq, unavailable);
  const { node } = child.attrs;
  if (node !== undefined) return (isInfo ? describeNode : listNode)(iq, node, context.commands);
  return resultOf(iq, isInfo ? describeService(iq, context) : xml('query', { xmlns: itemsNs }));
}

/**
 * The answer to a stanza from the XMPP server (XEP-0363, XEP-0050, XEP-0030, XEP-0199), `undefined` if the stanza needs none. Never
 * rejects: an unexpected error is logged, and the client gets internal-server-error.
 */
export async function answerStanza(stanza: Element, context: AnswerContext): Promise<Element | undefined> {
  if (!mustBeAnswered(stanza)) return undefined;
  try {
    return await answer(stanza, context);
  } catch (error) {
    context.logger.error({ uploader: stanza.attrs['from'], err: error }, 'a request over XMPP failed');
    return errorOf(stanza, failed);
  }
}
