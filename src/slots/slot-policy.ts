/*
 * Which slots may be given, as far as the settings decide it. The key of a slot has three segments, as with ejabberd:
 *
 *   <uploader's id, 64 hex digits (upload/uploader.ts)>/<40 random characters of A-Z a-z 0-9 - _>/<file name from the client, 255 bytes at most>
 */
import { randomBytes } from 'node:crypto';
import { FilerError } from '../errors.js';
import { isExpired } from '../retention/expiry.js';
import { essenceOf, typeOfName } from '../upload/content-type.js';
import { compilePattern } from '../upload/name-pattern.js';
import type { Purpose } from '../upload/purpose.js';
import { keyBelow, type UploadKey } from '../upload/upload-key.js';
import { domainOf } from '../upload/uploader.js';
import { shortName } from './short-name.js';
import type { PlannedSlot } from './slot-issuer.js';

/** Who may get slots, and for which files. */
export interface SlotSettings {
  /** Bare JIDs and domains, in lower case. */
  readonly access: readonly string[];
  /** Bytes. */
  readonly maxFileSize: number;
  /** Patterns for content types such as `image/*`; empty: all types are allowed. */
  readonly allowedTypes: readonly string[];
  /** The purposes that the service advertises. */
  readonly purposes: readonly Purpose[];
}

/** Who asks for a slot. */
export interface Asker {
  /** The uploader's id. */
  readonly uploader: string;
  /** How the token names the uploader's table of quotas. */
  readonly quota?: string | undefined;
}

/** The raw fields of a client's request; `undefined` if a field is missing. */
export interface SlotRequest {
  readonly filename: string | undefined;
  readonly size: string | undefined;
  readonly contentType: string | undefined;
  /** The expiry that the client asks for (XEP-0082). */
  readonly expireBefore?: string | undefined;
  /** The name of the purpose's element. */
  readonly purpose?: string | undefined;
}

const randomKeyBytes = 30;

/** A longer type would not fit into a URL. */
const maxTypeLength = 255;

/** How many characters of a client's text are logged. */
const maxQuotedLength = 300;

/** 1 to 15 digits, which a number holds exactly; no sign, no exponent, no hex. */
const sizePattern = /^\d{1,15}$/;

/** DateTime of XEP-0082 §3.2. */
const timePattern = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function quote(value: string | undefined): string {
  return value === undefined ? 'missing' : JSON.stringify(value.slice(0, maxQuotedLength));
}

/** Whether the bare JID or its domain may get slots. */
export function mayHaveSlots(jid: string, { access }: Pick<SlotSettings, 'access'>): boolean {
  return access.includes(jid) || access.includes(domainOf(jid));
}

/** Throws `UPLOADER_REFUSED` unless the bare JID may get slots. */
export function requireAccess(jid: string, settings: SlotSettings): void {
  if (mayHaveSlots(jid, settings)) return;
  throw new FilerError('UPLOADER_REFUSED', 'component.access lists neither the JID nor its domain');
}

function checkedSize(size: string | undefined, maxFileSize: number): number {
  if (size === undefined || !sizePattern.test(size)) {
    throw new FilerError('REQUEST_INVALID', `invalid size in the slot request: ${quote(size)}`);
  }
  if (Number(size) <= maxFileSize) return Number(size);
  throw new FilerError('SIZE_REFUSED', `${size} bytes exceed maxFileSize, ${maxFileSize}`);
}

function newKey(uploader: string, filename: string | undefined): UploadKey {
  const slot = `${uploader}/${randomBytes(randomKeyBytes).toString('base64url')}` as UploadKey;
  const key = filename === undefined ? undefined : keyBelow(slot, shortName(filename));
  if (key !== undefined) return key;
  throw new FilerError('REQUEST_INVALID', `invalid file name in the slot request: ${quote(filename)}`);
}

/** The announced type. An invalid media type counts as no type. */
function announcedType(type = ''): string | undefined {
  return type.length <= maxTypeLength && essenceOf(type) !== undefined ? type : undefined;
}

function checkedTime(expireBefore: string | undefined): number | undefined {
  if (expireBefore === undefined) return undefined;
  const time = timePattern.test(expireBefore) ? Date.parse(expireBefore) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new FilerError('REQUEST_INVALID', `invalid expire-before in the slot request: ${quote(expireBefore)}`);
}

/** The purpose that the upload gets. Without one, or with one that is not advertised, it is a message (XEP-0363 1.2.0). */
function purposeOf({ purpose = 'message' }: SlotRequest, advertised: readonly Purpose[]): Purpose | undefined {
  return purpose === 'message' ? undefined : advertised.find((known) => known === purpose);
}

function requireType(type: string, allowedTypes: readonly string[]): void {
  const essence = essenceOf(type) ?? '';
  if (allowedTypes.length === 0 || allowedTypes.some((pattern) => compilePattern(pattern.toLowerCase())(essence)))
    return;
  throw new FilerError('TYPE_REFUSED', `component.allowedTypes does not allow ${quote(type)}`);
}

/** Throws `UPLOAD_EXPIRED` if the upload would have expired already. */
export function requireFuture({ expiresAt }: PlannedSlot, now: number): void {
  if (!isExpired(expiresAt, now)) return;
  throw new FilerError(
    'UPLOAD_EXPIRED',
    'expire-before in the slot request has passed already; check the clocks of client and server',
  );
}

/**
 * Checks the request, and gives the upload a key that nobody can guess.
 * Throws `REQUEST_INVALID`, `SIZE_REFUSED` or `TYPE_REFUSED`.
 */
export function planSlot(
  { uploader, quota }: Asker,
  request: SlotRequest,
  { maxFileSize, allowedTypes, purposes }: SlotSettings,
): PlannedSlot {
  const key = newKey(uploader, request.filename);
  const size = checkedSize(request.size, maxFileSize);
  const typeIfNone = allowedTypes.length === 0 ? undefined : typeOfName(key);
  const contentType = announcedType(request.contentType) ?? typeIfNone;
  if (contentType !== undefined) requireType(contentType, allowedTypes);
  const expiresAt = checkedTime(request.expireBefore);
  return { key, size, contentType, uploader, quota, purpose: purposeOf(request, purposes), expiresAt };
}
