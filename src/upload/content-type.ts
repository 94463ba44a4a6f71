import mime from 'mime-types';

/** What is said of bytes about which nothing is known (RFC 2046 §4.5.1). */
export const unknownType = 'application/octet-stream';

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quotedString = String.raw`"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"`;
const parameter = `${token}=(?:${token}|${quotedString})`;
/** `media-type` of RFC 9110 §8.3.1, in ASCII: a comma outside of quotes would let a browser take a second type. */
const mediaType = new RegExp(`^(${token}/${token})(?: *;(?: *${parameter})?)*$`);

/** The longest type and the longest subtype (RFC 6838 §4.2). */
const maxNameLength = 127;

/** Type and subtype of a media type, in lower case; `undefined` for what is none. */
export function essenceOf(value: string): string | undefined {
  const essence = mediaType.exec(value)?.[1]?.toLowerCase();
  return essence?.split('/').some((name) => name.length > maxNameLength) ? undefined : essence;
}

/** The media type that a file name's extension stands for, `application/octet-stream` where it stands for none. */
export function typeOfName(name: string): string {
  return mime.lookup(name) || unknownType;
}

/** The value itself where the whole of it is one media type, else `application/octet-stream`: safe as a header. */
export function servableType(value: string): string {
  return essenceOf(value) === undefined ? unknownType : value;
}

/** Whether a browser may show the type in place: images, audio, video and plain text, never XML (SVG runs scripts). */
export function mayShowInline(value: string): boolean {
  const essence = essenceOf(value);
  if (essence === undefined || essence.endsWith('+xml')) return false;
  return essence === 'text/plain' || /^(image|video|audio)\//.test(essence);
}

/** Types that no browser runs as a script, a style, a module or a worker, beside images, audio, video and plain text. */
const inertTypes = new Set([
  // Documents: a browser runs their scripts only where it shows them, and as downloads they are saved.
  ...[
    'text/html',
    'application/xhtml+xml',
    'image/svg+xml',
    'application/pdf',
    'application/rtf',
    'application/msword',
  ],
  ...['application/epub+zip', 'text/csv', 'text/markdown', 'text/calendar', 'text/vcard', 'text/x-vcard'],
  ...['application/zip', 'application/gzip', 'application/x-gzip', 'application/x-7z-compressed', 'application/x-tar'],
  ...['application/x-bzip2', 'application/x-xz', 'application/zstd', 'application/ogg', 'application/x-bittorrent'],
  ...['application/pgp-encrypted', 'application/pgp-keys', 'application/pgp-signature'],
]);

/** Those of makers of programs, such as of office documents; a suffix would say that they are XML or JSON. */
const vendorType = /^application\/vnd\.[^+]*$/;

/**
 * The type that an upload of this type is served with: `application/octet-stream` for scripts and styles, and for all that
 * is not known to be inert. With `X-Content-Type-Options: nosniff` no page can run it, not one on the same origin either.
 */
export function servedType(value: string): string {
  const essence = essenceOf(value) ?? unknownType;
  const isInert = inertTypes.has(essence) || vendorType.test(essence) || mayShowInline(value);
  return isInert ? value : unknownType;
}
