/** Makes text from outside fit to show: on one line, without characters that a terminal obeys, and not too long. */

/** Control characters (also C1), line ends of some programs, and characters that change the order of others. */
const OBEYED = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

const escaped = (character: string): string => {
  if (character === '\n') return '\\n';
  const code = character.charCodeAt(0).toString(16);
  return code.length > 2 ? `\\u${code.padStart(4, '0')}` : `\\x${code.padStart(2, '0')}`;
};

/** The text with escapes, such as `\x1b`, for characters that a terminal would obey. */
export const printable = (text: string): string => text.replaceAll(OBEYED, escaped);

/** JSON on one line, with escapes for the obeyed characters that JSON allows. Its value is the same. */
export const printableJson = (json: string): string =>
  json.replaceAll(
    OBEYED,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

/** The text in quotes, in the form of JSON. */
export const quoted = (text: string): string => printableJson(JSON.stringify(text));

/** A whole number in groups, as `1,234,567`. `toLocaleString` loads tables first, for 15 ms of processor time. */
export const grouped = (count: number): string => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

/** A text in full, or its first `most` characters and how many more there were. */
export function shortened(text: string, most: number): string {
  const more = text.length - most;
  return more <= 0 ? text : `${text.slice(0, most)} … and ${grouped(more)} more`;
}
