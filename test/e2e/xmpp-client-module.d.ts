// The part of @xmpp/client that the tests use; the package has no types of its own.
declare module '@xmpp/client' {
  import type { EventEmitter } from 'node:events';

  export interface Element {
    readonly attrs: Readonly<Record<string, string | undefined>>;
    getChild(name: string, xmlns?: string): Element | undefined;
    getChildren(name: string, xmlns?: string): Element[];
    text(): string;
  }

  export interface Client extends EventEmitter {
    readonly iqCaller: { request(iq: Element): Promise<Element> };
    readonly reconnect: { stop(): void };
    start(): Promise<unknown>;
    stop(): Promise<unknown>;
  }

  export function client(options: {
    readonly service: string;
    readonly domain: string;
    readonly credentials: (
      authenticate: (
        account: { readonly username: string; readonly password: string },
        mechanism: string,
      ) => Promise<void>,
    ) => Promise<void>;
  }): Client;

  export function xml(
    name: string,
    attributes: Readonly<Record<string, string | number | undefined>>,
    ...children: readonly (Element | string)[]
  ): Element;
}
