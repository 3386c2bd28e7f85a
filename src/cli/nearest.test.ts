import { expect, it } from 'vitest';
import { nearest } from './nearest.ts';

const known = ['threads', 'idle', 'age', 'max-threads', 'user'];

it.each([
  ['thread', 'threads'],
  ['Threads', 'threads'],
  ['maxThreads', 'max-threads'],
  ['max_threads', 'max-threads'],
  ['idel', 'idle'],
  ['ages', 'age'],
  ['xyz', undefined],
  ['', undefined],
  ['service-host', undefined],
])('takes %j for %j', (word, meant) => expect(nearest(word, known)).toBe(meant));

it('knows nothing without words', () => expect(nearest('idle', [])).toBeUndefined());
