import { defaultExclude, defineConfig } from 'vitest/config';
import { MS, PATIENCE } from './test/support/until.ts';

export default defineConfig({
  test: {
    // Processes and not threads: tests look into /proc/self, and some block in system calls.
    pool: 'forks',
    // More than two cores' worth: many tests wait most of their time.
    maxWorkers: 3,
    // Longer than the test's own patience, which says what it waited for.
    testTimeout: 2 * PATIENCE * MS,
    hookTimeout: 2 * PATIENCE * MS,
    maxConcurrency: 8,
    projects: [
      {
        extends: true,
        test: {
          name: 'short',
          include: ['{src,test,examples,bench}/**/*.test.ts'],
          exclude: [...defaultExclude, 'test/long/**'],
        },
      },
      { extends: true, test: { name: 'long', include: ['test/long/**/*.test.ts'] } },
    ],
  },
});
