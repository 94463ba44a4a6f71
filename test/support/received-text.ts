import type { Socket } from 'node:net';
import { StringDecoder } from 'node:string_decoder';

const patienceMs = 60_000;
const searchedPerMs = 100_000;
const events = ['data', 'end', 'close'] as const;

/** The text that a socket receives. */
export interface ReceivedText {
  /** Everything received so far. */
  received(): string;
  /** Resolves once what was received matches; rejects if the connection closes before, and after a minute. */
  waitFor(pattern: RegExp): Promise<string>;
  /** Resolves to everything received when the other side has closed; rejects after a minute. */
  untilClosed(): Promise<string>;
}

/** Collects what a socket receives from now on; errors of the socket count as its end. */
export function collectText(socket: Socket, encoding: 'latin1' | 'utf8'): ReceivedText {
  const decoder = new StringDecoder(encoding);
  let text = '';
  socket.on('data', (chunk) => {
    text += decoder.write(chunk);
  });
  socket.on('error', () => undefined);
  const isClosed = () => socket.readableEnded || socket.destroyed;

  const until = (isReached: () => boolean) =>
    new Promise<string>((resolve, reject) => {
      const stop = () => {
        clearTimeout(timer);
        for (const event of events) socket.off(event, look);
      };
      let isDue = false;
      const look = () => {
        if (isDue) return;
        isDue = true;
        // Searching a large text takes long, so it is not searched after each chunk.
        setTimeout(() => {
          isDue = false;
          if (!isReached()) return;
          stop();
          resolve(text);
        }, text.length / searchedPerMs);
      };
      const timer = setTimeout(() => {
        stop();
        reject(new Error(`nothing more for ${patienceMs} ms after ${JSON.stringify(text)}`));
      }, patienceMs);
      for (const event of events) socket.on(event, look);
      look();
    });
  return {
    received: () => text,
    waitFor: async (pattern) => {
      let isFound = false;
      await until(() => {
        isFound = text.search(pattern) >= 0;
        return isFound || isClosed();
      });
      if (!isFound) throw new Error(`closed after ${JSON.stringify(text)}`);
      return text;
    },
    untilClosed: () => until(isClosed),
  };
}
