/*
 * The bytes of an object on their way to a client. Services close connections that move no byte for a minute, as they do
 * where a slow client takes none, and gateways restart. So where the answer breaks off, the next GET asks for the rest, once
 * the client has taken what there is. Each GET names the entity tag: bytes of two objects are never mixed.
 */
import type { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { FilerError } from '../errors.js';
import { answerMs, describeS3Error } from './s3-errors.js';
import type { ByteRange } from './store.js';

/** How long the service may send no byte while the client would take some, over all connections. */
const patienceMs = 20_000;

/** How long to wait before the next GET where the last one brought no byte. */
const retryMs = 1000;

/**
 * Whether the client has not taken all that was written. Not `writableNeedDrain`: Node does not reset it in an answer behind
 * which a pipelined request is held (http/pipelining.ts).
 */
function isTaking(sink: Writable): boolean {
  return sink.writableLength > 0;
}

/** Resolves when the sink has taken all that was written to it; rejects when it closes before. */
function untilTaken(sink: Writable): Promise<void> {
  return new Promise((resolve, reject) => {
    const settle = (error?: Error | null) => {
      sink.off('close', onClose);
      if (error) reject(error);
      else resolve();
    };
    const onClose = () => settle(new Error('the connection closed'));
    sink.once('close', onClose);
    sink.write('', settle);
  });
}

/** A download of one object, or of a part of it. */
export class S3Download {
  readonly #open: (range: ByteRange) => Promise<Readable>;
  readonly #whole: ByteRange;
  #prepared: Readable | undefined;
  /** The next byte to write. */
  #position = 0;
  /** Since when the service has been waited for, on the monotonic clock. */
  #waitingSince = 0;

  /** `open` begins a GET of a part of the object, which has so many bytes. */
  constructor(size: number, open: (range: ByteRange) => Promise<Readable>) {
    this.#open = open;
    this.#whole = { first: 0, last: size - 1 };
  }

  /** Begins the GET. Throws what `open` throws. */
  async prepare(range = this.#whole): Promise<void> {
    // It may break before anybody reads it, and an error without a listener ends the process.
    this.#prepared = (await this.#open(range)).on('error', () => undefined);
  }

  /** Drops what was begun and not written. */
  close(): void {
    this.#prepared?.destroy();
  }

  /** Writes the bytes and ends the sink. Throws `BODY_INCOMPLETE` where the sink closes before, or what `open` throws. */
  async writeTo(sink: Writable, range = this.#whole): Promise<void> {
    this.#position = range.first;
    this.#waitingSince = performance.now();
    try {
      do {
        await this.#writeSome(sink, range.last);
        const wasTaking = isTaking(sink);
        await untilTaken(sink);
        if (wasTaking) this.#waitingSince = performance.now();
      } while (this.#position <= range.last);
      sink.end();
    } catch (error) {
      if (!sink.destroyed) throw describeS3Error('GET', error);
      throw new FilerError('BODY_INCOMPLETE', 'the connection closed before all was sent', { cause: error });
    }
  }

  /** Writes what one answer of the service brings, which may break off. Throws where another GET makes no sense. */
  async #writeSome(sink: Writable, last: number): Promise<void> {
    const first = this.#position;
    try {
      const body = this.#prepared ?? (await this.#open({ first, last }));
      this.#prepared = undefined;
      await this.#copy(body, sink);
    } catch (error) {
      if (sink.destroyed || describeS3Error('GET', error).code !== 'STORE_BUSY') throw error;
      // Where the client takes nothing, the service has done its part.
      if (isTaking(sink)) return;
      if (performance.now() - this.#waitingSince >= patienceMs) throw error;
      if (this.#position === first) await wait(retryMs);
    }
  }

  async #copy(body: Readable, sink: Writable): Promise<void> {
    const timer = setTimeout(() => {
      if (isTaking(sink)) timer.refresh();
      else body.destroy(new FilerError('STORE_BUSY', `S3 GET: no byte for ${answerMs / 1000} s`));
    }, answerMs).unref();
    const beginWait = () => {
      this.#waitingSince = performance.now();
      timer.refresh();
    };
    const onData = (chunk: Buffer) => {
      this.#position += chunk.length;
      beginWait();
      if (!sink.write(chunk)) body.pause();
    };
    const onDrain = () => {
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
      sink.off('drain', onDrain).off('close', onClose);
    }
  }
}
