import { expect, test } from 'vitest';
import { asideText } from './code.tsx';

const standing = (client: number) => ({ file: 0, line: 4, client, since: 0 });

test('a line says which clients have a function there that is set aside', () => {
  expect(asideText([3, 1, 2, 3].map(standing))).toBe('set aside: clients 1, 2 and 3');
  expect(asideText([-1].map(standing))).toBe('set aside: 1 for no client');
  expect(asideText([7, -1].map(standing))).toBe('set aside: client 7, 1 for no client');
});
