import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['{src,test,examples,bench}/**/*.test.ts'],
    // Processes and not threads: tests look into /proc/self, and some block in system calls.
    pool: 'forks',
    maxWorkers: 2,
    testTimeout: 30_000,
    hookTimeout: 30_000,
    maxConcurrency: 8,
  },
});
