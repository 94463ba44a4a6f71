import { least } from '../units.js';
import { essenceOf, typeOfName } from '../upload/content-type.js';
import { compilePattern } from '../upload/name-pattern.js';
import type { Purpose } from '../upload/purpose.js';

/** The facts that decide when an upload expires. */
export interface DatedUpload {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  readonly contentType: string;
  /** ms since the epoch. */
  readonly modifiedAt: number;
  /** `undefined`: a message. */
  readonly purpose?: Purpose | undefined;
  /** The expiry that the token names, ms since the epoch. */
  readonly expiresAt?: number | undefined;
}

/** Another lifetime for some uploads: those that match everything that the rule names. */
export interface RetentionRule {
  /** A pattern for the file name, such as `story_*`. */
  readonly match?: string | undefined;
  /** A pattern for the media type without parameters, such as `video/*`. */
  readonly contentType?: string | undefined;
  /** Bytes. */
  readonly largerThan?: number | undefined;
  readonly purpose?: Purpose | undefined;
  /** `undefined`: the uploads stay for ever. */
  readonly expiresAfterMs: number | undefined;
}

/** How long uploads stay. */
export interface RetentionSettings {
  /** Counted from the upload; `undefined`: for ever. */
  readonly expiresAfterMs?: number | undefined;
  /** The first rule that matches an upload counts in place of `expiresAfterMs`. */
  readonly rules: readonly RetentionRule[];
  /** The least age at which a full store may evict an upload; `undefined`: it evicts none. */
  readonly evictMinAgeMs?: number | undefined;
}

/** The facts that every listing gives. */
type ListedFacts = Pick<DatedUpload, 'key' | 'size' | 'modifiedAt'>;

/** When uploads expire by the settings of now: a change of settings applies to stored uploads too. */
export interface Retention {
  /** When the upload expires, ms since the epoch; `undefined`: never. The expiry of its token counts if it is earlier. */
  expiryOf(upload: DatedUpload): number | undefined;
  /** When an upload of this key, size and age has expired, whatever its type, purpose and token are; ms since the epoch, `undefined`: never. */
  latestExpiryOf(upload: ListedFacts): number | undefined;
  /** When the upload expires, if its type, purpose or token decides that; `undefined` if key, size and age do, or it never expires. */
  dueAt(upload: DatedUpload): number | undefined;
  /** Until when the upload is sure to stay, ms since the epoch; `undefined`: for ever. */
  keptUntil(upload: DatedUpload): number | undefined;
}

function compileRule({ match, contentType, largerThan, purpose, expiresAfterMs }: RetentionRule) {
  const matchesName = match === undefined ? undefined : compilePattern(match);
  const matchesType = contentType === undefined ? undefined : compilePattern(contentType.toLowerCase());
  return {
    expiresAfterMs,
    /** Whether a listing may lack what the rule names. */
    namesMore: matchesType !== undefined || purpose !== undefined,
    fitsListed: ({ key, size }: ListedFacts) =>
      (matchesName === undefined || matchesName(key.slice(key.lastIndexOf('/') + 1))) &&
      (largerThan === undefined || size > largerThan),
    fitsMore: (upload: Pick<DatedUpload, 'contentType' | 'purpose'>) =>
      (matchesType === undefined || matchesType(essenceOf(upload.contentType) ?? '')) &&
      (purpose === undefined || purpose === (upload.purpose ?? 'message')),
  };
}

/** The retention that the settings describe. */
export function compileRetention({ expiresAfterMs, rules, evictMinAgeMs }: RetentionSettings): Retention {
  const compiled = rules.map(compileRule);
  const otherwise = { expiresAfterMs };
  const after = (upload: ListedFacts, ms: number | undefined) =>
    ms === undefined ? undefined : upload.modifiedAt + ms;
  const expiryOf = (upload: DatedUpload) => {
    const rule = compiled.find(({ fitsListed, fitsMore }) => fitsListed(upload) && fitsMore(upload));
    return least(upload.expiresAt, after(upload, (rule ?? otherwise).expiresAfterMs));
  };
  const latestExpiryOf = (upload: ListedFacts) => {
    const possible = compiled.filter(({ fitsListed }) => fitsListed(upload));
    const first = possible.findIndex(({ namesMore }) => !namesMore);
    const rules = first === -1 ? [...possible, otherwise] : possible.slice(0, first + 1);
    const latest = Math.max(...rules.map((rule) => rule.expiresAfterMs ?? Number.POSITIVE_INFINITY));
    return latest === Number.POSITIVE_INFINITY ? undefined : after(upload, latest);
  };
  const dueAt = (upload: DatedUpload) => {
    const expiry = expiryOf(upload);
    const { key, size, modifiedAt } = upload;
    const seen = expiryOf({ key, size, modifiedAt, contentType: typeOfName(key) });
    return expiry === seen ? undefined : expiry;
  };
  return {
    expiryOf,
    latestExpiryOf,
    dueAt,
    keptUntil: (upload) => least(expiryOf(upload), after(upload, evictMinAgeMs)),
  };
}

/** Whether an upload that expires at `expiresAt` (ms since the epoch; `undefined`: never) has expired at `now`. */
export function isExpired(expiresAt: number | undefined, now: number): boolean {
  return expiresAt !== undefined && now >= expiresAt;
}
