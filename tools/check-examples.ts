/**
 * Compiles the `@example` of each public type and function: what a reader copies must be right. Run by
 * `npm run check`: prints the errors of the compiler, and the names without an example or missing in
 * docs/stability.md, and exits with 1.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = join(import.meta.dirname, '..');
const entry = join(root, 'src', 'index.ts');

/** A public name with the comment before its declaration. */
export interface Documented {
  readonly name: string;
  /** The source of its examples; empty if it has none. */
  readonly examples: readonly string[];
}

/** `export { a, type B } from './c.ts'` or `export type * from './c.ts'`. */
const REEXPORT = /^export (?:type )?(?:\*|\{([^}]*)\}) from '(\.[^']+)';$/gm;
const DECLARATION =
  /(\/\*\*(?:[^*]|\*(?!\/))*\*\/\n)?^export (?:async )?(?:interface|type|class|function|const) (\w+)/gm;
const TYPE = /(?:^|\n)export (?:interface|type|class) \w+$/;

/** The exported declarations of a module. @param onlyTypes leaves out functions and constants */
export function declarationsIn(text: string, onlyTypes = false): Documented[] {
  return [...text.matchAll(DECLARATION)]
    .filter(([whole]) => !onlyTypes || TYPE.test(whole))
    .map(([, comment = '', name]) => ({ name: name!, examples: examplesIn(comment) }));
}

function examplesIn(comment: string): string[] {
  const text = comment.replaceAll(/^ \*(?: |$)/gm, '');
  return [...text.matchAll(/^@example\n```ts\n(.*?)^```$/gms)].map(([, code]) => code!);
}

/** What the package's entry exports. @param read returns the text of a module */
export function publicNames(
  index: string,
  read: (module: string) => string,
): readonly Documented[] {
  return [...index.matchAll(REEXPORT)].flatMap(([, list, module]) => {
    if (list === undefined) return declarationsIn(read(module!), true);
    const found = new Map(declarationsIn(read(module!)).map((one) => [one.name, one]));
    const names = list.split(',').map((name) => name.replace(/^\s*(?:type )?|\s+$/g, ''));
    return names
      .filter((name) => name !== '')
      .map((name) => found.get(name) ?? { name, examples: [] });
  });
}

/** The names of which docs/stability.md does not say whether they are stable. */
export const unlisted = (documented: readonly Documented[], page: string): string[] =>
  documented.map(({ name }) => name).filter((name) => !page.includes(`\`${name}\``));

/**
 * Compiles each example as a module of its own, which imports `mondo`.
 *
 * @returns the compiler's output, with names such as `Peer-1.ts`; empty if there is no error
 */
export function compile(documented: readonly Documented[]): string {
  const cache = join(root, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'mondo-examples-'));
  try {
    for (const { name, examples } of documented) {
      for (const [i, code] of examples.entries()) {
        // Without an import or an export, a file is no module, and its names would be those of all files.
        writeFileSync(join(folder, `${name}-${i + 1}.ts`), `${code}\nexport {};\n`);
      }
    }
    const compilerOptions = { paths: { mondo: [entry] } };
    const project = { extends: join(root, 'tsconfig.json'), compilerOptions, include: ['*.ts'] };
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(project));
    const tsc = join(root, 'node_modules', '.bin', 'tsc');
    return spawnSync(tsc, ['-p', folder], { cwd: folder, encoding: 'utf8' }).stdout;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function main(): void {
  const read = (module: string) => readFileSync(join(dirname(entry), module), 'utf8');
  const names = publicNames(readFileSync(entry, 'utf8'), read);
  const without = names.filter(({ examples }) => examples.length === 0);
  for (const { name } of without) {
    console.error(`src/index.ts exports ${name}: give its comment an @example`);
  }
  const missing = unlisted(names, readFileSync(join(root, 'docs', 'stability.md'), 'utf8'));
  for (const name of missing) {
    console.error(`src/index.ts exports ${name}: say in docs/stability.md whether it is stable`);
  }
  const errors = compile(names);
  if (errors !== '') console.error(errors);
  if (without.length + missing.length > 0 || errors !== '') process.exit(1);
}

if (import.meta.main) main();
