/**
 * The layering rule as a program: imports only go down, and never in a circle.
 * Run by `npm run check`; prints every import that breaks the rule and exits 1.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const source = join(import.meta.dirname, '..', 'src');

/** From the lowest to the highest layer. Folders in one row do not import each other. */
const layers: readonly (readonly string[])[] = [
  // The code that the command runs before it loads anything else. It imports nothing of Mondo's.
  ['../bin'],
  ['protocol', 'limits', 'os'],
  ['lifecycle'],
  ['worker'],
  ['drivers'],
  ['architectures'],
  ['host'],
  ['instruments/client', 'instruments/report'],
  ['instruments/load'],
  ['instruments/siege', 'instruments/compare', 'instruments/trace'],
  ['instruments/lab'],
  ['cli'],
];

/** Files of the lab that its processes and its page share: they know neither Node nor the DOM. */
const shared = join(source, 'instruments', 'lab', 'shared', '/');
/** A page of the lab imports its own files, these, the template for markup, and what its bundle then contains. */
const page = join(source, 'instruments', 'lab', 'page', '/');
const report = join(source, 'instruments', 'report', '/');
const bundled = /^(?:preact|@preact\/signals|uplot|gifenc)(?:\/|$)/;
/** As pure are the template for markup, the format that Perfetto opens, and two tables of the scoreboard. */
const pure = new Set([
  ...['markup.ts', 'trace-event.ts'].map((name) => join(report, name)),
  ...['reasons.ts', 'states.ts'].map((name) => join(source, 'worker', name)),
]);
const isPure = (file: string) => file.startsWith(shared) || pure.has(file);
/** What these files would have in scope without an import. */
const ambient = /\b(?:process|Buffer|document|window|globalThis|require)\b\s*[.([]/;

/** The folder of `src/` that a file belongs to; each instrument is a folder of its own. */
function layerOf(file: string): string {
  const [first, second] = relative(source, file).split('/');
  return first === 'instruments' || first === '..' ? `${first}/${second}` : first!;
}
const heightOf = (folder: string) => layers.findIndex((row) => row.includes(folder));

const files = readdirSync(source, { recursive: true, encoding: 'utf8' })
  .filter((name) => /\.tsx?$/.test(name) && !/\.test\.tsx?$/.test(name))
  .map((name) => join(source, name));

const importsOf = new Map<string, string[]>();
const faults: string[] = [];

for (const file of files) {
  const text = readFileSync(file, 'utf8');
  const targets = [...text.matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g)].map((match) =>
    resolve(dirname(file), match[1]!),
  );
  importsOf.set(file, targets);
  if (file.startsWith(page)) {
    for (const target of targets) {
      if (!target.startsWith(page) && !isPure(target)) {
        faults.push(
          `${relative(source, file)} imports ${relative(source, target)}, which a browser cannot load`,
        );
      }
    }
    for (const [, name = ''] of text.matchAll(/(?:from|import)\s*\(?\s*'([^.'][^']*)'/g)) {
      if (!bundled.test(name)) {
        faults.push(`${relative(source, file)} imports '${name}', which no bundle of a page has`);
      }
    }
    const word = /\b(?:process|Buffer|require)\b\s*[.([]/.exec(text)?.[0];
    if (word !== undefined) {
      faults.push(`${relative(source, file)} uses '${word}', which a browser does not have`);
    }
  }
  if (isPure(file)) {
    const outside = [...text.matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)]
      .map((match) => match[1]!)
      .filter((name) => !isPure(resolve(dirname(file), name)));
    const word = ambient.exec(text)?.[0];
    for (const name of word === undefined ? outside : [...outside, word]) {
      faults.push(
        `${relative(source, file)} uses '${name}': the page loads it, so no Node and no DOM`,
      );
    }
  }
  const folder = layerOf(file);
  // src/index.ts is the public entry, and may import from any layer.
  if (folder.endsWith('.ts')) continue;
  if (heightOf(folder) < 0)
    faults.push(`src/${folder} is in no layer: add it to ${import.meta.filename}`);
  for (const target of targets) {
    const below = layerOf(target);
    if (below === folder) continue;
    if (heightOf(below) < 0 || heightOf(below) >= heightOf(folder)) {
      faults.push(
        `${relative(source, file)} imports ${relative(source, target)}: '${below}' is not below '${folder}'`,
      );
    }
  }
}

const state = new Map<string, 'open' | 'done'>();
function visit(file: string, path: string[]): void {
  if (state.get(file) === 'done') return;
  if (state.get(file) === 'open') {
    const circle = [...path.slice(path.indexOf(file)), file].map((name) => relative(source, name));
    faults.push(`imports go in a circle: ${circle.join(' -> ')}`);
    return;
  }
  state.set(file, 'open');
  for (const target of importsOf.get(file) ?? []) visit(target, [...path, file]);
  state.set(file, 'done');
}
for (const file of files) visit(file, []);

for (const fault of faults) console.error(fault);
if (faults.length > 0) process.exit(1);
