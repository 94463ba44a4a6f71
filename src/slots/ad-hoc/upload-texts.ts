import type { FoundUploads } from '../../retention/user-uploads.js';
import type { KeyedFacts } from '../../storage/store.js';
import { countOf, formatSize } from '../../units.js';

/** So many uploads are shown at once. */
export const pageSize = 20;

/** So many uploads of a user can be shown. */
export const maxShown = 200;

/** A time as people read it, to the minute. */
export function timeText(time: number): string {
  return `${new Date(time).toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** An upload in words, such as `photo.jpg, 1.20 MB, 2026-11-28 02:10 UTC`. */
export function uploadText({ key, size, modifiedAt }: Pick<KeyedFacts, 'key' | 'size' | 'modifiedAt'>): string {
  return `${nameOf({ key })}, ${formatSize(size)}, ${timeText(modifiedAt)}`;
}

/** The file name of an upload. */
export function nameOf({ key }: Pick<KeyedFacts, 'key'>): string {
  return key.slice(key.lastIndexOf('/') + 1);
}

/** A number of uploads with their size, such as `2 uploads, 1.20 MB`. */
export function totalText({ files, bytes }: { readonly files: number; readonly bytes: number }): string {
  return `${countOf(files, 'upload')}, ${formatSize(bytes)}`;
}

/** The uploads of a page, counted from 0, and what is before and behind it. */
export function pageOf({ files, newest }: FoundUploads, index: number) {
  const pages = Math.max(1, Math.ceil(newest.length / pageSize));
  const range = files > newest.length ? ` of the newest ${newest.length} uploads` : '';
  return {
    uploads: newest.slice(index * pageSize, (index + 1) * pageSize),
    hasPrev: index > 0,
    hasNext: index + 1 < pages,
    /** Empty if there is only one page. */
    sentence: pages === 1 ? '' : ` Page ${index + 1} of ${pages}${range}.`,
  };
}
