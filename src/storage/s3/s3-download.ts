/*
 * The bytes of an object on their way to a client. When the client takes nothing for 10 s, the connection to the service is
 * closed, so that a stuck client does not occupy one. Services do the same after a minute, and gateways restart. Whenever an
 * answer breaks off, the next GET asks for the rest, once the client has taken what has arrived. Each GET names the entity
 * tag, so that the bytes of two objects are never mixed.
 */
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { FilerError } from '../../errors.js';
import type { DownloadMemory, Lease } from '../download-memory.js';
import type { ByteRange } from '../store.js';
import { writeChunk } from '../write-chunk.js';
import { answerMs, describeS3Error } from './s3-errors.js';

/** How long the service may send no byte to a client that would take some, over all connections. */
const patienceMs = 20_000;

/** The wait before the next GET, if the last one brought no byte. */
const retryMs = 1000;

/** Node reads up to so many bytes ahead: its buffer of 64 KiB, and the 64 KiB that filled it. */
const readAheadBytes = 128 * 1024;

/** Where a download gets its bytes, and its memory. */
export interface S3DownloadSource {
  /** Size of the object in bytes. */
  readonly size: number;
  /** Begins a GET of a part of the object. */
  readonly open: (range: ByteRange) => Promise<Readable>;
  /** For bytes that clients have still to take. A download without room ends. */
  readonly memory: DownloadMemory;
  /** For bytes that Node reads ahead meanwhile. A download without room closes its connection, and goes on later. */
  readonly readAhead: DownloadMemory;
  /** How long a connection to the service may move no byte, ms. Not set: 10 s. */
  readonly idleMs?: number;
}

/**
 * Whether the client has still to take bytes. `writableNeedDrain` does not say so: Node does not reset it in an answer behind
 * which a pipelined request is held (http/pipelining.ts).
 */
function isTaking(sink: Writable): boolean {
  return sink.writableLength > 0;
}

/** A download of one object, or of a part of it. */
export class S3Download {
  readonly #source: S3DownloadSource;
  readonly #whole: ByteRange;
  #prepared: Readable | undefined;
  /** The next byte to write. */
  #position = 0;
  /** Since when the download waits for the service, on the monotonic clock. */
  #waitingSince = 0;
  /** Bytes that the client has still to take. */
  #untaken: Lease | undefined;
  #cutError: FilerError | undefined;

  constructor(source: S3DownloadSource) {
    this.#source = source;
    this.#whole = { first: 0, last: source.size - 1 };
  }

  /** Begins the GET. Throws what `open` throws. */
  async prepare(range = this.#whole): Promise<void> {
    this.#prepared = await this.#open(range);
  }

  /** Ends a GET that was begun and not written. */
  close(): void {
    this.#prepared?.destroy();
  }

  /**
   * Writes the bytes and ends the sink. Throws `BODY_INCOMPLETE` when the sink closes before, `DOWNLOADS_LIMITED` when it has to
   * make room for other downloads, or what `open` throws.
   */
  async writeTo(sink: Writable, range = this.#whole): Promise<void> {
    this.#position = range.first;
    this.#waitingSince = performance.now();
    try {
      do {
        await this.#writeSome(sink, range.last);
        const wasTaking = isTaking(sink);
        this.#holdUntaken(sink);
        // Resolves when the client has taken all.
        await writeChunk(sink, '');
        this.#giveUntaken();
        if (wasTaking) this.#waitingSince = performance.now();
      } while (this.#position <= range.last);
      sink.end();
    } catch (error) {
      if (!sink.destroyed) throw describeS3Error('GET', error);
      const closed = 'the connection closed before all was sent';
      throw this.#cutError ?? new FilerError('BODY_INCOMPLETE', closed, { cause: error });
    } finally {
      this.#giveUntaken();
    }
  }

  async #open(range: ByteRange): Promise<Readable> {
    // The answer may break while nobody reads it, and an error without a listener ends the process.
    return (await this.#source.open(range)).on('error', () => undefined);
  }

  #holdUntaken(sink: Writable): void {
    if (this.#untaken !== undefined) return;
    const cut = (error: FilerError) => {
      this.#cutError = error;
      sink.destroy();
    };
    this.#untaken = { bytes: sink.writableLength, cut };
    this.#source.memory.take(this.#untaken);
  }

  #giveUntaken(): void {
    if (this.#untaken !== undefined) this.#source.memory.give(this.#untaken);
    this.#untaken = undefined;
  }

  /** Writes the bytes of one answer, which may break off. Throws if another GET makes no sense. */
  async #writeSome(sink: Writable, last: number): Promise<void> {
    const first = this.#position;
    try {
      const body = this.#prepared ?? (await this.#open({ first, last }));
      this.#prepared = undefined;
      await this.#copy(body, sink);
    } catch (error) {
      if (sink.destroyed || describeS3Error('GET', error).code !== 'STORE_BUSY') throw error;
      // If the client takes nothing, the service has done its part.
      if (isTaking(sink)) return;
      if (performance.now() - this.#waitingSince >= patienceMs) throw error;
      if (this.#position === first) await wait(retryMs);
    }
  }

  async #copy(body: Readable, sink: Writable): Promise<void> {
    const { readAhead, idleMs = answerMs } = this.#source;
    const letGo = () => body.destroy(new FilerError('STORE_BUSY', `S3 GET: no byte for ${idleMs / 1000} s`));
    const unread: Lease = { bytes: readAheadBytes, cut: letGo };
    // Whichever of the two is slow, the service or the client.
    const timer = setTimeout(letGo, idleMs).unref();
    const beginWait = () => {
      this.#waitingSince = performance.now();
      timer.refresh();
    };
    const onData = (chunk: Buffer) => {
      this.#position += chunk.length;
      beginWait();
      if (sink.write(chunk)) return;
      body.pause();
      this.#holdUntaken(sink);
      readAhead.take(unread);
    };
    const onDrain = () => {
      this.#giveUntaken();
      readAhead.give(unread);
      beginWait();
      body.resume();
    };
    const onClose = () => body.destroy();
    sink.on('drain', onDrain).on('close', onClose);
    body.on('data', onData);
    if (sink.destroyed) body.destroy();
    try {
      await finished(body, { writable: false });
    } finally {
      clearTimeout(timer);
      readAhead.give(unread);
      sink.off('drain', onDrain).off('close', onClose);
    }
  }
}
