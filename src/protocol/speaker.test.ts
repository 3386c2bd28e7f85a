import { describe, expect, it } from 'vitest';
import { speakersOf } from './speaker.ts';

const speakerFor = (delimiter: string) =>
  speakersOf({ delimiter, answer: (question) => question }, false)();

/** The same bytes, with a counter of reads. */
function counted(bytes: Buffer): { bytes: Buffer; reads: () => number } {
  let reads = 0;
  const proxy = new Proxy(bytes, {
    get(target, key) {
      if (typeof key === 'string' && /^\d+$/.test(key)) reads++;
      return Reflect.get(target, key);
    },
  });
  return { bytes: proxy, reads: () => reads };
}

describe('frame of a service', () => {
  it.each([
    ['?', 'ab?c', 3],
    ['?', 'abc', -1],
    ['?', '?', 1],
    ['\r\n', 'ab\r\nc', 4],
    ['\r\n', 'ab\n\rc', -1],
    ['aa', 'aaa', 2],
    ['aab', 'aaab', 4],
    ['§', 'a§', 3],
  ])('ending in %j finds the first question of %j up to %i', (delimiter, text, end) => {
    const bytes = Buffer.from(text);
    expect(speakerFor(delimiter).frame(bytes, 0, bytes.length, 0)).toBe(end);
  });

  it('never looks outside its part of the bytes', () => {
    const bytes = Buffer.from('\r\n?a\r\n');
    expect(speakerFor('?').frame(bytes, 3, 6, 0)).toBe(-1);
    // The delimiter's first byte is before the part, its second is in it.
    expect(speakerFor('\r\n').frame(bytes, 1, 4, 0)).toBe(-1);
    expect(speakerFor('\r\n').frame(bytes, 3, 5, 0)).toBe(-1);
  });

  it('ending in one character reads each byte once, for any chunks', () => {
    const { frame } = speakerFor('?');
    const size = 3000;
    const { bytes, reads } = counted(Buffer.alloc(size, 'a'));
    for (let end = 1; end <= size; end++) frame(bytes, 0, end, end - 1);
    expect(reads()).toBe(size);
  });

  it.each([
    'baaa',
    'aaab',
    'abab',
  ])('ending in %j reads each byte at most as often as the delimiter is long', (delimiter) => {
    const { frame } = speakerFor(delimiter);
    const size = 3000;
    const { bytes, reads } = counted(Buffer.alloc(size, 'a'));
    for (let end = 1; end <= size; end++) frame(bytes, 0, end, end - 1);
    expect(reads()).toBeLessThanOrEqual(size * (delimiter.length + 1));
  });
});

describe('answer of a service', () => {
  const bytes = Buffer.from('xxé?yy');
  const at = 2;
  const end = bytes.indexOf('?') + 1;

  it('gets the question with its delimiter, as UTF-8 by default', () => {
    expect(speakerFor('?').answer(bytes, at, end)).toBe('é?');
    const latin = speakersOf({ delimiter: '?', encoding: 'latin1', answer: (q) => q }, false)();
    expect(latin.answer(bytes, at, end)).toBe('Ã©?');
  });

  it('is the fixed one if there is one', () => {
    const answers = { 'é?': 'yes', 'xx?': Buffer.from('no') };
    const speaker = speakersOf({ delimiter: '?', answers, answer: () => 'other' }, false)();
    expect(String(speaker.answer(bytes, at, end))).toBe('yes');
    expect(speaker.answer(bytes, 0, end)).toBe('other');
    // Not a name that every object inherits.
    const plain = speakersOf({ delimiter: 'g', answers, answer: () => 'other' }, false)();
    const inherited = Buffer.from('toString');
    expect(plain.answer(inherited, 0, inherited.length)).toBe('other');
  });

  const both = { delimiter: '?', answer: () => 'now', answerAsync: async () => 'later' };

  it('uses the asynchronous form if the architecture can serve others while it waits', async () => {
    expect(await speakersOf(both, true)().answer(bytes, at, end)).toBe('later');
    expect(speakersOf(both, false)().answer(bytes, at, end)).toBe('now');
    expect(speakersOf({ delimiter: '?', answer: () => 'now' }, true)().answer(bytes, at, end)).toBe(
      'now',
    );
  });

  it('waits for the only form there is if the architecture cannot serve others', () => {
    const later = { delimiter: '?', answerAsync: async () => 'later' };
    const answerElsewhere = (question: string | Uint8Array) => `settled ${question}`;
    expect(speakersOf(later, false, answerElsewhere)().answer(bytes, at, end)).toBe('settled é?');
    expect(() => speakersOf(later, false)).toThrow(/answer/);
  });
});

describe('speaker of a dialogue', () => {
  it('is a new one for each conversation, and shared for a service', () => {
    let made = 0;
    const speakers = speakersOf(
      { dialogue: () => ({ greeting: `number ${++made}`, frame: () => -1, answer: () => '' }) },
      false,
    );
    expect([speakers().greeting, speakers().greeting]).toEqual(['number 1', 'number 2']);
    const services = speakersOf({ delimiter: '?', answer: () => '' }, false);
    expect(services()).toBe(services());
  });

  it('gets a copy of the question, which it may keep', () => {
    const kept: Uint8Array[] = [];
    const speaker = speakersOf(
      {
        dialogue: () => ({
          frame: (_bytes, _start, end) => end,
          answer: (question) => void kept.push(question),
        }),
      },
      false,
    )();
    const bytes = Buffer.from('abc');
    speaker.answer(bytes, 1, 3);
    bytes.fill(0);
    expect(Buffer.from(kept[0]!).toString()).toBe('bc');
  });
});
