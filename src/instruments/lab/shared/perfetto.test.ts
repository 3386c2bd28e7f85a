import { expect, test } from 'vitest';
import { labRecording } from '../../../../test/support/lab-recording.ts';
import { expectValid } from '../../../../test/support/trace-format.ts';
import { perfettoOf } from './perfetto.ts';

const { traceEvents } = perfettoOf(labRecording());

test('a recording is a valid trace: a process for each stage, a track for each lane', () => {
  expectValid(traceEvents);
  const named = traceEvents.filter(({ ph }) => ph === 'M');
  expect(named.map(({ name, pid, args }) => [name, pid, args!.name])).toEqual([
    ['process_name', 1, 'single'],
    ['process_name', 2, 'poll'],
    ['thread_name', 1, 'thread 100'],
    ['thread_name', 2, 'thread 200'],
  ]);
  const slices = traceEvents.filter(({ ph }) => ph === 'X');
  expect(slices.map(({ name, pid, ts, dur, args }) => [name, pid, ts, dur, args])).toEqual([
    ['asleep for one client', 1, 50_000, 11_950_000, { client: 1 }],
    ['asleep for anyone', 2, 50_000, 11_950_000, {}],
  ]);
});

test('a visit of a client is one asynchronous track with its questions and answers', () => {
  const client = traceEvents.filter(({ name, pid }) => name === 'client 2' && pid === 2);
  expect([client[0]!.ph, client[0]!.ts, client.at(-1)!.ph]).toEqual(['b', 30_000, 'e']);
  const answers = client.filter(({ args }) => args?.what === 'answered');
  expect(answers).toHaveLength(60);
  expect(answers[0]!.ts).toBe(150_000);
});

test('the queue is a counter', () => {
  const queue = traceEvents.filter(({ ph }) => ph === 'C');
  expect(queue.map(({ pid, args }) => [pid, args!.kernel])).toContainEqual([1, 1]);
});
