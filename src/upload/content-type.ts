import path from 'node:path';
import { types } from 'mime-types';

/** The type of bytes about which nothing is known (RFC 2046 §4.5.1). */
export const unknownType = 'application/octet-stream';

const token = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const quotedString = String.raw`"(?:[\x20\x21\x23-\x5b\x5d-\x7e]|\\[\x20-\x7e])*"`;
const parameter = `${token}=(?:${token}|${quotedString})`;
/** `media-type` of RFC 9110 §8.3.1 in ASCII. A comma outside of quotes would give browsers a second type. */
const mediaType = new RegExp(`^(${token}/${token})(?: *;(?: *${parameter})?)*$`);

/** The longest type or subtype (RFC 6838 §4.2). */
const maxNameLength = 127;

/** Type and subtype of a media type, in lower case; `undefined` if the value is not a media type. */
export function essenceOf(value: string): string | undefined {
  const essence = mediaType.exec(value)?.[1]?.toLowerCase();
  return essence?.split('/').some((name) => name.length > maxNameLength) ? undefined : essence;
}

/** The media type of a file name's extension, `application/octet-stream` if the extension is unknown. */
export function typeOfName(name: string): string {
  return types[path.extname(`x.${name}`).slice(1).toLowerCase()] ?? unknownType;
}

/** The value if it is exactly one media type, else `application/octet-stream`. Safe as a header. */
export function servableType(value: string): string {
  return essenceOf(value) === undefined ? unknownType : value;
}

/** Whether a browser may show the type in place: images, audio, video and plain text, but no XML, since SVG runs scripts. */
export function mayShowInline(value: string): boolean {
  const essence = essenceOf(value);
  if (essence === undefined || essence.endsWith('+xml')) return false;
  return essence === 'text/plain' || /^(image|video|audio)\//.test(essence);
}

/** Further types that browsers never run as a script, style, module or worker. */
const inertTypes = new Set([
  // A browser runs the scripts in documents only if it shows them. Downloads are saved instead.
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

/** Types of vendors, such as those of office documents. A suffix would mean XML or JSON. */
const vendorType = /^application\/vnd\.[^+]*$/;

/** Whether the type is plain text of an unnamed charset, for which browsers take an old one of their user's country. */
export function lacksCharset(value: string): boolean {
  return /^text\/plain *(;|$)/i.test(value) && !/; *charset=/i.test(value) && essenceOf(value) !== undefined;
}

/** A type of plain text with a charset (RFC 6657 §4). */
export function withCharset(value: string, charset: string): string {
  return `${value.replace(/[; ]+$/, '')}; charset=${charset}`;
}

/**
 * The type that an upload is served with: its own if browsers never run it, else `application/octet-stream`, for example
 * for scripts and styles. With `X-Content-Type-Options: nosniff`, no page can then run it, not even on the same origin.
 * Plain text of an unnamed charset is served as UTF-8, as XMPP clients write it.
 */
export function servedType(value: string): string {
  if (lacksCharset(value)) return withCharset(value, 'utf-8');
  const essence = essenceOf(value) ?? unknownType;
  const isInert = inertTypes.has(essence) || vendorType.test(essence) || mayShowInline(value);
  return isInert ? value : unknownType;
}
