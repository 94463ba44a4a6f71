import { randomUUID } from 'node:crypto';
import { signPut, type TokenScheme } from '../../token/sign-token.js';
import { encodedPath } from '../../upload/encoded-path.js';
import type { UploadKey } from '../../upload/upload-key.js';
import { type Answer, NoAnswerError, NoStoreError, type Request, sendRequest } from './send-request.js';

/** Uploads that go to the store by themselves, past the server. */
export interface DirectUploads {
  /** A slot for a file of so many bytes of a type. */
  giveSlot(slot: {
    readonly key: UploadKey;
    readonly size: number;
    readonly contentType: string;
  }): Promise<{ readonly putUrl: string; readonly getUrl: string }>;
  /** What the URLs begin with from which their files are fetched; `undefined`: from the server. */
  readonly downloadsFrom: URL | undefined;
}

/** What the doctor knows of the server that it examines. */
export interface DoctorSettings {
  /** The public base URL: http or https, with its trailing slash, without query and fragment. */
  readonly url: URL;
  readonly secret: string;
  readonly deleteSecret: string | undefined;
  readonly baseSegments: readonly string[];
  readonly maxFileSize: number | undefined;
  readonly cors: boolean;
  /** The base URL of the slots that the server hands out itself; `undefined`: it hands out none that lead to it. */
  readonly slotUrl: string | undefined;
  /** `undefined`: all uploads go to the server. */
  readonly direct: DirectUploads | undefined;
  /** What the URLs begin with to which the server sends clients for the bytes; `undefined`: it sends them itself. */
  readonly downloadsFrom: URL | undefined;
  /** Where uploads lie, for people. */
  readonly storage: string;
  /** The command by which an operator removes a slot's uploads from there. */
  readonly removeCommand: (slot: string) => string;
  /** Removes from the store; or why that cannot be done here. */
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

/** What may differ between the path in the URL and the one that is signed. */
export interface Signing {
  readonly key?: UploadKey;
  readonly now?: number;
}

/** Something that lies in the store because of the doctor, or may do so. */
export interface StoredSample {
  readonly target: string;
  readonly key: UploadKey;
}

/** An answer, what was asked for, and when it came (ms since the epoch). */
export interface Observation {
  readonly what: string;
  readonly answer: Answer;
  readonly at: number;
}

const hourMs = 60 * 60 * 1000;

/** A page of another site, as web clients are. */
export const webClientOrigin = 'https://client.invalid';

/** One examination: it speaks to the server as a web client would and remembers what it saw and what it stored. */
export class Visit {
  readonly settings: DoctorSettings;
  /** What all that this visit uploads lies below. */
  readonly slot = `doctor-${randomUUID()}`;
  readonly startedAt = Date.now();
  readonly observations: Observation[] = [];
  readonly stored = new Set<StoredSample>();

  constructor(settings: DoctorSettings) {
    this.settings = settings;
  }

  /** The key of a name in the slot. */
  keyOf(name: string): UploadKey {
    return `${this.slot}/${name}` as UploadKey;
  }

  /** The request target of a key, encoded as Prosody and ejabberd do. */
  targetOf(key: UploadKey): string {
    return this.settings.url.pathname + encodedPath(key);
  }

  /** Sends a request; `what` names it in findings. Throws a NoAnswerError. */
  async send(what: string, request: Request): Promise<Answer> {
    const headers = { origin: webClientOrigin, ...request.headers };
    const answer = await sendRequest(this.settings.url.origin, { ...request, headers });
    this.observations.push({ what, answer, at: Date.now() });
    return answer;
  }

  /** GET of a name in the slot. Throws a NoAnswerError. */
  get(name: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
    return this.send(method, { method, target: this.targetOf(this.keyOf(name)), headers });
  }

  /** A request to the store, as a browser sends it that was redirected there (Fetch §4.4). Throws a NoStoreError. */
  async askStore(url: URL, request: Omit<Request, 'target'>): Promise<Answer> {
    const headers = { origin: 'null', ...request.headers };
    try {
      const answer = await sendRequest(url.origin, { ...request, target: url.pathname + url.search, headers });
      return { ...answer, redirectedTo: url };
    } catch (error) {
      throw error instanceof NoAnswerError ? new NoStoreError(url.origin, error) : error;
    }
  }

  /** PUT of a sample to a URL of the store for its name, as a web client sends it. Throws a NoStoreError. */
  async putDirectly(url: URL, { name, contentType, body }: Omit<Sample, 'scheme'>): Promise<Answer> {
    const key = this.keyOf(name);
    const headers = { origin: webClientOrigin, 'content-type': contentType };
    return this.#remember({ target: this.targetOf(key), key }, this.askStore(url, { method: 'PUT', body, headers }));
  }

  /** GET of a name in the slot that follows a redirect to the store, and none to elsewhere. Throws a NoAnswerError. */
  async download(name: string, headers: Record<string, string> = {}): Promise<Answer> {
    const answer = await this.get(name, headers);
    const url = this.storeUrlOf(answer);
    return url === undefined ? answer : this.askStore(url, { method: 'GET', headers });
  }

  /** Where an answer redirects to, if that is the store. */
  storeUrlOf({ status, headers }: Answer): URL | undefined {
    const { downloadsFrom } = this.settings;
    const [location = ''] = headers['location'] ?? [];
    if (status !== 302 || downloadsFrom === undefined || !URL.canParse(location)) return undefined;
    const url = new URL(location);
    return url.href.startsWith(downloadsFrom.href) ? url : undefined;
  }

  /** PUT of a sample, signed for its own key or, to find a mistake, for another one. Throws a NoAnswerError. */
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
    });
    return this.#remember({ target, key }, put);
  }

  /** Remembers what a PUT stores until its answer says that it did not. */
  async #remember(stored: StoredSample, put: Promise<Answer>): Promise<Answer> {
    this.stored.add(stored);
    const answer = await put;
    // Without an answer, or with a proxy's 504, nobody knows.
    if (answer.status >= 400 && answer.status < 500) this.stored.delete(stored);
    return answer;
  }
}
