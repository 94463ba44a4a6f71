/*
 * Patterns for file names and content types:
 *
 *   *              any number of characters except "/"
 *   ?              one character except "/"
 *   [abc] [a-z]    one of these characters
 *   [!abc]         one other character except "/"
 *   {jpg,png}      one of these texts
 *   \*             the character itself
 *
 * Any other character stands for itself. Patterns that other programs give a meaning ("**", "!(…)", "+(…)", "{1..3}", a
 * leading "!") are refused, so that a rule never matches files that its author did not mean. Matching backtracks only to the
 * last star: it takes at most as many steps as the length of the pattern times the length of the text.
 */

/** The longest pattern in characters. Names cannot be longer either. */
const maxPatternLength = 255;
/** How many alternatives the braces of a pattern may produce. */
const maxAlternatives = 64;

/** Tells whether one character matches; `many`: any number of characters except "/". */
type Part = ((character: string) => boolean) | 'many';

/** A pattern is invalid. The message is what was expected, in words that follow "expected ". */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const escapable = /^[\p{P}\p{S}]$/u;
/** Characters with a meaning in other programs. */
const reserved: Readonly<Record<string, string>> = {
  '(': '"\\(" in place of "("',
  ')': '"\\)" in place of ")"',
  '|': '"\\|" in place of "|"',
  '"': "'\\\"' in place of '\"'",
  ']': 'a "[" before "]"',
  '}': 'a "{" before "}"',
};

class PatternReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = [...pattern];
  }

  /** Returns the parts of each alternative. */
  read(): Part[][] {
    if (this.#characters.length > maxPatternLength) {
      throw new PatternError(`at most ${maxPatternLength} characters`);
    }
    if (this.#peek() === '!') throw new PatternError('"\\!" in place of "!" at the beginning');
    let alternatives: Part[][] = [[]];
    while (this.#peek() !== undefined) {
      const next = this.#peek() === '{' ? this.#readBraces() : [[this.#readPart()]];
      alternatives = alternatives.flatMap((before) => next.map((part) => [...before, ...part]));
      if (alternatives.length > maxAlternatives) {
        throw new PatternError(`braces that stand for at most ${maxAlternatives} patterns`);
      }
    }
    return alternatives;
  }

  #peek(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(): string {
    const character = this.#characters[this.#at];
    if (character === undefined) throw new PatternError('a closing "]" or "}", or punctuation after "\\",');
    this.#at += 1;
    return character;
  }

  #readEscaped(): string {
    const character = this.#take();
    if (!escapable.test(character)) throw new PatternError('punctuation, not a letter, after "\\"');
    return character;
  }

  #readPart(): Part {
    const character = this.#take();
    if (character === '*' && this.#peek() === '*') throw new PatternError('one "*", not two');
    if (character === '*') return 'many';
    if (character === '?') return (other) => other !== '/';
    if (character === '[') return this.#readSet();
    const problem = reserved[character];
    if (problem !== undefined) throw new PatternError(problem);
    const literal = character === '\\' ? this.#readEscaped() : character;
    return (other) => other === literal;
  }

  /** Reads `{a,b}`. Each side may be empty, and cannot contain braces. */
  #readBraces(): Part[][] {
    this.#take();
    const sides: Part[][] = [[]];
    for (let next = this.#peek(); next !== '}'; next = this.#peek()) {
      if (next === '{') throw new PatternError('no "{" between "{" and "}"');
      if (next === ',') {
        this.#take();
        sides.push([]);
      } else sides.at(-1)?.push(this.#readPart());
    }
    this.#take();
    if (sides.length === 1) throw new PatternError('a "," between "{" and "}"');
    this.#refuseRepetition();
    return sides;
  }

  #readSet(): Part {
    const isNegated = this.#peek() === '!' || this.#peek() === '^';
    if (isNegated) this.#take();
    const ranges: [first: string, last: string][] = [];
    while (this.#peek() !== ']') {
      const first = this.#readMember();
      if (this.#peek() !== '-' || this.#characters[this.#at + 1] === ']') {
        ranges.push([first, first]);
        continue;
      }
      this.#take();
      const last = this.#readMember();
      if (codeOf(first) > codeOf(last)) throw new PatternError(`"${last}-${first}", not "${first}-${last}"`);
      ranges.push([first, last]);
    }
    this.#take();
    if (ranges.length === 0) throw new PatternError('something between "[" and "]"');
    this.#refuseRepetition();
    const isMember = (code: number) => ranges.some(([first, last]) => codeOf(first) <= code && code <= codeOf(last));
    return (other) => other !== '/' && isMember(codeOf(other)) !== isNegated;
  }

  #readMember(): string {
    const character = this.#take();
    if (character === '[') throw new PatternError('"\\[" in place of "[" between "[" and "]"');
    return character === '\\' ? this.#readEscaped() : character;
  }

  #refuseRepetition(): void {
    if (this.#peek() === '+') throw new PatternError('"\\+" in place of "+" after "]" or "}"');
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Whether the parts match the whole text. After a mismatch, the last star takes one more character. */
function fits(parts: readonly Part[], text: readonly string[]): boolean {
  let part = 0;
  let at = 0;
  let afterStar: { part: number; at: number } | undefined;
  while (at < text.length) {
    const current = parts[part];
    const character = text[at] ?? '';
    if (current === 'many') {
      part += 1;
      afterStar = { part, at };
    } else if (current?.(character) === true) {
      part += 1;
      at += 1;
    } else {
      if (afterStar === undefined || text[afterStar.at] === '/') return false;
      afterStar.at += 1;
      part = afterStar.part;
      at = afterStar.at;
    }
  }
  return parts.slice(part).every((rest) => rest === 'many');
}

/** Compiles a pattern into a function that tells whether a text matches it, case-sensitively. Throws a PatternError. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const alternatives = new PatternReader(pattern).read();
  return (text) => {
    const characters = [...text];
    return alternatives.some((parts) => fits(parts, characters));
  };
}
