/** HTML and SVG as values: text becomes markup only through the `html` template, which escapes it. */

/** Text that is already HTML or SVG. Only `html` and `trusted` make it. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** For a template that is not `html`, and for writing to a file. */
  toString(): string {
    return this.text;
  }
}

/** What may stand in a template: markup as it is, text and numbers escaped, lists one after the other, nothing for `undefined`. */
export type Part = string | number | Markup | undefined | readonly Part[];

/** `html`<p>${text}</p>`` escapes what is inserted, unless it is markup itself. For SVG as well. */
export const html = (strings: TemplateStringsArray, ...parts: readonly Part[]): Markup =>
  new Markup(strings.map((literal, i) => literal + textOf(parts[i])).join(''));

/** Takes text as markup without escaping it: for what a library drew, and for styles. */
export const trusted = (text: string): Markup => new Markup(text);

/** Parts one after the other, with `between` between them. */
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

/** Text as HTML and SVG write it, in elements and in quoted attributes. */
const escaped = (text: string): string =>
  text
    .replace(/[&<>"']/g, (character) => ENTITIES[character]!)
    // XML has no way to write control characters other than tab and line ends.
    .replace(/(?![\t\n\r])\p{Cc}/gu, '·');
