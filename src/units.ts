import ms from 'ms';
import xbytes from 'xbytes';

/** A limit that nothing reaches. The channel to the workers would make `null` of Infinity. */
export const unlimited = Number.MAX_SAFE_INTEGER;

/** Whether a limit limits anything; `undefined`: it is not set. */
export function isLimit(limit: number | undefined): limit is number {
  return limit !== undefined && limit !== unlimited;
}

/** Milliseconds in an hour. */
export const hourMs = 60 * 60 * 1000;
/** Milliseconds in a day of 24 hours. */
export const dayMs = 24 * hourMs;
/** Milliseconds in a year of 365 days. */
export const yearMs = 365 * dayMs;

const sizePattern = /^\d+(\.\d+)? ?([KMGT]I?)?B$/;
const durationPattern = /^\d+(\.\d+)? ?(ms|s|m|h|d|w|seconds?|minutes?|hours?|days?|weeks?)$/;

/** Bytes in a size such as `50MB` (decimal), `50 MiB` (binary) or `0B`, in any letter case; NaN for any other text. */
export function parseSize(text: string): number {
  const upper = text.toUpperCase();
  return sizePattern.test(upper) ? Math.round(xbytes.parseSize(upper)) : Number.NaN;
}

/** A number of bytes as people read it, in decimal units such as `23.03 KB` or `7 B`. */
export function formatSize(bytes: number): string {
  return xbytes(bytes, { fixed: bytes < 1000 ? 0 : 2 });
}

/** `ms` throws if the text is longer. */
const maxDurationLength = 99;

/** Whole milliseconds in a duration such as `60s`, `1.5h` or `28 days`; NaN for any other text. */
export function parseDuration(text: string): number {
  const isDuration = text.length <= maxDurationLength && durationPattern.test(text);
  return isDuration ? Math.round(ms(text as ms.StringValue)) : Number.NaN;
}

/** The least of the numbers that are known; `undefined` if none is. */
export function least(...numbers: readonly (number | undefined)[]): number | undefined {
  const known = numbers.filter((number) => number !== undefined);
  return known.length === 0 ? undefined : Math.min(...known);
}

/** A number of things in words: "1 upload", "2 uploads". */
export function countOf(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
