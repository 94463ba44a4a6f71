/*
 * What may be asked for, by the settings alone. The key of a slot has three segments, as ejabberd's has:
 *
 *   <id of the uploader, 64 hex digits (upload/uploader.ts)>/<40 random characters of A-Z a-z 0-9 - _>/<file name as the client gave it>
 */
import { randomBytes } from 'node:crypto';
import { FilerError } from '../errors.js';
import { isExpired } from '../retention/expiry.js';
import { essenceOf, typeOfName } from '../upload/content-type.js';
import { compilePattern } from '../upload/name-pattern.js';
import { keyBelow, type UploadKey } from '../upload/upload-key.js';
import type { PlannedSlot } from './slot-issuer.js';

/** Who may have slots, and for what. */
export interface SlotSettings {
  /** Bare JIDs and domains, in lower case. */
  readonly access: readonly string[];
  /** Bytes. */
  readonly maxFileSize: number;
  /** Patterns for content types such as `image/*`; empty: all. */
  readonly allowedTypes: readonly string[];
}

/** What a client asks for, as it stands in its request; `undefined` where it says nothing. */
export interface SlotRequest {
  readonly filename: string | undefined;
  readonly size: string | undefined;
  readonly contentType: string | undefined;
  /** When the file is to be gone (XEP-0082). */
  readonly expireBefore?: string | undefined;
}

const randomKeyBytes = 30;

/** A longer one would not fit into a URL. */
const maxTypeLength = 255;

/** What of a client's text stands in the log. */
const maxQuotedLength = 300;

/** A size that no number is too small for; with a sign, in hex or with an exponent it is none. */
const sizePattern = /^\d{1,15}$/;

/** DateTime of XEP-0082 §3.2. */
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function quote(value: string | undefined): string {
  return value === undefined ? 'none' : JSON.stringify(value.slice(0, maxQuotedLength));
}

/** The domain of a bare JID. */
export function domainOf(jid: string): string {
  return jid.replace(/^.*@/s, '');
}

/** Whether the bare JID or its domain is among those that may have slots. */
export function mayHaveSlots(jid: string, { access }: SlotSettings): boolean {
  return access.includes(jid) || access.includes(domainOf(jid));
}

/** Throws `UPLOADER_REFUSED` unless the bare JID may have slots. */
export function requireAccess(jid: string, settings: SlotSettings): void {
  if (mayHaveSlots(jid, settings)) return;
  throw new FilerError('UPLOADER_REFUSED', 'neither the JID nor its domain is in component.access');
}

function checkedSize(size: string | undefined, maxFileSize: number): number {
  if (size === undefined || !sizePattern.test(size)) {
    throw new FilerError('REQUEST_INVALID', `the request's size is no number of bytes: ${quote(size)}`);
  }
  if (Number(size) <= maxFileSize) return Number(size);
  throw new FilerError('SIZE_REFUSED', `${size} bytes are more than maxFileSize, ${maxFileSize}`);
}

function newKey(uploader: string, filename: string | undefined): UploadKey {
  const slot = `${uploader}/${randomBytes(randomKeyBytes).toString('base64url')}` as UploadKey;
  const key = filename === undefined ? undefined : keyBelow(slot, filename);
  if (key !== undefined) return key;
  throw new FilerError('REQUEST_INVALID', `the request's filename is no file name: ${quote(filename)}`);
}

/** What is no media type says as little as nothing. */
function announcedType(type = ''): string | undefined {
  return type.length <= maxTypeLength && essenceOf(type) !== undefined ? type : undefined;
}

function checkedTime(expireBefore: string | undefined): number | undefined {
  if (expireBefore === undefined) return undefined;
  const time = timePattern.test(expireBefore) ? Date.parse(expireBefore) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new FilerError('REQUEST_INVALID', `the request's expire-before is no time: ${quote(expireBefore)}`);
}

function requireType(type: string, allowedTypes: readonly string[]): void {
  const essence = essenceOf(type) ?? '';
  if (allowedTypes.length === 0 || allowedTypes.some((pattern) => compilePattern(pattern.toLowerCase())(essence)))
    return;
  throw new FilerError('TYPE_REFUSED', `${quote(type)} is not among component.allowedTypes`);
}

/** Throws `UPLOAD_EXPIRED` for an upload that would be gone before it is there. */
export function requireFuture({ expiresAt }: PlannedSlot, now: number): void {
  if (!isExpired(expiresAt, now)) return;
  throw new FilerError('UPLOAD_EXPIRED', "the request's expire-before is past: check the clocks of client and server");
}

/**
 * The upload that the uploader with this id asks for, under a key that nobody can guess.
 * Throws `REQUEST_INVALID`, `SIZE_REFUSED` or `TYPE_REFUSED`.
 */
export function planSlot(
  uploader: string,
  request: SlotRequest,
  { maxFileSize, allowedTypes }: SlotSettings,
): PlannedSlot {
  const key = newKey(uploader, request.filename);
  const size = checkedSize(request.size, maxFileSize);
  const typeIfNone = allowedTypes.length === 0 ? undefined : typeOfName(key);
  const contentType = announcedType(request.contentType) ?? typeIfNone;
  if (contentType !== undefined) requireType(contentType, allowedTypes);
  return { key, size, contentType, uploader, expiresAt: checkedTime(request.expireBefore) };
}
