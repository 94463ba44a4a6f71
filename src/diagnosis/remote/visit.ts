import { randomUUID } from 'node:crypto';
import { signPut, type TokenScheme } from '../../token/sign-token.js';
import { hourMs } from '../../units.js';
import { encodedPath } from '../../upload/encoded-path.js';
import type { UploadKey } from '../../upload/upload-key.js';
import { type Directives, directivesOf, type ProxyName, recogniseProxy } from '../explain/proxies.js';
import { type Answer, NoAnswerError, NoStoreError, type Request, sendRequest } from './send-request.js';

/** Direct uploads: clients send them to the store, not to prosody-filer. */
export interface DirectUploads {
  /** Issues a slot for a file of this size and type. */
  giveSlot(slot: {
    readonly key: UploadKey;
    readonly size: number;
    readonly contentType: string;
  }): Promise<{ readonly putUrl: string; readonly getUrl: string }>;
  /** The beginning of their download URLs; `undefined`: prosody-filer serves these downloads. */
  readonly downloadsFrom: URL | undefined;
}

/** What the doctor knows about the server that it examines. */
export interface DoctorSettings {
  /** How long an upload of the doctor takes, to find time limits; `undefined`: no upload is slow. */
  readonly slowUploadMs?: number | undefined;
  /** The public base URL: http or https, with its trailing slash, without query and fragment. */
  readonly url: URL;
  readonly secret: string;
  readonly deleteSecret: string | undefined;
  readonly baseSegments: readonly string[];
  readonly maxFileSize: number | undefined;
  readonly cors: boolean;
  /** Where downloads from disk could be sent by nginx; `undefined`: the uploads are in a bucket. */
  readonly storeDir?: string | undefined;
  /** The path of nginx's internal location; `undefined`: prosody-filer sends the bytes itself. */
  readonly accelRedirect: string | undefined;
  /** The base URL of the server's own slots; `undefined`: it issues no slots, or their downloads lead elsewhere. */
  readonly slotUrl: string | undefined;
  /** `undefined`: all uploads go to prosody-filer. */
  readonly direct: DirectUploads | undefined;
  /** The beginning of the URLs to which prosody-filer redirects downloads; `undefined`: it serves them itself. */
  readonly downloadsFrom: URL | undefined;
  /** Where uploads are stored, as text for the operator. */
  readonly storage: string;
  /** The command that removes a slot's uploads from there. */
  readonly removeCommand: (slot: string) => string;
  /** Removes an upload from the store; a text says why doctor cannot do this here. */
  readonly removeFromStore: ((key: UploadKey) => Promise<boolean>) | string;
}

/** A file that the doctor uploads. */
export interface Sample {
  readonly scheme: TokenScheme;
  /** Its name in the doctor's slot. */
  readonly name: string;
  readonly contentType: string;
  readonly body: Buffer;
}

/** What a token signs in place of the key in the URL and the current time, to find a mistake; and how fast it is sent. */
export interface Signing {
  readonly key?: UploadKey;
  readonly now?: number;
  /** How long the body takes to be sent. */
  readonly paceMs?: number;
}

/** An upload of the doctor that is in the store, or may be. */
export interface StoredSample {
  readonly target: string;
  readonly key: UploadKey;
}

/** An answer, the request that it answers, and when it came (ms since the epoch). */
export interface Observation {
  readonly what: string;
  readonly answer: Answer;
  readonly at: number;
}

/** The origin of a web client: a page of another site. */
export const webClientOrigin = 'https://client.invalid';

/** One examination: it sends requests as a web client would, and remembers all answers and all uploads. */
export class Visit {
  readonly settings: DoctorSettings;
  /** The slot that holds all uploads of this visit. */
  readonly slot = `doctor-${randomUUID()}`;
  readonly startedAt = Date.now();
  readonly observations: Observation[] = [];
  readonly stored = new Set<StoredSample>();
  /** The proxy that the answers so far have told of. */
  proxy: ProxyName | undefined;
  /** Called for the bytes of each body as they are sent and received. */
  onBytes: (bytes: number) => void = () => undefined;

  constructor(settings: DoctorSettings) {
    this.settings = settings;
  }

  /** The key of a name in the slot. */
  keyOf(name: string): UploadKey {
    return `${this.slot}/${name}` as UploadKey;
  }

  /** The request target of a key, encoded as Prosody and ejabberd encode it. */
  targetOf(key: UploadKey): string {
    return this.settings.url.pathname + encodedPath(key);
  }

