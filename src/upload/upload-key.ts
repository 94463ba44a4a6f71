/*
 * An upload key is the upload's path below the base URL: percent-decoded UTF-8 segments joined by "/".
 * The raw path is split before it is decoded. A segment that is not a plain file name is refused, never repaired: "." and
 * "..", an encoded "/", a control character of ASCII, or more than 255 bytes.
 * DEL and the control characters C1 (U+0080 to U+009F) are accepted. Names from old archives have them when a program read
 * them with the wrong character set; clients send such names, and adopted stores contain them.
 * A longer name gets no shorter one on disk: nginx, rsync and other programs that read storeDir find a file by its URL.
 */
import { FilerError } from '../errors.js';

declare const brand: unique symbol;

/** A path below storeDir that is safe to join to it, e.g. `<uuid>/photo.jpg`. */
export type UploadKey = string & { readonly [brand]: true };

/** The folder in storeDir for everything except uploads. No key begins with it. */
export const reservedFolder = '.prosody-filer';

/** How many bytes of UTF-8 a segment may have. No common filesystem takes more. */
export const maxNameBytes = 255;

const asciiControl = /(?![\u007f-\u009f])\p{Cc}/u;

function decodeSegment(raw: string): string {
  try {
    return decodeURIComponent(raw);
  } catch (cause) {
    throw new FilerError('KEY_INVALID', 'the path is not valid percent-encoded UTF-8', { cause });
  }
}

function faultOf(segment: string): string | undefined {
  if (segment === '') return 'an empty segment';
  if (segment === '.' || segment === '..') return `the segment "${segment}"`;
  if (segment.includes('/')) return 'an encoded slash';
  return asciiControl.test(segment) ? 'a control character' : undefined;
}

function isTooLong(segment: string): boolean {
  return Buffer.byteLength(segment) > maxNameBytes;
}

function requireFileName(segment: string): void {
  const fault = faultOf(segment);
  if (fault !== undefined) throw new FilerError('KEY_INVALID', `the path contains ${fault}`);
  if (!isTooLong(segment)) return;
  const found = `a name in the path has ${Buffer.byteLength(segment)} bytes, and filesystems take at most ${maxNameBytes}`;
  throw new FilerError('NAME_TOO_LONG', `${found}; the user has to shorten the name of the file`);
}

/** Whether the first segment of a path is the reserved folder, in any letter case. */
export function isReserved(firstSegment: string | undefined): boolean {
  return firstSegment?.toLowerCase() === reservedFolder;
}

const slashTooMany = 'does the base URL on the XMPP server, or the path in the proxy, have a slash too many?';

function refuseOutside(segments: readonly string[], baseSegments: readonly string[]): never {
  const base = `/${baseSegments.join('/')}/`;
  if (segments.slice(0, -1).includes('')) {
    throw new FilerError('NOT_FOUND', `the path is not below ${base}, and contains "//"; ${slashTooMany}`);
  }
  const glued = baseSegments.at(-1) ?? '';
  const isGlued = glued !== '' && segments[baseSegments.length - 1]?.startsWith(glued) === true;
  const hint =
    isGlued && segments.length >= baseSegments.length
      ? '; does the base URL on the XMPP server lack its trailing slash?'
      : '';
  throw new FilerError('NOT_FOUND', `the path is not below ${base}${hint}`);
}

/**
 * The key for a request's raw path (percent-encoded, without query). `baseSegments` are the decoded segments of the base
 * URL's path. Throws `NOT_FOUND` for the base URL itself and outside of it, and `KEY_INVALID` or `NAME_TOO_LONG` if no
 * upload can have the path.
 */
export function parseUploadKey(rawPath: string, baseSegments: readonly string[]): UploadKey {
  const segments = rawPath.split('/').slice(1).map(decodeSegment);
  const isBelowBase = baseSegments.every((segment, index) => segments[index] === segment);
  const keySegments = segments.slice(baseSegments.length);
  if (!isBelowBase || keySegments.length === 0) refuseOutside(segments, baseSegments);
  if (keySegments.length === 1 && keySegments[0] === '') {
    throw new FilerError('NOT_FOUND', 'the path ends before the name of an upload');
  }
  if (keySegments[0] === '') throw new FilerError('KEY_INVALID', `the path contains "//"; ${slashTooMany}`);
  keySegments.forEach(requireFileName);
  if (isReserved(keySegments[0])) {
    throw new FilerError('NOT_FOUND', `the path is in the reserved folder ${reservedFolder}`);
  }
  return keySegments.join('/') as UploadKey;
}

/**
 * The key of an upload or folder with this name in the folder `parent` (`undefined`: in storeDir itself); `undefined` if
 * `parseUploadKey` would refuse that path.
 */
export function keyBelow(parent: UploadKey | undefined, name: string): UploadKey | undefined {
  if (faultOf(name) !== undefined || isTooLong(name) || (parent === undefined && isReserved(name))) return undefined;
  return (parent === undefined ? name : `${parent}/${name}`) as UploadKey;
}

/** The key for decoded segments that are joined by "/"; `undefined` if no upload can have it. */
export function keyOfPath(path: string): UploadKey | undefined {
  let key: UploadKey | undefined;
  for (const segment of path.split('/')) {
    key = keyBelow(key, segment);
    if (key === undefined) return undefined;
  }
  return key;
}

/** ejabberd's ids have 40 digits, those of our own slots 64 (uploader.ts). */
const keyOfUploader = /^([0-9a-f]{40}(?:[0-9a-f]{24})?)\/[^/]+\/[^/]+$/;

/** ejabberd's keys with `jid_in_url: node`: the name of the user, random letters and digits, the name of the file. */
const keyOfNode = /^([^/]+)\/[A-Za-z0-9]+\/[^/]+$/;

/** The uploader's id. It is the first of three segments for ejabberd's and our own slots; `undefined` for other keys. */
export function uploaderIdOfKey(key: UploadKey): string | undefined {
  return keyOfUploader.exec(key)?.[1];
}

/**
 * The uploader whom the key names: an id or, if ejabberd's users of this domain have their names in the keys, a JID; `undefined`
 * for other keys.
 */
export function uploaderOfKey(key: UploadKey, jidInUrlDomain: string | undefined): string | undefined {
  const id = uploaderIdOfKey(key);
  if (id !== undefined || jidInUrlDomain === undefined) return id;
  const name = keyOfNode.exec(key)?.[1];
  return name === undefined ? undefined : `${name.toLowerCase()}@${jidInUrlDomain}`;
}
