import { describe, expect, it } from 'vitest';
import type { Exchange, Framing } from '../load/plan.ts';
import { framed, sampleOf } from './service-framing.ts';

const usual: Framing = { kind: 'delimiter', answerEnd: '.' };
const asking = (...exchanges: Exchange[]) => ({ framing: usual, exchanges });
const framingOf = async (
  service: Parameters<typeof sampleOf>[0],
  plan: ReturnType<typeof asking>,
) =>
  framed(
    await sampleOf(
      service,
      plan.exchanges.map(({ question }) => question),
    ),
    plan,
  );

describe('the framing of a service', () => {
  it('is that of lines, if questions and answers are lines', async () => {
    const service = { delimiter: '\n', answer: (question: string) => `${question.length}\n` };
    const plan = asking({ question: '3 4 +', answer: '6' });
    expect(await framingOf(service, plan)).toEqual({
      framing: { kind: 'line' },
      exchanges: plan.exchanges,
    });
  });

  it('has the end of its answers, and its delimiter at the end of each question', async () => {
    const service = { delimiter: ';', answer: (question: string) => question.toUpperCase() };
    const plan = asking({ question: 'one;' }, { question: 'two' });
    expect(await framingOf(service, plan)).toEqual({
      framing: { kind: 'delimiter', answerEnd: ';' },
      exchanges: [{ question: 'one;' }, { question: 'two;' }],
    });
  });

  it('is found in answers that never change, and in those that come later', async () => {
    const service = {
      delimiter: '?',
      answers: { 'a?': 'A\r\n' },
      answerAsync: async () => 'other\r\n',
    };
    const { framing } = await framingOf(service, asking({ question: 'a' }, { question: 'b' }));
    expect(framing).toEqual({ kind: 'delimiter', answerEnd: '\r\n' });
  });

  it.each([
    ['end differently', (question: string) => `${question.length}`],
    ['have their end inside, too', (question: string) => (question === 'a?' ? 'x!' : 'x!x!')],
    ['are bytes', () => Buffer.of(1, 2)],
    [
      'are errors',
      () => {
        throw new Error('no');
      },
    ],
  ])('has the usual end if answers %s', async (_, answer) => {
    const plan = asking({ question: 'a?' }, { question: 'bbb?' });
    expect(await framingOf({ delimiter: '?', answer }, plan)).toEqual(plan);
  });

  it('is not known of a protocol, or of binary questions', async () => {
    const plan = asking({ question: 'YT8=', base64: true });
    expect(await framingOf({ delimiter: '\n', otherwise: 'x\n' }, plan)).toEqual(plan);
    const protocol = { dialogue: () => ({ frame: () => -1 }) };
    expect(await framingOf(protocol, asking({ question: 'a' }))).toEqual(asking({ question: 'a' }));
  });
});
