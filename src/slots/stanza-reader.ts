/*
 * Reads a stream of XML (RFC 6120 §4): one root element, whose children are stanzas. The memory for a stanza is bounded. If
 * a stanza is too long or has too many elements, only its root is kept. If it is longer than 4 Mi characters, the stream ends,
 * since the parser keeps a whole text or attribute. Entities are not expanded, and a DTD ends the stream (§11.1).
 */
import { Element } from 'ltx';
import { SaxesParser, type SaxesTagPlain } from 'saxes';

const maxStanzaLength = 256 * 1024;
const maxElements = 1000;
const maxSkippedLength = 4 * 1024 * 1024;

/** What the reader calls. */
export interface StanzaHandlers {
  /** The stream was opened with this id. */
  onOpen(id: string | undefined): void;
  onStanza(stanza: Element): void;
  /** A stanza was too large. Only its root was kept. */
  onSkipped(root: Element): void;
  /** The stream's root was closed. */
  onClose(): void;
}

/** Reads the stanzas of one stream from text in pieces of any length. */
export class StanzaReader {
  readonly #parser = new SaxesParser();
  readonly #handlers: StanzaHandlers;
  #received = 0;
  #depth = 0;
  /** Where the stanza began, or the last one ended. */
  #start = 0;
  #elements = 0;
  #root: Element | undefined;
  #current: Element | undefined;
  #isSkipping = false;

  constructor(handlers: StanzaHandlers) {
    this.#handlers = handlers;
    this.#parser.on('doctype', () => {
      throw new Error('the server sent a DTD');
    });
    this.#parser.on('opentagstart', () => {
      if (this.#depth === 1) this.#start = this.#parser.position;
    });
    this.#parser.on('opentag', (tag) => this.#open(tag));
    this.#parser.on('text', (text) => this.#append(text));
    this.#parser.on('cdata', (text) => this.#append(text));
    this.#parser.on('closetag', () => this.#close());
  }

  /** Reads the next piece, and calls the handlers. Throws an Error if it is not XML or a stanza is far too long. */
  write(text: string): void {
    this.#received += text.length;
    this.#parser.write(text);
    if (this.#received - this.#start > maxSkippedLength) throw new Error('the server sent a stanza that does not end');
  }

  #open({ name, attributes }: SaxesTagPlain): void {
    this.#depth += 1;
    if (this.#depth === 1) this.#handlers.onOpen(attributes['id']);
    else if (this.#depth === 2) this.#begin(new Element(name, attributes));
    else if (this.#isWithinLimits(1)) this.#current = this.#current?.cnode(new Element(name, attributes));
  }

  #begin(root: Element): void {
    this.#elements = 0;
    this.#isSkipping = false;
    // A stanza whose root is too large by itself is not answered.
    this.#root = this.#isWithinLimits(1) ? root : undefined;
    this.#current = root;
  }

  #append(text: string): void {
    if (this.#depth >= 2 && this.#isWithinLimits(0)) this.#current?.t(text);
  }

  /** Counts more elements of the stanza, and tells whether it is still small enough to keep. */
  #isWithinLimits(elements: number): boolean {
    this.#elements += elements;
    const length = this.#parser.position - this.#start;
    if (length > maxStanzaLength || this.#elements > maxElements) this.#isSkipping = true;
    return !this.#isSkipping;
  }

  #close(): void {
    this.#depth -= 1;
    if (this.#depth === 0) this.#handlers.onClose();
    else if (this.#depth === 1) this.#end();
    else if (!this.#isSkipping) this.#current = this.#current?.parent ?? undefined;
  }

  #end(): void {
    const root = this.#root;
    this.#root = undefined;
    this.#current = undefined;
    this.#start = this.#parser.position;
    if (root === undefined) return;
    if (this.#isSkipping) this.#handlers.onSkipped(new Element(root.name, root.attrs));
    else this.#handlers.onStanza(root);
  }
}
