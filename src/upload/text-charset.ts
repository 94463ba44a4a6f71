import { lacksCharset, withCharset } from './content-type.js';

/** Whether these bytes are UTF-8; a character may be cut off at their end. */
function isUtf8(bytes: Buffer): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

/**
 * The type of an upload that begins with these bytes. Plain text of an unnamed charset that is not UTF-8 gets the charset
 * "unknown-8bit" (RFC 1428): browsers do not know that name, and then guess by the bytes.
 */
export function typeByContent(type: string, beginning: Buffer): string {
  return lacksCharset(type) && !isUtf8(beginning) ? withCharset(type, 'unknown-8bit') : type;
}
