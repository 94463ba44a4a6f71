/*
 * An entry of the schema is the one place where a setting stands: its type and range, its unit, its default, and the
 * sentences that config.example.toml shows. The types of the settings derive from it.
 */

/** The unit into which a text is converted: bytes, milliseconds, or the bits of a file's mode. */
export type Unit = 'bytes' | 'ms' | 'mode';

/** What an entry may say beside its type. */
export interface Facts {
  readonly default?: unknown;
  /** What applies if the key is not set, in words. A key without `unset` and `default` is required. */
  readonly unset?: string;
  /** The value in config.example.toml, unless that is the default. */
  readonly example?: unknown;
  /** What the value must be; it follows the word "expected" in a message. */
  readonly expected?: string;
  /** The value never appears in a message. */
  readonly isSecret?: true;
  /** The key has no meaning with `[s3]`. */
  readonly isForFolder?: true;
  /** The value is read in lower case and in Unicode's normalization form C, in which servers compare JIDs (RFC 7622). */
  readonly isAnyCase?: true;
  /** A regular expression that the text matches. */
  readonly pattern?: string;
  /** Whether a text is such a value. */
  readonly format?: (text: string) => boolean;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minItems?: number;
}

/** A table, a list or a single value, and what may be in it. */
export interface Schema extends Facts {
  readonly type: 'object' | 'array' | keyof Primitives;
  readonly unit?: Unit;
  readonly enum?: readonly string[];
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  /** Keys of a table that is useless without any of these. */
  readonly atLeastOneOf?: readonly string[];
}

type Entry<Type, Given> = Type & Given & { readonly description: string };

/** Returns a function that makes entries of one type, each from the sentences that describe the key and its own facts. */
export function entriesOf<const Type extends Schema>(type: Type, facts: Facts = {}) {
  return <const Given extends Facts>(description: string, given: Given): Entry<Type, Given> => ({
    ...type,
    ...facts,
    ...given,
    description,
  });
}

/** Returns a function that makes entries whose value is one of these texts. */
export function choice<const Value extends string>(...values: readonly Value[]) {
  const quoted = values.map((value) => `"${value}"`);
  const expected = `${quoted.slice(0, -1).join(', ')} or ${quoted.at(-1)}`;
  return entriesOf({ type: 'string', enum: values }, { expected });
}

/** Returns a function that makes entries whose value is a list of such items. */
export function list<const Items extends Schema>(items: Items) {
  return entriesOf({ type: 'array', items });
}

/** A table that holds these keys and no others. */
export function table<const Properties extends Readonly<Record<string, Schema>>>(properties: Properties) {
  return { type: 'object', properties } as const;
}

type IfUnset<Entry> = Entry extends { default: unknown } ? never : Entry extends { unset: string } ? undefined : never;
type NameOf<Key extends PropertyKey, Entry> = Entry extends { unit: 'ms' } ? `${Key & string}Ms` : Key;

/** The values of a table with these entries, with defaults and in their units; the name of a duration ends in `Ms`. */
export type TableOf<Properties> = {
  readonly [Key in keyof Properties as NameOf<Key, Properties[Key]>]:
    | ValueOf<Properties[Key]>
    | IfUnset<Properties[Key]>;
};

type ValueOf<Schema> = Schema extends { unit: Unit }
  ? number
  : Schema extends { enum: readonly (infer Value)[] }
    ? Value
    : Schema extends { items: infer Items }
      ? readonly ValueOf<Items>[]
      : Schema extends { properties: infer Properties }
        ? TableOf<Properties>
        : Schema extends { type: keyof Primitives }
          ? Primitives[Schema['type']]
          : never;

interface Primitives {
  readonly string: string;
  readonly integer: number;
  readonly boolean: boolean;
}
