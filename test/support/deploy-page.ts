/**
 * The blocks of docs/deploy.md, for tests that run them as they stand there. A test names its block with
 * `documented('…')`. deploy-page.test.ts finds these names, and fails if a block is in no test.
 */
import { dirname } from 'node:path';
import { mondo, Process } from './processes.ts';
import { blocksOf } from './quotes.ts';

/** The comment after a command that no test runs. */
const NOT_RUN = /\s+# not run here$/;

const isRun = (line: string) => !NOT_RUN.test(line);

export const blocks = blocksOf('docs/deploy.md').map(({ text }) => text);

/** The commands of the page that no test runs. */
export const notRun = blocks
  .flatMap((text) => text.split('\n'))
  .filter((line) => !isRun(line))
  .map((line) => line.replace(NOT_RUN, ''));

/** True if the block has a command, or another line, that a test can take. */
export const hasMore = (text: string): boolean =>
  text.split('\n').some((line) => line !== '' && isRun(line));

/** One block, without the commands that no test runs. @param beginning of its text */
export function documented(beginning: string): string {
  const found = blocks.filter((text) => text.startsWith(beginning));
  if (found.length !== 1) {
    throw new Error(`docs/deploy.md has ${found.length} blocks that begin with "${beginning}"`);
  }
  return found[0]!.split('\n').filter(isRun).join('\n');
}

/** All that a test may replace: an IPv4 address or network, a port, the path of a folder or a file. */
const PLACE = /^(?:\d+(?:\.\d+){3}(?:\/\d+)?|\d{4}|\.?\/?[\w.-]+(?:\/[\w.-]+)+)$/;

/** A block with other addresses, ports and paths. @throws Error if it has none of one name, or if that is another thing */
export function placed(text: string, places: Readonly<Record<string, string | number>>): string {
  const names = Object.keys(places).toSorted((a, b) => b.length - a.length);
  for (const name of names) {
    if (!PLACE.test(name)) throw new Error(`"${name}" is no address, no port and no path`);
    if (!text.includes(name)) throw new Error(`There is no "${name}" in ${text}`);
  }
  const pattern = names.map((name) => name.replaceAll('.', '\\.')).join('|');
  return text.replaceAll(new RegExp(`(?<![\\w.])(?:${pattern})(?!\\w)`, 'g'), (name) =>
    String(places[name]),
  );
}

/**
 * The program and its arguments that execute commands of the page in a folder. `npx mondo` is the command as it is
 * built for the tests: npx itself would cost half a second.
 *
 * @param variables further variables; MONDO_PORT=0 makes a server take a free port
 */
export function wordsIn(
  folder: string,
  commands: string,
  variables: Readonly<Record<string, string>> = {},
): [program: string, ...args: string[]] {
  const given = Object.entries({
    ...variables,
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    TEST_NODE: process.execPath,
    TEST_MONDO: mondo,
  });
  const own = commands.replaceAll(/\bnpx mondo\b/g, '"$TEST_NODE" "$TEST_MONDO"');
  // A command alone becomes the process itself, so that it gets the signals.
  const script = own.trim().includes('\n') ? own : `exec ${own}`;
  return ['env', '-C', folder, ...given.map((pair) => pair.join('=')), 'bash', '-ec', script];
}

/** Starts commands of the page in a folder, as `wordsIn` has them. */
export function startIn(
  folder: string,
  commands: string,
  variables?: Readonly<Record<string, string>>,
): Process {
  const [program, ...args] = wordsIn(folder, commands, variables);
  return new Process(program, args);
}

/** Runs commands of the page in a folder, to their end. @throws Error with what they printed if one fails */
export async function runIn(
  folder: string,
  commands: string,
  variables?: Readonly<Record<string, string>>,
): Promise<string> {
  await using running = startIn(folder, commands, variables);
  const { code, stdout, stderr } = await running.ended();
  if (code !== 0) throw new Error(`${commands} ended with ${code}: ${stdout}${stderr}`);
  return stdout;
}
