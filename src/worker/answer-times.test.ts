import { expect, it } from 'vitest';
import { Conversation } from '../protocol/conversation.ts';
import { Outbox } from '../protocol/outbox.ts';
import { speakersOf } from '../protocol/speaker.ts';
import { ANSWER_TIMES_WORDS, AnswerTimes, BUCKETS, readAnswerTimes } from './answer-times.ts';

function scripted() {
  const words = new Int32Array(ANSWER_TIMES_WORDS);
  const clock = { now: 1000 };
  return { words, clock, times: new AnswerTimes(words, () => clock.now) };
}

it('times one question in 64, and puts each time into its bucket', () => {
  const { words, clock, times } = scripted();
  const starts = Array.from({ length: 193 }, () => times.begin());
  expect(starts.filter((start) => start > 0)).toHaveLength(4);
  for (const ms of [0.09, 0.11, 0.9, 9000, 60_000]) {
    times.end(clock.now - ms);
  }
  const { counts, sum } = readAnswerTimes(words);
  const filled = counts.flatMap((count, i) => (count === 0 ? [] : [[BUCKETS[i], count]]));
  expect(filled).toEqual([
    [0.0001, 1],
    [0.00025, 1],
    [0.001, 1],
    [10, 1],
    [undefined, 1],
  ]);
  expect(sum).toBeCloseTo(69.0011, 5);
});

it('counts more than 32 bits can hold', () => {
  const { words, clock, times } = scripted();
  new BigInt64Array(words.buffer)[BUCKETS.indexOf(0.001)] = 2n ** 32n;
  times.end(clock.now - 1);
  expect(readAnswerTimes(words).counts[BUCKETS.indexOf(0.001)]).toBe(2 ** 32 + 1);
});

it('adds up the times of all threads', () => {
  const { words, clock, times } = scripted();
  const other = new AnswerTimes(words, () => clock.now);
  times.end(clock.now - 1);
  other.end(clock.now - 1);
  expect(readAnswerTimes(words).counts[BUCKETS.indexOf(0.001)]).toBe(2);
});

const service = { delimiter: '?', answers: { 'known?': '1' }, answer: () => '22' };

/** A conversation each of whose questions is timed. */
function timed(defer = 0) {
  const clock = { now: 0 };
  const spent: number[] = [];
  const times = {
    begin: () => clock.now + 1,
    end: (startedAt: number) => void spent.push(clock.now + 1 - startedAt),
  };
  const bounds = { unsent: 1000, questionSize: 0, questions: 0, times, exceeded: () => false };
  const conversation = new Conversation(speakersOf(service, false)(), { defer }, bounds);
  const out = new Outbox();
  const receive = (text: string) => {
    const bytes = Buffer.from(text);
    return conversation.receive(bytes, 0, bytes.length, out);
  };
  return { clock, spent, conversation, out, receive };
}

it('begins with the last byte of a question, and ends with the first answer', () => {
  const { clock, spent, receive } = timed();
  receive('known?');
  receive('ot');
  clock.now = 100;
  receive('her?another?');
  expect(spent).toEqual([0, 0]);
});

it('contains the time until a deferred answer', () => {
  const { clock, spent, conversation, out, receive } = timed(50);
  expect(receive('other?')).toBe(50);
  clock.now = 30;
  receive('next?');
  clock.now = 50;
  conversation.resume(out);
  expect(spent).toEqual([50]);
});
