/** Text that comes from outside, made fit to be shown: in one line, of which a terminal obeys nothing, and not too long. */

/** Control characters, C1 too; what some take for the end of a line; what has others appear in another order. */
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const escaped = (character: string): string => {
  if (character === '\n') return '\\n';
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
};

/** The text with escapes, such as `\x1b`, for what a terminal would obey. */
export const printable = (text: string): string => text.replaceAll(OBEYED, escaped);

/** JSON that is in one line, which lets some of it through, with escapes for that too: it says the same. */
export const printableJson = (json: string): string =>
  json.replaceAll(
    OBEYED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The same in quotes, in the form of JSON. */
export const quoted = (text: string): string => printableJson(JSON.stringify(text));

/** A text in full, or its first `most` characters and how many more there were. */
export function shortened(text: string, most: number): string {
  const more = text.length - most;
  return more <= 0 ? text : `${text.slice(0, most)} … and ${more.toLocaleString('en')} more`;
}
