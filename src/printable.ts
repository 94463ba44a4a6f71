/**
 * Characters that control a terminal or disguise a name: control characters except the line feed, direction marks, further
 * line separators, and lone surrogates.
 */
const unprintable = /(?!\n)[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The text with such characters written as `\uXXXX`, which leaves the meaning of JSON unchanged. */
export function printable(text: string): string {
  return text.replace(unprintable, escaped);
}
