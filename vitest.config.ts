import { defaultExclude, defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    // Processes and not threads: tests look into /proc/self, and some block in system calls.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
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
