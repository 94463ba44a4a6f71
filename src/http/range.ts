import type { ByteRange } from '../storage/store.js';

const singleRange = /^bytes=(\d*)-(\d*)$/i;

/**
 * The part of `size` bytes that a Range header asks for (RFC 9110 §14.1.2): `a-b`, `a-` or `-n`. `'unsatisfiable'` if it
 * lies outside of them. `undefined` if the header must be ignored: it is malformed, has another unit or several ranges.
 */
export function parseRange(header: string, size: number): ByteRange | 'unsatisfiable' | undefined {
  const [, from = '', to = ''] = singleRange.exec(header.trim()) ?? [];
  if (from === '' && to === '') return undefined;
  if (from === '') {
    const length = Number(to);
    if (length === 0) return 'unsatisfiable';
    return size === 0 ? undefined : { first: Math.max(0, size - length), last: size - 1 };
  }
  const first = Number(from);
  const last = to === '' ? Number.POSITIVE_INFINITY : Number(to);
  if (last < first) return undefined;
  return first >= size ? 'unsatisfiable' : { first, last: Math.min(last, size - 1) };
}
