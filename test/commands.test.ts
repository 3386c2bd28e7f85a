/** Each command that a page quotes is one that the program understands: its options, their values, its architecture. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Command } from 'commander';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { isArchitectureName, loadArchitecture } from '../src/architectures/catalogue.ts';
import { type CommandOptions, serveOptionsOf } from '../src/cli/serve-options.ts';
import { planOf } from '../src/host/plan.ts';
import { loadProgram } from './support/program.ts';
import { wordsOf } from './support/shell-words.ts';

const root = join(import.meta.dirname, '..');
const pages = [
  'README.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => join('docs', name)),
];

/** What follows `npx mondo` in a page: in its code blocks, and in code inside a sentence. */
function commandsIn(page: string): string[] {
  const text = readFileSync(join(root, page), 'utf8');
  // An indented line is what a program prints.
  const shown = [...text.matchAll(/^```\w*\n(.*?)^```/gms)].flatMap(([, block]) =>
    block!.split('\n').filter((line) => !line.startsWith(' ')),
  );
  const prose = text.replaceAll(/^```.*?^```/gms, '');
  const inline = [...prose.matchAll(/`(npx mondo [^`]+)`/g)].map(([, code]) =>
    code!.replaceAll('\n', ' '),
  );
  return [...shown, ...inline].flatMap((line) => {
    const [, words] = /\bnpx mondo (.*)/.exec(line) ?? [];
    return words === undefined ? [] : [words];
  });
}

interface Parsed {
  readonly name: string;
  readonly operands: readonly unknown[];
  readonly options: Record<string, unknown>;
}

let program: Command;
let parsed: Parsed | undefined;

/** Puts a note of what was parsed in the place of what a command does. */
function onlyNote(command: Command): void {
  for (const each of command.commands) onlyNote(each);
  command.action((...given: unknown[]) => {
    const options = given.at(-2) as Record<string, unknown>;
    parsed = { name: command.name(), operands: given.slice(0, -2).flat(), options };
  });
}

beforeAll(async () => {
  program = await loadProgram();
  onlyNote(program);
});

async function parse(words: readonly string[]): Promise<Parsed> {
  parsed = undefined;
  await program.parseAsync(words, { from: 'user' });
  return parsed!;
}

/** What the supervisor would refuse, such as threads for `single`. */
async function checkServe({ operands: [name], options }: Parsed): Promise<void> {
  if (name === undefined) return;
  if (!isArchitectureName(String(name))) throw new Error(`There is no architecture ${name}`);
  const { log: _, ...rest } = options;
  const given = serveOptionsOf(rest as unknown as CommandOptions);
  planOf(await loadArchitecture(String(name) as 'single'), given);
}

describe.each(pages)('%s', (page) => {
  it('quotes commands that the program understands', async () => {
    const faults: string[] = [];
    for (const command of commandsIn(page)) {
      const words = wordsOf(command);
      // A word in capitals stands for one of yours; help ends the program.
      if (words.some((word) => /^[A-Z]+$/.test(word) || word === '--help')) continue;
      try {
        const found = await parse(words);
        if (found.name === 'serve') await checkServe(found);
        if (['trace', 'siege', 'compare'].includes(found.name)) {
          // The second operand of trace is a host.
          const named = found.name === 'trace' ? found.operands.slice(0, 1) : found.operands;
          const unknown = named.filter(
            (name) => name !== undefined && !isArchitectureName(String(name)),
          );
          if (unknown.length > 0) faults.push(`${command}: there is no ${unknown.join(', ')}`);
        }
      } catch (error) {
        faults.push(`${command}: ${(error as Error).message}`);
      }
    }
    expect(faults).toEqual([]);
  });
});

it('finds the commands of the exercises', () => {
  expect(commandsIn('docs/practice.md').length).toBeGreaterThan(40);
  expect(commandsIn('docs/architectures/single.md')).toContain('serve single    # terminal 1');
});

it.each([
  ['serve poll --thik 5', "unknown option '--thik'"],
  ['serve single --threads 2', 'Cannot serve single with 2 threads'],
  ['serve poll --think-how later', 'is invalid'],
])('refuses %s', async (command, says) => {
  const silent = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await expect(parse(wordsOf(command)).then(checkServe)).rejects.toThrow(says);
  silent.mockRestore();
});
