/*
 * Patterns for file names and content types. Without a backslash in front,
 *
 *   *        stands for any characters but "/", or for none        [abc] [a-z] [!abc]   for one of these, or for one other than "/"
 *   ?        for one character but "/"                             {jpg,png}            for one of these
 *
 * All else stands for itself. What means something in other programs ("**", "!(…)", "+(…)", "{1..3}", a "!" in front) is
 * refused, so that no rule matches other files than its author meant. Matching never backtracks further than to the last
 * star: it takes at most as many steps as the length of the pattern times that of the text.
 */

/** The longest pattern in characters, which is also that of a name. */
const maxPatternLength = 255;
/** How many patterns one with braces may stand for. */
const maxAlternatives = 64;

/** Whether one character may stand here; `many`: any number of characters but "/". */
type Part = ((character: string) => boolean) | 'many';

/** Says what is wrong with a pattern. */
export class PatternError extends Error {
  override readonly name = 'PatternError';
}

const escapable = /^[\p{P}\p{S}]$/u;
/** What means something else to other programs. */
const reserved: Readonly<Record<string, string>> = {
  '(': '"(" only as "\\("',
  ')': '")" only as "\\)"',
  '|': '"|" only as "\\|"',
  '"': "'\"' only as '\\\"'",
  ']': '"[" before "]"',
  '}': '"{" before "}"',
};

class PatternReader {
  readonly #characters: readonly string[];
  #at = 0;

  constructor(pattern: string) {
    this.#characters = [...pattern];
  }

  /** The parts of each alternative. */
  read(): Part[][] {
    if (this.#characters.length > maxPatternLength) {
      throw new PatternError(`at most ${maxPatternLength} characters`);
    }
    if (this.#peek() === '!') throw new PatternError('"!" at the beginning only as "\\!"');
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
    if (character === undefined) throw new PatternError('a closing "]" or "}", or a sign after "\\",');
    this.#at += 1;
    return character;
  }

  #readEscaped(): string {
    const character = this.#take();
    if (!escapable.test(character)) throw new PatternError('a sign, not a letter, after "\\"');
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

  /** `{a,b}`, of which each side may be empty or hold all but braces. */
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
    if (character === '[') throw new PatternError('"[" between "[" and "]" only as "\\["');
    return character === '\\' ? this.#readEscaped() : character;
  }

  #refuseRepetition(): void {
    if (this.#peek() === '+') throw new PatternError('"+" after "]" or "}" only as "\\+"');
  }
}

function codeOf(character: string): number {
  return character.codePointAt(0) ?? 0;
}

/** Whether the parts stand for the whole text. What a star left out so far is all that is ever tried again. */
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

/** What tells whether a text fits the pattern, of which case counts. Throws a PatternError that says what was expected. */
export function compilePattern(pattern: string): (text: string) => boolean {
  const alternatives = new PatternReader(pattern).read();
  return (text) => {
    const characters = [...text];
    return alternatives.some((parts) => fits(parts, characters));
  };
}
