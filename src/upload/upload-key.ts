/*
 * An upload key is the upload's path below the base URL: percent-decoded UTF-8 segments joined by "/".
 * The raw path is split before anything is decoded, and what does not decode to a plain file name is
 * refused, never repaired: no "." or "..", no encoded "/", no control character, nothing over 255 bytes.
 */
import { FilerError } from '../errors.js';

declare const brand: unique symbol;

/** A path below storeDir that is safe to join to it, e.g. `<uuid>/photo.jpg`. */
export type UploadKey = string & { readonly [brand]: true };

/** The folder in storeDir for what is not an upload; no key begins with it. */
export const reservedFolder = '.prosody-filer';

const maxSegmentBytes = 255;
const controlCharacter = /\p{Cc}/u;

function decodeSegment(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw new FilerError('KEY_INVALID', 'the path is not percent-encoded UTF-8', { cause });
  }
}

function faultOf(segment: string): string | undefined {
  if (segment === '') return 'an empty segment';
  if (segment === '.' || segment === '..') return `the segment "${segment}"`;
  if (segment.includes('/')) return 'an encoded slash';
  if (controlCharacter.test(segment)) return 'a control character';
  return Buffer.byteLength(segment) > maxSegmentBytes ? `a segment over ${maxSegmentBytes} bytes` : undefined;
}

function requireFileName(segment: string): void {
  const fault = faultOf(segment);
  if (fault !== undefined) throw new FilerError('KEY_INVALID', `the path holds ${fault}`);
}

/** Whether the first segment of a path is the reserved folder, in any letter case. */
export function isReserved(firstSegment: string | undefined): boolean {
  return firstSegment?.toLowerCase() === reservedFolder;
}

function refuseOutside(segments: readonly string[], baseSegments: readonly string[]): never {
  const base = `/${baseSegments.join('/')}/`;
  const glued = baseSegments.at(-1) ?? '';
  const isGlued = glued !== '' && segments[baseSegments.length - 1]?.startsWith(glued) === true;
  const hint =
    isGlued && segments.length >= baseSegments.length
      ? '; does the base URL of the XMPP server lack its trailing slash?'
      : '';
  throw new FilerError('NOT_FOUND', `the path is not below ${base}${hint}`);
}

/**
 * The key that a request's raw path (percent-encoded, without query) names below the base URL's decoded segments.
 * Throws `NOT_FOUND` for a path outside of the base or the base itself, `KEY_INVALID` for what no upload may be called.
 */
export function parseUploadKey(rawPath: string, baseSegments: readonly string[]): UploadKey {
  const segments = rawPath.split('/').slice(1).map(decodeSegment);
  const isBelowBase = baseSegments.every((segment, index) => segments[index] === segment);
  const keySegments = segments.slice(baseSegments.length);
  if (!isBelowBase || keySegments.length === 0) refuseOutside(segments, baseSegments);
  if (keySegments.length === 1 && keySegments[0] === '') {
    throw new FilerError('NOT_FOUND', 'the path names no upload');
  }
  keySegments.forEach(requireFileName);
  if (isReserved(keySegments[0])) {
    throw new FilerError('NOT_FOUND', `the path is in the reserved folder ${reservedFolder}`);
  }
  return keySegments.join('/') as UploadKey;
}

/**
 * The key of what lies under this name in the folder at `parent` (`undefined`: at the top), be it an upload or a folder
 * of uploads; `undefined` where `parseUploadKey` takes no such path.
 */
export function keyBelow(parent: UploadKey | undefined, name: string): UploadKey | undefined {
  if (faultOf(name) !== undefined || (parent === undefined && isReserved(name))) return undefined;
  return (parent === undefined ? name : `${parent}/${name}`) as UploadKey;
}

/** The key that a path of decoded segments is, joined by "/"; `undefined` where no upload may have it. */
export function keyOfPath(path: string): UploadKey | undefined {
  let key: UploadKey | undefined;
  for (const segment of path.split('/')) {
    key = keyBelow(key, segment);
    if (key === undefined) return undefined;
  }
  return key;
}

/** 40 digits from ejabberd, 64 from our own slots (uploader.ts). */
const keyOfUploader = /^([0-9a-f]{40}(?:[0-9a-f]{24})?)\/[^/]+\/[^/]+$/;

/** The uploader's id, with which ejabberd and our own slots begin their three-segment paths; `undefined` for any other key. */
export function uploaderOfKey(key: UploadKey): string | undefined {
  return keyOfUploader.exec(key)?.[1];
}
