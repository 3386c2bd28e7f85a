import { expect, it } from 'vitest';
import { grouped, printable, quoted, shortened } from './shown.ts';

it.each([
  ['Zoë asked 什麼?', 'Zoë asked 什麼?', '"Zoë asked 什麼?"'],
  ['a\nb\r\tc', 'a\\nb\\x0d\\x09c', '"a\\nb\\r\\tc"'],
  ['\x1b[2J\x9b2J\x7f', '\\x1b[2J\\x9b2J\\x7f', '"\\u001b[2J\\u009b2J\\u007f"'],
  ['a\u2028b\u202ec', 'a\\u2028b\\u202ec', '"a\\u2028b\\u202ec"'],
])('shows %j without a character that a terminal obeys', (text, plain, inQuotes) => {
  expect(printable(text)).toBe(plain);
  expect(quoted(text)).toBe(inQuotes);
  expect(JSON.parse(quoted(text))).toBe(text);
});

it.each([0, 7, 999, 1000, 12_345, 1_234_567, 2 ** 53 - 1])('groups the digits of %i', (count) => {
  expect(grouped(count)).toBe(count.toLocaleString('en'));
});

it('shortens a long text, and says by how much', () => {
  expect(shortened('x'.repeat(10), 10)).toBe('xxxxxxxxxx');
  expect(shortened('x'.repeat(2010), 10)).toBe('xxxxxxxxxx … and 2,000 more');
});
