import type { Element } from 'ltx';
import { bareJid } from '../../upload/uploader.js';
import { errorOf, infoElement, itemsNs, resultOf, xml } from '../stanza.js';
import type { AdHocCommands } from './ad-hoc-commands.js';
import { CommandRefusal, commandsNs } from './command-refusal.js';
import { formNs } from './data-form.js';

/** What is asked about in service discovery. */
type Commands = Pick<AdHocCommands, 'listFor' | 'require'>;

function describe(node: string, type: string, name: string, ...features: readonly string[]): Element {
  return infoElement(node, { category: 'automation', type, name }, features);
}

/** Answers a disco#info request about the list of commands, or about one of them. */
export function describeNode(iq: Element, node: string, commands: Commands): Element {
  if (node === commandsNs) return resultOf(iq, describe(node, 'command-list', 'Commands', itemsNs));
  try {
    const { name } = commands.require(node, bareJid(iq.attrs['from'] ?? ''));
    return resultOf(iq, describe(node, 'command-node', name, commandsNs, formNs));
  } catch (error) {
    if (error instanceof CommandRefusal) return errorOf(iq, error.stanzaError);
    throw error;
  }
}

/** Answers a disco#items request about the list of commands, which depends on who asks. Other nodes have no items. */
export function listNode(iq: Element, node: string, commands: Commands): Element {
  const { from = '', to } = iq.attrs;
  if (node !== commandsNs) return errorOf(iq, new CommandRefusal('unknown').stanzaError);
  const items = commands.listFor(bareJid(from)).map(({ node, name }) => xml('item', { jid: to, node, name }));
  return resultOf(iq, xml('query', { xmlns: itemsNs, node }, ...items));
}
