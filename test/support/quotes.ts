/** What pages quote of a program's output, in a form that does not depend on times, numbers and chance. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..', '..');

export interface Block {
  /** '' for what a program prints, `bash` for commands, `console` for both. */
  readonly language: string;
  readonly text: string;
}

/**
 * The text of a section without its subsections.
 *
 * @param heading how it begins; default: the whole page
 */
export function sectionOf(page: string, heading?: string): string {
  const text = readFileSync(join(root, page), 'utf8');
  if (heading === undefined) return text;
  const sections = text.split(/^(?=#+ )/m);
  const section = sections.find((it) => it.replace(/^#+ /, '').startsWith(heading));
  if (section === undefined) throw new Error(`${page} has no section "${heading}"`);
  return section;
}

/**
 * The code blocks of a page, in their order.
 *
 * @param heading of the section that they are in; default: the whole page
 */
export function blocksOf(page: string, heading?: string): Block[] {
  const section = sectionOf(page, heading);
  return [...section.matchAll(/^```(\w*)\n(.*?)^```/gms)].map(([, language, block]) => ({
    language: language!,
    text: block!,
  }));
}

/** The lines of a block of output without the commands; a line that a page has broken is whole again. */
export function linesOf(text: string): string[] {
  return text
    .replaceAll(/\n(?!mondo: )(?=[a-z])/g, ' ')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('$ ') && !/^\s*…$/.test(line));
}

const ZEN = /\b(Explicit|Simple|Beautiful)(?= is better)|\b(Implicit|Complex|Ugly)(?=\.)/g;

/** Times, process numbers, ports and other numbers as N, the Zen's words as Q and A. */
export const normalized = (line: string): string =>
  line
    .replaceAll(ZEN, (_, question) => (question === undefined ? 'A' : 'Q'))
    .replace(/^\[[\d:.]+\]/, '[T]')
    .replaceAll(/\d+(?:[.,]\d+)*/g, 'N')
    .replaceAll(/\bN (?:ms|s)\b/g, 'N s')
    .replaceAll(/\s+/g, ' ')
    .trim();