  /** Sends a request; `what` names it in findings. Throws a NoAnswerError. */
  async send(what: string, request: Request): Promise<Answer> {
    const headers = { origin: webClientOrigin, ...request.headers };
    const received = await sendRequest(this.settings.url.origin, { ...request, headers }, this.onBytes);
    this.proxy = recogniseProxy(received) ?? this.proxy;
    const answer = { ...received, proxy: this.proxy };
    this.observations.push({ what, answer, at: Date.now() });
    return answer;
  }

  /** What to change in the proxy. */
  get directives(): Directives {
    return directivesOf(this.proxy);
  }

  /** HAProxy says who it is only in its error pages: has it refuse a header that is too large for its buffer. */
  async provokeProxy(): Promise<void> {
    const headers = { 'x-doctor': 'x'.repeat(20_000) };
    const request = { method: 'GET', target: this.settings.url.pathname, headers };
    const answer = await sendRequest(this.settings.url.origin, request, this.onBytes).catch(() => undefined);
    if (answer !== undefined) this.proxy = recogniseProxy(answer);
  }

  /** GET of a name in the slot. Throws a NoAnswerError. */
  get(name: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    return this.send(method, { method, target: this.targetOf(this.keyOf(name)), headers });
  }

  /** Sends a request to the store as a browser does after a redirect (Fetch §4.4). Throws a NoStoreError. */
  async askStore(url: URL, request: Omit<Request, 'target'>): Promise<Answer> {
    const headers = { origin: 'null', ...request.headers };
    try {
      const target = url.pathname + url.search;
      const answer = await sendRequest(url.origin, { ...request, target, headers }, this.onBytes);
      return { ...answer, redirectedTo: url };
    } catch (error) {
      throw error instanceof NoAnswerError ? new NoStoreError(url.origin, error) : error;
    }
  }

  /** PUT of a sample to the store by a slot's URL, as a web client sends it. Throws a NoStoreError. */
  async putDirectly(url: URL, { name, contentType, body }: Omit<Sample, 'scheme'>): Promise<Answer> {
    const key = this.keyOf(name);
    const headers = { origin: webClientOrigin, 'content-type': contentType };
    return this.#remember({ target: this.targetOf(key), key }, this.askStore(url, { method: 'PUT', body, headers }));
  }

  /** GET of a name in the slot; follows a redirect only to the store. Throws a NoAnswerError. */
  async download(name: string, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await this.get(name, headers);
    const url = this.storeUrlOf(answer);
    return url === undefined ? answer : this.askStore(url, { method: 'GET', headers });
  }

  /** The URL to which an answer redirects, if it is the store's. */
  storeUrlOf({ status, headers }: Answer): URL | undefined {
    const { downloadsFrom } = this.settings;
    const [location = ''] = headers['location'] ?? [];
    if (status !== 302 || downloadsFrom === undefined || !URL.canParse(location)) return undefined;
    const url = new URL(location);
    return url.href.startsWith(downloadsFrom.href) ? url : undefined;
  }

  /** PUT of a sample with a token for its own key or, to find a mistake, for another key. Throws a NoAnswerError. */
  async put({ scheme, name, contentType, body }: Sample, signing: Signing = {}): Promise<Answer> {
    const key = signing.key ?? this.keyOf(name);
    const target = this.targetOf(this.keyOf(name));
    const slot = { key, size: body.length, contentType };
    const now = signing.now ?? Date.now();
    const options = { now, uploader: 'doctor', expiresAt: now + hourMs };
    const { query, headers } = await signPut(scheme, this.settings.secret, slot, options);
    const put = this.send(`PUT with ${scheme}`, {
      method: 'PUT',
      target: query === '' ? target : `${target}?${query}`,
      headers: { ...headers, 'content-type': contentType },
      body,
      ...(signing.paceMs === undefined ? {} : { paceMs: signing.paceMs }),
    });
    return this.#remember({ target, key }, put);
  }

  /** Remembers an upload, unless the answer says that it was not stored. */
  async #remember(stored: StoredSample, put: Promise<Answer>): Promise<Answer> {
    this.stored.add(stored);
    const answer = await put;
    // After a proxy's 504, or without an answer, the upload may still be in the store.
    if (answer.status >= 400 && answer.status < 500) this.stored.delete(stored);
    return answer;
  }
}
