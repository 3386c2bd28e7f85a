/** The text of lines, and short names of the files that they stand in. */
import { readFileSync } from 'node:fs';
import { basename, join, relative } from 'node:path';

/** A checkout, or the package. */
const home = join(import.meta.dirname, '..', '..', '..');
const texts = new Map<string, readonly string[]>();

/** A line with its indentation, or nothing where the file is not there any more. */
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

/** As one would open it: from Mondo's own folder, or from where one is. */
export function shortPath(path: string): string {
  const own = relative(home, path);
  const isOwn = !own.startsWith('..') && path.startsWith(join(home, '/'));
  return isOwn ? own : relative(process.cwd(), path);
}
