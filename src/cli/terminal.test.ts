import { expect, it } from 'vitest';
import { ownsTerminal } from './terminal.ts';

it.each([
  ['in the foreground', '7 (node) S 1 7 5 34816 7 4194304 1', true],
  ['in the background', '7 (node) S 1 7 5 34816 5 4194304 1', false],
  ['without a terminal', '7 (node) S 1 7 7 0 -1 4194304 1', false],
  ['with an odd name', '7 (a) b (c) S 1 7 5 34816 7 4194304 1', true],
])('a process %s', (_, stat, owns) => {
  expect(ownsTerminal(stat)).toBe(owns);
});
