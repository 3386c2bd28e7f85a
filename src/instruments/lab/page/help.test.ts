import { expect, test } from 'vitest';
import { glyphs } from '../shared/words.ts';
import { signs } from './help.tsx';

test('the help explains each sign of a thread that stays for a while', () => {
  const { starting: _, ended: __, ...lasting } = glyphs;
  expect(signs.map(([sign]) => sign)).toEqual(expect.arrayContaining(Object.values(lasting)));
});
