import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { Plugin } from 'vite';
import { defaultExclude, defineConfig } from 'vitest/config';
import { built } from './test/support/built.ts';
import { FailuresLast } from './test/support/failures-last.ts';
import { LongestFirst } from './test/support/longest-first.ts';
import { MS, PATIENCE } from './test/support/until.ts';

const library = join(built, 'dist', 'bundled', 'index.js');
const STAND_IN = '\0built-library';

/**
 * What Node compiles in this run, and source without its types. Each file of tests has its own process, and many start
 * threads from the source: with this folder such a thread costs a fifth.
 */
process.env.NODE_COMPILE_CACHE ??= join(built, 'compiled');

/**
 * Tests outside `src` that import `src/index.ts` get the library as it is built; its modules are the source. `require`
 * loads it, because Vitest decodes the paths that it imports, and a folder's name may have a per cent sign.
 */
const useBuilt: Plugin = {
  name: 'use-built',
  enforce: 'pre',
  resolveId(source, importer = '') {
    const isTest = /\/(test|examples|bench)\//.test(importer.slice(import.meta.dirname.length));
    return isTest && /\/src\/index\.ts$/.test(source) ? STAND_IN : undefined;
  },
  load(id) {
    if (id !== STAND_IN) return undefined;
    const names = Object.keys(createRequire(library)(library) as object).join(', ');
    const path = JSON.stringify(library);
    return `import { createRequire } from 'node:module';
export const { ${names} } = createRequire(${path})(${path});`;
  },
};

/** They leave nothing in their process, so the next file may run in it. */
const tidy = 'test/{deploy,leaving,limits}/**/*.test.ts';

export default defineConfig({
  plugins: [useBuilt],
  test: {
    globalSetup: 'test/support/built.ts',
    env: { MONDO_TEST_BUILT: built },
    // Processes and not threads: tests look into /proc/self, and some block in system calls.
    pool: 'forks',
    // More than two cores' worth: many tests wait most of their time.
    maxWorkers: 6,
    sequence: { sequencer: LongestFirst },
    // Longer than the test's own patience, which says what it waited for.
    testTimeout: 2 * PATIENCE * MS,
    hookTimeout: 2 * PATIENCE * MS,
    expect: { poll: { timeout: PATIENCE * MS } },
    maxConcurrency: 8,
    // With CI=true a test that fails is made once more: the machine may be busy. The report names each such test.
    retry: process.env.CI === 'true' ? 1 : 0,
    reporters: process.env.CI === 'true' ? ['default', new FailuresLast()] : ['default'],
    projects: [
      {
        extends: true,
        test: {
          name: 'short',
          include: ['{test,examples,bench,tools}/**/*.test.ts'],
          exclude: [...defaultExclude, 'test/long/**', tidy],
        },
      },
      {
        extends: true,
        test: {
          name: 'tidy',
          include: [tidy],
          // The start of a process costs a fifth of a second of a processor. Files share the modules of test/support, too:
          // of a hook at the top of such a module, only the first file would have something.
          isolate: false,
        },
      },
      {
        extends: true,
        test: {
          // Vitest takes projects in the order of their names: these fill the gaps while the last servers are tested.
          name: 'units',
          include: ['src/**/*.test.ts'],
          // One process after the other takes many files: half of what a file costs is the start of its process.
          isolate: false,
        },
      },
      { extends: true, test: { name: 'long', include: ['test/long/**/*.test.ts'] } },
    ],
  },
});
