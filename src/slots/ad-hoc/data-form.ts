/*
 * Data forms (XEP-0004): what a client shows, and what it sends back.
 */
import type { Element } from 'ltx';
import { printable } from '../../printable.js';
import { xml } from '../stanza.js';

/** The namespace of data forms. */
export const formNs = 'jabber:x:data';

/** A field that a client fills in. */
export interface FormField {
  readonly name: string;
  readonly type: 'boolean' | 'jid-single' | 'list-single';
  readonly label: string;
  readonly value?: string;
  readonly options?: readonly { readonly label: string; readonly value: string }[];
}

/** Text that a client shows above the fields. */
export interface FormTexts {
  readonly title: string;
  readonly instructions: string;
}

/** The values that a client has sent, by the names of the fields. */
export type FormValues = ReadonlyMap<string, string>;

/** Text for an XML stream, which cannot hold these two characters (XML 1.0 §2.2), and for people. */
function shown(text: string): string {
  return printable(text).replace(/[\ufffe\uffff]/g, '\ufffd');
}

function valueElement(text: string): Element {
  return xml('value', {}, shown(text));
}

function form(type: 'form' | 'result', { title, instructions }: FormTexts, ...children: readonly Element[]): Element {
  return xml(
    'x',
    { xmlns: formNs, type },
    xml('title', {}, title),
    xml('instructions', {}, shown(instructions)),
    ...children,
  );
}

function formField({ name, type, label, value, options = [] }: FormField): Element {
  return xml(
    'field',
    { var: name, type, label },
    xml('required', {}),
    value === undefined ? undefined : valueElement(value),
    ...options.map((option) => xml('option', { label: shown(option.label) }, xml('value', {}, option.value))),
  );
}

/** A form with lines to read and fields to fill in. Each line is a field of its own: some clients show one value only. */
export function fillableForm(texts: FormTexts, lines: readonly string[], fields: readonly FormField[] = []): Element {
  return form(
    'form',
    texts,
    ...lines.map((line) => xml('field', { type: 'fixed' }, valueElement(line))),
    ...fields.map(formField),
  );
}

/** A result as a table: `columns` are names with their labels, and each row has a text for each of them. */
export function tableForm<Name extends string>(
  texts: FormTexts,
  columns: Readonly<Record<Name, string>>,
  rows: readonly Readonly<Record<Name, string>>[],
): Element {
  const names = Object.entries<string>(columns);
  return form(
    'result',
    texts,
    xml('reported', {}, ...names.map(([name, label]) => xml('field', { var: name, label, type: 'text-single' }))),
    ...rows.map((row) =>
      xml(
        'item',
        {},
        ...Object.entries<string>(row).map(([name, text]) => xml('field', { var: name }, valueElement(text))),
      ),
    ),
  );
}

/** A result as a list of paragraphs with labels. Those without lines are left out. */
export function listForm(texts: FormTexts, paragraphs: Readonly<Record<string, readonly string[]>>): Element {
  const filled = Object.entries(paragraphs).filter(([, lines]) => lines.length > 0);
  const fields = filled.map(([label, lines], index) =>
    xml('field', { var: `field${index}`, type: 'text-multi', label }, ...lines.map(valueElement)),
  );
  return form('result', texts, ...fields);
}

/**
 * The values of the form in a command; empty if it has no form. Of several values of a field, the first one counts. A form of
 * type "cancel" is read as a submitted one (XEP-0050 §3.4.1). `undefined` if it is a form of another type.
 */
export function submittedValues(command: Element): FormValues | undefined {
  const submitted = command.getChild('x', formNs);
  if (submitted === undefined) return new Map();
  if (!['submit', 'cancel'].includes(submitted.attrs['type'] ?? '')) return undefined;
  const fields = submitted.getChildren('field');
  return new Map(fields.map((field) => [field.attrs['var'] ?? '', field.getChildText('value') ?? '']));
}
