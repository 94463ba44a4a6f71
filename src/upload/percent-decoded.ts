/** The percent-decoded text (RFC 3986 §2.1), `undefined` if it is not UTF-8. */
export function percentDecoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
