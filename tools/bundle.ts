/**
 * Bundles the files that processes start with into `dist/bundled/`, beside the modules that tsc has written into
 * `dist/`. Each further module costs a start 0.3 ms, and `import … from 'node:util'` up to 4 ms: Node prepares
 * every export of that module, also those that load streams. `process.getBuiltinModule` does not.
 *
 * It also makes the script and the style of the lab's page.
 *
 * The `import.meta` of a bundled module is that of its file in `dist/`, so paths relative to it are right. Only the
 * modules of `host/worker` find each other in the bundle.
 */
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { type Plugin, rolldown } from 'rolldown';
import { builtMissions, builtScript, builtStyle } from '../src/instruments/lab/hub/page-build.ts';

const root = join(import.meta.dirname, '..');
const source = join(root, 'src');
/** `node tools/bundle.ts [FOLDER]`: where tsc has written the modules; `dist` by default. */
const dist = resolve(root, process.argv[2] ?? 'dist');
const output = join(dist, 'bundled');

const sourceOf = (name: string): [string, string] => [basename(name), join(source, `${name}.ts`)];

/** `import { a as b } from 'node:fs'`, or an import of its default export, as a bundle writes it. */
const BUILTIN = /^import (?:\{([^}]*)\}|(\w+)) from ["'](node:[^"']+)["'];$/gm;

const builtins: Plugin = {
  name: 'builtins',
  renderChunk: (code) =>
    code.replace(BUILTIN, (_, names: string | undefined, whole: string, id: string) => {
      const wanted = names === undefined ? whole : `{${names.replaceAll(' as ', ': ')}}`;
      return `const ${wanted} = process.getBuiltinModule('${id}');`;
    }),
};

/**
 * If a file has one character beyond Latin-1, V8 keeps two bytes for each. Without comments only strings have some.
 */
const plain: Plugin = {
  name: 'plain',
  renderChunk: (code) =>
    code.replace(
      /[^\0-\x7f]/g,
      (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
    ),
};

/** Reading `performance` loads eleven modules of Node's, which costs a start 1 ms. process.hrtime loads none. */
const CLOCK = join(source, 'os', 'bundled-clock.ts');
const clock: Plugin = {
  name: 'clock',
  resolveId: (id) => (id === CLOCK ? id : undefined),
  load: (id) =>
    id === CLOCK
      ? 'export function now(): number { const [s, ns] = process.hrtime(); return s * 1e3 + ns / 1e6; }'
      : undefined,
  transform(code, id) {
    if (!id.startsWith(source) || !code.includes('performance.now()')) return undefined;
    const rest = code.replaceAll('performance.now()', 'monotonicNow()');
    return `import { now as monotonicNow } from ${JSON.stringify(CLOCK)};\n${rest}`;
  },
};

/** Modules that are in the same file as their importer need no file of their own. */
const atHand: Plugin = {
  name: 'at-hand',
  transform(code, id) {
    if (!/[\\/](architectures[\\/]catalogue|host[\\/]load-service)\.ts$/.test(id)) return undefined;
    const imports: string[] = [];
    const loading = /await import\('(\.(?!.*(?:callback|coroutine))[^']+)'\)/g;
    const rest = code.replace(loading, (_, path: string) => {
      const name = `atHand${imports.length}`;
      imports.push(`import * as ${name} from '${path}';`);
      return name;
    });
    return [...imports, rest].join('\n');
  },
};

const ownMeta: Plugin = {
  name: 'own-meta',
  transform(code, id) {
    if (!id.startsWith(source) || !code.includes('import.meta')) return undefined;
    const file = relative(source, id).replace(/\.ts$/, '.js');
    const path = dirname(file) === 'host/worker' ? `./${basename(file)}` : `../${file}`;
    const url = `new URL('${path}', import.meta.url)`;
    return code
      .replaceAll('import.meta.url', `${url}.href`)
      .replaceAll('import.meta.filename', `decodeURIComponent(${url}.pathname)`)
      .replaceAll('import.meta.dirname', `decodeURIComponent(new URL('.', ${url}).pathname)`);
  },
};

/** @param base modules that go into one file, even if only some of them are needed */
async function bundle(
  entries: readonly string[],
  base: RegExp,
  plugins: Plugin[] = [],
): Promise<void> {
  const made = await rolldown({
    input: Object.fromEntries(entries.map(sourceOf)),
    platform: 'node',
    external: (id) => !/^[./]/.test(id),
    plugins: [ownMeta, ...plugins, builtins, plain],
    checks: { sourcemapBroken: false, ineffectiveDynamicImport: false },
  });
  await made.write({
    dir: output,
    format: 'esm',
    entryFileNames: '[name].js',
    chunkFileNames: `${basename(entries[0]!)}-[name].js`,
    // Without comments, a third of the size. The rest stays readable in a stack trace.
    comments: false,
    minify: false,
    codeSplitting: { groups: [{ name: 'base', test: base }] },
  });
}

rmSync(output, { recursive: true, force: true });
// Modules that load more of Node are loaded only by those that need them.
await bundle(
  ['host/worker/worker', 'host/worker/thread', 'host/worker/answer-thread'],
  /src\/(protocol|limits|lifecycle|worker|host(?!\/worker\/(worker|thread|answer-thread)\.)|os|drivers(?!\/node)|architectures(?!\/(callback|coroutine)))[./]/,
  [atHand, clock],
);
await bundle(
  ['cli/main', 'index'],
  /src\/(protocol|limits|lifecycle|worker|host(?!\/(in-process|metrics|admin\/(http|status|agent|listener)|worker\/(context|answer-|standard)))|os(?!\/(uring|epoll|select)))[./]|src\/architectures\/catalogue/,
);

const page = join(dist, 'instruments', 'lab', 'page');
mkdirSync(page, { recursive: true });
writeFileSync(join(page, 'page.js'), await builtScript());
writeFileSync(join(page, 'missions.js'), await builtMissions());
writeFileSync(join(page, 'page.css'), builtStyle());
