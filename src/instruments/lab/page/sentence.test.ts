import { expect, test } from 'vitest';
import type { Reason } from '../shared/why.ts';
import { nextSaid, partsOf } from './sentence.ts';

const reason = (
  rule: string,
  text: string,
  culprits: number[] = [],
  victims: number[] = [],
): Reason => ({
  rule,
  text,
  culprits,
  victims,
  action: '',
});

test('a sentence stays for 3 s, and gives way to one of another rule', () => {
  const first = nextSaid(undefined, reason('a', 'since 1 s'), 1000);
  expect(nextSaid(first, reason('a', 'since 3 s'), 3000)).toBe(first);
  expect(nextSaid(first, reason('a', 'since 4 s'), 4000).reason.text).toBe('since 4 s');
  expect(nextSaid(first, reason('b', 'other'), 1500)).toBe(first);
  expect(nextSaid(first, reason('b', 'other'), 1800).reason.text).toBe('other');
});

test('a viewer that goes back reads what was so then', () => {
  const later = nextSaid(undefined, reason('a', 'later'), 9000);
  expect(nextSaid(later, reason('a', 'before'), 8999).reason.text).toBe('before');
});

test('the sentence marks who causes a wait and who waits, and loses no word', () => {
  const said = reason(
    'asleep for one client',
    'Its one thread sleeps for client 1, since 6.2 s. 5 clients wait outside; clients 3, 4, 5 and 12 more have asked already.',
    [1],
    [3, 4, 5],
  );
  const parts = partsOf(said);
  expect(parts.map(({ text }) => text).join('')).toBe(said.text);
  const marked = parts.filter(({ role }) => role !== '').map(({ text, role }) => [text, role]);
  expect(marked).toEqual([
    ['client 1', 'culprit'],
    ['clients 3, 4, 5', 'victim'],
  ]);
});
