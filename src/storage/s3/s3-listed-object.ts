import type { EncodingType, _Object as ListingEntry } from '@aws-sdk/client-s3';

/** An object as a listing gives it. */
export interface ListedObject {
  /** The key without what all keys begin with. */
  readonly name: string;
  /** Bytes. */
  readonly size: number;
  readonly etag: string;
  /** ms since the epoch. */
  readonly modifiedAt: number;
}

/** A name that the service has encoded as in a form, since XML cannot hold all of them; `undefined` where it is not UTF-8. */
function decodeName(name: string): string | undefined {
  try {
    return decodeURIComponent(name.replaceAll('+', ' '));
  } catch {
    return undefined;
  }
}

/** ms since the epoch, to the second as in the header Last-Modified: some listings are more precise. */
function toSeconds(date: Date | undefined): number {
  return 1000 * Math.floor((date?.getTime() ?? 0) / 1000);
}

/** The object below a path, `undefined` where its name cannot be read. */
export function toListedObject(
  { Key = '', Size = 0, ETag = '', LastModified }: ListingEntry,
  encoding: EncodingType | undefined,
  path: string,
): ListedObject | undefined {
  // Services that know no encoding give names as they are.
  const name = encoding === 'url' ? decodeName(Key) : Key;
  if (name === undefined) return undefined;
  return { name: name.slice(path.length), size: Size, etag: ETag, modifiedAt: toSeconds(LastModified) };
}
