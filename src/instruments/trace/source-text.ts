/** The text of source lines, and short names of their files. */
import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/** The root of the checkout or of the package. */
const home = join(import.meta.dirname, '..', '..', '..');
const texts = new Map<string, readonly string[]>();

/** Returns a line with its indentation, or '' if the file no longer exists. */
export function sourceLine(path: string, line: number): string {
  let text = texts.get(path);
  if (text === undefined) {
    text = read(path);
    texts.set(path, text);
  }
  return text[line - 1] ?? '';
}

function read(path: string): readonly string[] {
  try {
    return readFileSync(path, 'utf8').split('\n');
  } catch {
    return [];
  }
}

export const fileName = (path: string): string => basename(path);

/** The path relative to Mondo's root, or for other files to the current folder. */
export function shortPath(path: string): string {
  const own = relative(home, path);
  const isOwn = !own.startsWith('..') && path.startsWith(join(home, '/'));
  return isOwn ? own : relative(process.cwd(), path);
}
