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

/** Answers about a node, or with the error for one that is unknown to whoever asks. */
function answerWith(iq: Element, answer: (jid: string) => Element): Element {
  try {
    return resultOf(iq, answer(bareJid(iq.attrs['from'] ?? '')));
  } catch (error) {
    if (error instanceof CommandRefusal) return errorOf(iq, error.stanzaError);
    throw error;
  }
}

/** Answers a disco#info request about the list of commands, or about one of them. */
export function describeNode(iq: Element, node: string, commands: Commands): Element {
  return answerWith(iq, (jid) =>
    node === commandsNs
      ? describe(node, 'command-list', 'Commands', itemsNs)
      : describe(node, 'command-node', commands.require(node, jid).name, commandsNs, formNs),
  );
}

/** Answers a disco#items request about the list of commands, which depends on who asks. A command has no items. */
export function listNode(iq: Element, node: string, commands: Commands): Element {
  return answerWith(iq, (jid) => {
    if (node !== commandsNs) commands.require(node, jid);
    const listed = node === commandsNs ? commands.listFor(jid) : [];
    const items = listed.map(({ node, name }) => xml('item', { jid: iq.attrs['to'], node, name }));
    return xml('query', { xmlns: itemsNs, node }, ...items);
  });
}
