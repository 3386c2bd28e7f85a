/** The command that is running, as a reader would type it. */
import { basename } from 'node:path';

/** A word that a shell takes as it is. */
const PLAIN = /^[\w@%+=:,./-]+$/;

/**
 * @param argv as in `process.argv`
 * @returns such as `npx mondo compare single poll --quick`; undefined in another program than `mondo`
 */
export function commandLine(argv: readonly string[] = process.argv): string | undefined {
  if (!['mondo', 'start.js'].includes(basename(argv[1] ?? ''))) return undefined;
  const quoted = (word: string) => (PLAIN.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);
  return ['npx mondo', ...argv.slice(2).map(quoted)].join(' ');
}
