// The part of ltx that is used here; the package has no types of its own.
declare module 'ltx' {
  export type Attributes = Readonly<Record<string, string | number | undefined>>;

  export class Element {
    constructor(name: string, attributes?: Attributes);
    readonly name: string;
    readonly attrs: Readonly<Record<string, string | undefined>>;
    readonly parent: Element | null;
    readonly children: readonly (Element | string)[];
    is(name: string, namespace?: string): boolean;
    getName(): string;
    getNS(): string | undefined;
    getChild(name: string, namespace?: string): Element | undefined;
    getChildText(name: string): string | null;
    getChildElements(): Element[];
    /** Appends a child and returns it. */
    cnode(child: Element): Element;
    /** Appends text and returns the element itself. */
    t(text: string): this;
    append(...children: readonly (Element | string)[]): void;
    toString(): string;
  }

  /** The text as it may stand in an attribute. */
  export function escapeXML(text: string): string;
}
