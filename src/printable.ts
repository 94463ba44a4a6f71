/**
 * Control characters but for the line feed, characters that change the direction of text, line separators that editors
 * know, and halves of a surrogate pair: a terminal obeys some, and with the others a name looks like another one.
 */
const unprintable = /(?!\n)[\p{Cc}\p{Cs}\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/gu;

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** The text as it may reach a terminal: what must not is written as `\uXXXX`, so that JSON stays the same JSON. */
export function printable(text: string): string {
  return text.replace(unprintable, escaped);
}
