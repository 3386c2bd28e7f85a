import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Answers, MORE, WRONG } from './answers.ts';
import type { Exchange, Framing } from './plan.ts';
import { Script } from './script.ts';

/** Reads `bytes` in pieces that end at `cuts`. Returns the number of complete answers, or WRONG. */
function read(exchanges: readonly Exchange[], framing: Framing, bytes: Buffer, cuts: number[]) {
  const answers = new Answers(new Script(exchanges, framing), framing, 1);
  const ends = [...new Set(cuts.map((cut) => cut % (bytes.length + 1))), bytes.length].sort(
    (a, b) => a - b,
  );
  let [number, from] = [0, 0];
  for (const end of ends) {
    while (from < end) {
      const at = answers.read(0, number % exchanges.length, bytes, from, end);
      if (at === WRONG) return WRONG;
      if (at === MORE) break;
      number++;
      from = at;
    }
    from = end;
  }
  return answers.isInside(0) ? number + 0.5 : number;
}

const delimiter: Framing = { kind: 'delimiter', answerEnd: '.' };
const zen: Exchange[] = [
  { question: 'a?', answer: 'Ugly.' },
  { question: 'b?', answer: 'Implicit.' },
];
const cutting = fc.array(fc.nat({ max: 200 }), { maxLength: 20 });

describe('expected answers', () => {
  test('are found in pieces of any size', () => {
    const bytes = Buffer.from('Ugly.Implicit.Ugly.Implicit.Ugly.');
    fc.assert(fc.property(cutting, (cuts) => read(zen, delimiter, bytes, cuts) === 5));
  });

  test('are wrong with one wrong byte, in pieces of any size', () => {
    const bytes = Buffer.from('Ugly.Implicid.');
    fc.assert(fc.property(cutting, (cuts) => read(zen, delimiter, bytes, cuts) === WRONG));
  });

  test('are wrong in another order, and incomplete while a byte is missing', () => {
    expect(read(zen, delimiter, Buffer.from('Implicit.'), [])).toBe(WRONG);
    expect(read(zen, delimiter, Buffer.from('Ugly.Implici'), [])).toBe(1.5);
  });
});

describe('any answers', () => {
  const any: Exchange[] = [{ question: 'a?' }];
  const framings: [Framing, (texts: readonly string[]) => Buffer][] = [
    [delimiter, (texts) => Buffer.from(texts.map((text) => `${text}.`).join(''))],
    [
      { kind: 'delimiter', answerEnd: '..-' },
      (texts) => Buffer.from(texts.map((text) => `${text}..-`).join('')),
    ],
    [{ kind: 'line' }, (texts) => Buffer.from(texts.map((text) => `${text}\n`).join(''))],
    [
      { kind: 'length', bytes: 2 },
      (texts) =>
        Buffer.concat(
          texts.flatMap((text) => {
            const length = Buffer.alloc(2);
            length.writeUInt16BE(text.length);
            return [length, Buffer.from(text)];
          }),
        ),
    ],
  ];

  test.each(framings)('end as %j says, in pieces of any size', (framing, bytesOf) => {
    // Includes letters of the delimiters, but never a complete delimiter by chance.
    const text = fc
      .string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 300 })
      .filter((text) => framing.kind === 'length' || !text.includes('.'));
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), cutting, (texts, cuts) => {
        expect(read(any, framing, bytesOf(texts), cuts)).toBe(texts.length);
      }),
    );
  });

  test('a delimiter is found after text that begins like it', () => {
    expect(
      read(any, { kind: 'delimiter', answerEnd: '..-' }, Buffer.from('a...-b....-'), [3, 9]),
    ).toBe(2);
  });
});

test('questions are framed and repeated, and a run of them is contiguous', () => {
  const script = new Script([{ question: 'ab' }, { question: 'AAEC', base64: true }], {
    kind: 'length',
    bytes: 1,
  });
  expect(script.startOf(1)).toBe(3);
  expect(script.startOf(2)).toBe(7);
  expect(script.run(0)).toBeGreaterThan(16_000);
  expect(script.run(1)).toBe(script.run(0) - 1);
});
