/**
 * Checks comments, strings and documents for phrases that a reader must decode. CONTRIBUTING.md has the rules. Run by
 * `npm run check`: prints each phrase with its file, its line and what to write instead, and exits with 1.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

interface Phrase {
  /** A regular expression. A space in it also matches a line break inside a comment or a quotation. */
  readonly pattern: string;
  readonly instead: string;
  /** Phrases that the pattern finds, for the test. */
  readonly examples: readonly string[];
}

const phrase = (pattern: string, instead: string, ...examples: string[]): Phrase => ({
  pattern,
  instead,
  examples: examples.length > 0 ? examples : pattern.split('|'),
});

export const phrases: readonly Phrase[] = [
  // No actor: the reader must find out which part of the program is meant.
  phrase('whoever|whichever', 'name the actor: each client, any thread, the process that …'),
  phrase('whom', 'name the actor, or use the active voice'),
  phrase('those who', 'name the actor: the clients that …'),
  phrase('nobody|no one', 'name the actor: no client, no thread; or use the active voice'),
  phrase('somebody', 'name the actor: a client, another process'),
  phrase('everybody|everyone|anybody', 'name the actor: all clients, any process'),
  // Passives that hide who acts, and what happens.
  phrase('told of|tells? of', 'report, log', 'told of', 'tell of', 'tells of'),
  phrase(
    '(?:is|are|was|were|be) told(?! apart| from)',
    'learns, gets the order, is reported',
    'is told',
    'be told',
  ),
  phrase('(?:is|are|was|were) to be', 'must be, will be', 'is to be', 'are to be', 'was to be'),
  phrase('is asked for', 'requests; or name the actor'),
  phrase(
    'turn(?:s|ed)? away',
    'refuse, refuses, refused',
    'turn away',
    'turns away',
    'turned away',
  ),
  // Roundabout words for a term of the trade.
  phrase('so many', 'N; the number of'),
  phrase('in all', 'in total; in every'),
  phrase('by lot', 'at random'),
  phrase('for good', 'permanently; until it ends'),
  phrase('for want of', 'because there is no …'),
  phrase('all the same', 'still; nevertheless'),
  // A time or a cause that the reader must guess.
  phrase('meanwhile', 'while …; during …'),
  phrase('by then', 'before …; when …'),
  phrase('from then on', 'after …'),
  phrase('as it (?:leaves|left)', 'while the worker leaves', 'as it leaves', 'as it left'),
  phrase('in the end', 'at the end of …; finally'),
  phrase('as ever', 'as usual'),
  phrase('on and on', 'without a pause; again and again'),
];

/** Lines that may contain a phrase. A line that matches none any more should go. */
const allowed: readonly { readonly file: RegExp; readonly text: RegExp; readonly why: string }[] = [
  { file: /./, text: /user nobody|["'`]nobody["'`]|such as nobody/, why: 'the user of the system' },
  { file: /\.test\.ts$/, text: /\bNOBODY\b/, why: 'the number of that user' },
  { file: /^tools\/check-prose(?:\.test)?\.ts$/, text: /./, why: 'the list of the phrases' },
];

/** Folders and files that are not checked yet. */
const pending: readonly string[] = [];

export interface Fault {
  readonly line: number;
  readonly phrase: string;
  readonly instead: string;
}

/** A line break, and what begins the next line of a comment or a quotation. */
const GAP = String.raw`(?:[ \t]+|[ \t]*\n[ \t]*(?:\*|\/\/|>|#)?[ \t]*)`;
const patterns = phrases.map(({ pattern, instead }) => ({
  pattern: new RegExp(`\\b(?:${pattern.replaceAll(' ', GAP)})\\b`, 'gi'),
  instead,
}));

/** The phrases in a text, in the order of its lines. */
export function faultsIn(file: string, text: string): Fault[] {
  const lines = text.split('\n');
  const faults: Fault[] = [];
  for (const { pattern, instead } of patterns) {
    for (const match of text.matchAll(pattern)) {
      const line = text.slice(0, match.index).split('\n').length;
      if (allowed.some((rule) => rule.file.test(file) && rule.text.test(lines[line - 1]!)))
        continue;
      faults.push({ line, phrase: match[0].replaceAll(/\s*\n[\s*/>#]*/g, ' '), instead });
    }
  }
  return faults.toSorted((one, other) => one.line - other.line);
}

function main(): void {
  const files = execFileSync(
    'git',
    [
      'ls-files',
      '*.ts',
      '*.tsx',
      '*.js',
      '*.mjs',
      '*.cjs',
      '*.md',
      '*.c',
      '*.h',
      '*.py',
      'bin',
      '.ci',
    ],
    {
      cwd: root,
      encoding: 'utf8',
    },
  );
  let count = 0;
  for (const file of files.trim().split('\n')) {
    if (pending.some((start) => file.startsWith(start))) continue;
    for (const { line, phrase, instead } of faultsIn(
      file,
      readFileSync(join(root, file), 'utf8'),
    )) {
      console.error(`${file}:${line}: "${phrase}": write instead: ${instead}`);
      count++;
    }
  }
  if (count > 0) process.exit(1);
}

if (import.meta.main) main();
