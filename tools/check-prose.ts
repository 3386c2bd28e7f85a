/**
 * Checks comments, strings and documents for phrases that a reader must decode. CONTRIBUTING.md has the rules. Run by
 * `npm run check`: prints each phrase with its file, its line and what to write instead, and exits with 1.
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const root = join(import.meta.dirname, '..');

/** A phrase, as a regular expression in which a space also matches a line break inside a comment, and its remedy. */
const phrases: readonly (readonly [pattern: string, instead: string])[] = [
  // No actor: the reader must find out which part of the program is meant.
  ['whoever|whichever', 'name the actor: each client, any thread, the process that …'],
  ['whom', 'name the actor, or use the active voice'],
  ['those who', 'name the actor: the clients that …'],
  ['nobody|no one', 'name the actor: no client, no thread; or use the active voice'],
  ['somebody|someone', 'name the actor: a client, another process'],
  ['everybody|everyone|anybody|anyone', 'name the actor: all clients, any process'],
  // Passives that hide who acts, and what happens.
  ['told of|tells? of', 'report, log'],
  ['(?:is|are|was|were|be) told', 'learns, gets the order, is reported'],
  ['(?:is|are|was|were) to be', 'must be, will be'],
  ['is asked for', 'requests, or name the actor'],
  ['turn(?:s|ed)? away', 'refuse, refuses, refused'],
  // Roundabout words for a term of the trade.
  ['so many', 'N, or the number'],
  ['in all', 'in total, in every'],
  ['by lot', 'at random'],
  ['for good', 'permanently, until it ends'],
  ['for want of', 'because there is no …'],
  ['all the same', 'still, nevertheless'],
  // A time or a cause that the reader must guess.
  ['meanwhile', 'while …, during …'],
  ['by then', 'before …, when …'],
  ['from then on', 'after …'],
  ['as it (?:leaves|left)', 'while the worker leaves'],
  ['in the end', 'at the end of …, finally'],
  ['as ever', 'as usual'],
  ['on and on', 'without a pause, again and again'],
];

/** Lines that may contain a phrase. A line that matches none any more should go. */
const allowed: readonly { readonly file: RegExp; readonly text: RegExp; readonly why: string }[] = [
  {
    file: /./,
    text: /(?:--user|user|["'`]|such as|chown) ?nobody/i,
    why: "the system's user nobody",
  },
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
const patterns = phrases.map(
  ([pattern, instead]) =>
    [new RegExp(`\\b(?:${pattern.replaceAll(' ', GAP)})\\b`, 'gi'), instead] as const,
);

/** The phrases in a text, in the order of its lines. */
export function faultsIn(file: string, text: string): Fault[] {
  const lines = text.split('\n');
  const faults: Fault[] = [];
  for (const [pattern, instead] of patterns) {
    for (const match of text.matchAll(pattern)) {
      const line = text.slice(0, match.index).split('\n').length;
      if (allowed.some((rule) => rule.file.test(file) && rule.text.test(lines[line - 1]!)))
        continue;
      const phrase = match[0].replaceAll(/\s*\n[\s*/>#]*/g, ' ');
      faults.push({ line, phrase, instead });
    }
  }
  return faults.toSorted((one, other) => one.line - other.line);
}

function main(): void {
  const files = execFileSync('git', ['ls-files', '*.ts', '*.mjs', '*.cjs', '*.md', '*.c', '*.py'], {
    cwd: root,
    encoding: 'utf8',
  });
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
