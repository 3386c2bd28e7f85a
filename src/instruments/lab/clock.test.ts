import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { clockOf } from './clock.ts';

test('processes with the same epoch have the same time', () => {
  const epoch = String(process.hrtime.bigint());
  const now = clockOf(epoch);
  const file = new URL('./clock.ts', import.meta.url).href;
  const program = `import { clockOf } from ${JSON.stringify(file)}; console.log(clockOf('${epoch}')());`;
  const before = now();
  const other = execFileSync(process.execPath, ['--input-type=module', '-e', program]);
  expect(Number(other)).toBeGreaterThan(before);
  expect(Number(other)).toBeLessThan(now());
});
