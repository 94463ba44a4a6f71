import { connect, type Socket } from 'node:net';

const headEnd = '\r\n\r\n';
// Reads are handled before the next one begins, so all connections share what nobody looks at twice.
const readBuffer = Buffer.allocUnsafe(256 * 1024);

/** One connection with one request in flight; calls back with the status once the whole answer is there. */
export class Connection {
  readonly #socket: Socket;
  readonly #onAnswer: (status: number, connection: Connection) => void;
  readonly #onFailure: (error: Error) => void;
  #head = '';
  #status = 0;
  #missingBytes = 0;
  #isBodyless = false;
  #isOpen = true;

  /** `onFailure` hears of every end that `close` did not bring about. */
  constructor(
    port: number,
    onAnswer: (status: number, connection: Connection) => void,
    onFailure: (error: Error) => void,
  ) {
    this.#onAnswer = onAnswer;
    this.#onFailure = onFailure;
    const onread = { buffer: readBuffer, callback: (count: number) => this.#read(count) };
    this.#socket = connect({ host: '127.0.0.1', port, noDelay: true, onread });
    this.#socket.on('error', (error) => this.#fail(error));
    this.#socket.on('close', () => this.#fail(new Error('the server closed the connection')));
  }

  /** Resolves once the connection stands. */
  opened(): Promise<void> {
    return new Promise((resolve) => this.#socket.once('connect', resolve));
  }

  /** Sends a request; to a HEAD no body is expected. */
  send(head: Buffer, body: Buffer | undefined, isHead: boolean): void {
    this.#isBodyless = isHead;
    if (body === undefined || body.length === 0) {
      this.#socket.write(head);
      return;
    }
    this.#socket.cork();
    this.#socket.write(head);
    this.#socket.write(body);
    this.#socket.uncork();
  }

  close(): void {
    this.#isOpen = false;
    this.#socket.destroy();
  }

  #read(count: number): boolean {
    let bytes = count;
    if (this.#missingBytes === 0) {
      this.#head += readBuffer.toString('latin1', 0, Math.min(count, 16_384));
      const end = this.#head.indexOf(headEnd);
      if (end === -1) return true;
      bytes = this.#head.length - end - headEnd.length + Math.max(0, count - 16_384);
      this.#readHead(this.#head.slice(0, end));
      this.#head = '';
    }
    this.#missingBytes -= bytes;
    if (this.#missingBytes < 0) this.#fail(new Error('the answer is longer than its Content-Length'));
    else if (this.#missingBytes === 0) this.#onAnswer(this.#status, this);
    return true;
  }

  #readHead(head: string): void {
    this.#status = Number(head.slice(9, 12));
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined && !this.#isBodyless) this.#fail(new Error(`no Content-Length in ${head}`));
    this.#missingBytes = this.#isBodyless ? 0 : Number(length);
  }

  #fail(error: Error): void {
    if (!this.#isOpen) return;
    this.close();
    this.#onFailure(error);
  }
}
