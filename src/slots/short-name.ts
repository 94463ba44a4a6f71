import { maxNameBytes } from '../upload/upload-key.js';

/** One or two extensions at the end of a name, such as ".tar.gz". */
const extensions = /(?:\.[\p{L}\p{N}_-]{1,16}){1,2}$/u;

/** More than fits, so that the last character of the kept part is whole. */
const enoughLength = 2 * maxNameBytes;

/**
 * The name, shortened to the 255 bytes that a filesystem takes. What people see as one character stays whole (Unicode
 * Standard Annex #29), and the extension stays, since it tells the type. Returns `''` if not even one character fits.
 */
export function shortName(name: string): string {
  if (Buffer.byteLength(name) <= maxNameBytes) return name;
  const extension = extensions.exec(name.slice(-enoughLength))?.[0] ?? '';
  let left = maxNameBytes - Buffer.byteLength(extension);
  let kept = '';
  for (const { segment } of new Intl.Segmenter().segment(
    name.slice(0, -extension.length || undefined).slice(0, enoughLength),
  )) {
    left -= Buffer.byteLength(segment);
    if (left < 0) break;
    kept += segment;
  }
  return kept === '' ? '' : kept + extension;
}
