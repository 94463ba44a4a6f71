import type { Writable } from 'node:stream';
import { FilerError } from '../errors.js';

/** Resolves when the sink has taken the chunk, and all that was written before; throws `BODY_INCOMPLETE` when it closes before. */
export function writeChunk(sink: Writable, chunk: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => settle(new Error('the connection closed'));
    const settle = (error?: Error | null) => {
      sink.off('close', onClose);
      if (error) reject(new FilerError('BODY_INCOMPLETE', 'the client went away', { cause: error }));
      else resolve();
    };
    if (sink.destroyed) return settle(new Error('the connection is closed'));
    sink.on('close', onClose);
    sink.write(chunk, settle);
  });
}
