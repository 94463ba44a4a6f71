import type { EncodingType, _Object as ListingEntry } from '@aws-sdk/client-s3';

/** An object in a listing. */
export interface ListedObject {
  /** The key without the bucket's path. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

/** Decodes a name: XML cannot hold all names, so services encode them as in a form. `undefined` if it is not UTF-8. */
function decodeName(name: string): string | undefined {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** ms since the epoch. Some listings are more precise than the header Last-Modified, so it is cut to the second. */
function toSeconds(date: Date | undefined): number {
  return 1000 * Math.floor((date?.getTime() ?? 0) / 1000);
}

/** The object below a path; `undefined` if its name cannot be read. */
export function toListedObject(
  { Key = '', Size = 0, ETag = '', LastModified }: ListingEntry,
  encoding: EncodingType | undefined,
  path: string,
): ListedObject | undefined {
  // Services without encoding-type give names as they are.
  const name = encoding === 'url' ? decodeName(Key) : Key;
  if (name === undefined) return undefined;
  return { name: name.slice(path.length), size: Size, etag: ETag, modifiedAt: toSeconds(LastModified) };
}
