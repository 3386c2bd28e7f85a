/**
 * HTML and SVG as values. Text becomes markup only through the `html` template, which escapes it.
 */

/** Text that is already HTML or SVG. Only `html` and `trusted` make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** For other templates, and for writing to a file. */
  toString(): string {
    return this.text;
  }
}

/**
 * What a template may contain: markup unchanged, text and numbers escaped, the parts of a list in
 * order, and nothing for `undefined`.
 */
export type Part = string | number | Markup | undefined | readonly Part[];

/** `html`<p>${text}</p>`` escapes each inserted value that is not markup. It also makes SVG. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Markup =>
  new Markup(strings.map((literal, i) => literal + textOf(parts[i])).join(''));

/** Takes text as markup without escaping, for output of a library and for styles. */
export const trusted = (text: string): Markup => new Markup(text);

/** Joins parts, with `between` between them. */
export const joined = (parts: readonly Part[], between = ''): Markup =>
  new Markup(parts.map(textOf).join(between));

function textOf(part: Part): string {
  if (part === undefined) return '';
  if (part instanceof Markup) return part.text;
  if (typeof part === 'object') return part.map(textOf).join('');
  return escaped(String(part));
}

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Escapes text for HTML and SVG, in elements and in quoted attributes. */
const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    // XML cannot contain control characters other than tab and line ends.
    .replace(/(?![\t\n\r])\p{Cc}/gu, '·');
