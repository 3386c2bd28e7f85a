/** Checks for the structured parts of a plan: stages, framings, questions, shards. */
import {
  anyText,
  type Check,
  fields,
  flag,
  listOf,
  numberFrom,
  oneOf,
  refuse,
  text,
} from './check.ts';
import type { Exchange, Framing, LoadPlan, Stage } from './plan.ts';

/** One day. `setTimeout` allows at most 24 days. */
export const LONGEST_MS = 86_400_000;
const LONGEST_SECONDS = 86_400;
export const MOST_CONNECTIONS = 1_000_000;
export const MOST_RATE = 10_000_000;
export const KINDS: readonly Stage['kind'][] = ['warm-up', 'steady', 'ramp', 'step', 'spike'];

/** The shortest stage, in ms. */
export const SHORTEST = 1;

export const rate = numberFrom(0, MOST_RATE, false);

export const stage = fields<Stage>(
  {
    kind: oneOf(...KINDS),
    seconds: numberFrom(SHORTEST / 1000, LONGEST_SECONDS, false),
    from: rate,
    to: rate,
  },
  ['kind', 'seconds'],
);

export const framing: Check<Framing> = (value, where) => {
  const kind = (value as { kind?: unknown } | null)?.kind;
  switch (kind) {
    case 'delimiter':
      return fields<Extract<Framing, { kind: 'delimiter' }>>(
        { kind: oneOf('delimiter'), answerEnd: text },
        ['kind', 'answerEnd'],
      )(value, where);
    case 'line':
      return fields<Extract<Framing, { kind: 'line' }>>({ kind: oneOf('line') }, ['kind'])(
        value,
        where,
      );
    case 'length': {
      const bytes: Check<1 | 2 | 4> = (one, at) =>
        one === 1 || one === 2 || one === 4 ? one : refuse(at, one, '1, 2 or 4');
      return fields<Extract<Framing, { kind: 'length' }>>({ kind: oneOf('length'), bytes }, [
        'kind',
        'bytes',
      ])(value, where);
    }
    default:
      return refuse(where, value, 'an object whose kind is delimiter, line or length');
  }
};

const exchange = fields<Exchange>(
  {
    question: text,
    answer: anyText,
    base64: flag,
  },
  ['question'],
);
export const exchanges = listOf(exchange, 'objects with question and answer');

export const shard: Check<LoadPlan['shard']> = (value, where) =>
  checkShard(
    fields<LoadPlan['shard']>({ index: numberFrom(1, 1e6), of: numberFrom(1, 1e6) }, [
      'index',
      'of',
    ])(value, where),
    where,
  );

export function checkShard(shard: LoadPlan['shard'], where: string): LoadPlan['shard'] {
  if (shard.index <= shard.of) return shard;
  return refuse(
    where,
    `${shard.index}/${shard.of}`,
    `one from 1/${shard.of} to ${shard.of}/${shard.of}`,
  );
}
