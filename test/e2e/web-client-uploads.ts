import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { bearer, v1Token } from '../support/tokens.js';
import type { WebClient } from './browser.js';

/** Where a browser finds uploads, with a trailing slash, and what signs them. */
export interface UploadService {
  readonly uploadUrl: string;
  readonly secret: string;
}

/** An upload that is not there yet. */
interface Slot {
  readonly url: string;
  readonly key: string;
}

interface XhrResult {
  readonly status: number;
  /** Bytes sent, in the order of the events. */
  readonly progress: readonly number[];
}

interface FetchResult {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
}

/** An upload service as the web client's page sees it. */
export class WebClientUploads {
  readonly #client: WebClient;
  readonly #service: UploadService;

  constructor(client: WebClient, service: UploadService) {
    this.#client = client;
    this.#service = service;
  }

  newSlot(name: string): Slot {
    const key = `${randomUUID()}/${name}`;
    return { url: `${this.#service.uploadUrl}${key}`, key };
  }

  put(url: string, body: Buffer, headers: Readonly<Record<string, string>> = {}): Promise<XhrResult> {
    return this.#client.call('upload', url, this.#client.serve(body), headers);
  }

  putUrl({ url, key }: Slot, size: number): string {
    return `${url}?v=${v1Token(key, size, this.#service.secret)}`;
  }

  /** The header of mod_http_file_share. */
  authorization({ key }: Slot, filesize: number): { readonly Authorization: string } {
    const [slot, filename] = key.split('/');
    const claims = { slot, filename, filesize, filetype: 'text/plain', exp: Math.ceil(Date.now() / 1000) + 300 };
    return { Authorization: bearer(claims, { key: this.#service.secret }) };
  }

  get(url: string, options: object = {}): Promise<FetchResult> {
    return this.#client.call('request', url, options);
  }

  /** Uploads, and resolves to the URL for downloads. */
  async upload(name: string, type: string, body: Buffer): Promise<string> {
    const slot = this.newSlot(name);
    const { status } = await this.put(this.putUrl(slot, body.length), body, { 'Content-Type': type });
    assert.equal(status, 201);
    return slot.url;
  }
}
