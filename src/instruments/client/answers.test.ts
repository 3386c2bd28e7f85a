import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Answers } from './answers.ts';

describe('Answers', () => {
  test('finds several answers in one piece, and keeps the rest', () => {
    const answers = new Answers('.');
    expect(answers.push('Ugly.Error: unknown aphorism.Comp')).toEqual([
      'Ugly.',
      'Error: unknown aphorism.',
    ]);
    expect(answers.unfinished).toBe('Comp');
    expect(answers.push('lex.')).toEqual(['Complex.']);
    expect(answers.unfinished).toBe('');
  });

  test('finds a delimiter that comes in two pieces', () => {
    const answers = new Answers('\r\n\r\n');
    expect(answers.push('a\r\n\r')).toEqual([]);
    expect(answers.push('\nb\r\n')).toEqual(['a\r\n\r\n']);
    expect(answers.unfinished).toBe('b\r\n');
  });

  test('finds the same answers in pieces of any size', () => {
    const texts = fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '-', '>'), maxLength: 8 }));
    fc.assert(
      fc.property(texts, fc.constantFrom('>', '->', '-->'), (pieces, delimiter) => {
        const cut = new Answers(delimiter);
        const whole = new Answers(delimiter);
        const found = pieces.flatMap((piece) => cut.push(piece));
        expect(found).toEqual(whole.push(pieces.join('')));
        expect(cut.unfinished).toBe(whole.unfinished);
      }),
    );
  });
});
