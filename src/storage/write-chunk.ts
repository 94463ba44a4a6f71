import type { Writable } from 'node:stream';
import { FilerError } from '../errors.js';

/** Writes a chunk; resolves when the sink has taken it. Throws `BODY_INCOMPLETE` if the sink closes before. */
export function writeChunk(sink: Writable, chunk: Buffer | string): Promise<void> {
  return new Promise((resolve, reject) => {
    const onClose = () => settle(new Error('the connection closed'));
    const settle = (error?: Error | null) => {
      sink.off('close', onClose);
      if (error) reject(new FilerError('BODY_INCOMPLETE', 'the client closed the connection', { cause: error }));
      else resolve();
    };
    if (sink.destroyed) return settle(new Error('the connection is closed'));
    sink.on('close', onClose);
    sink.write(chunk, settle);
  });
}
