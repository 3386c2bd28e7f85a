import fc from 'fast-check';
import { expect, test } from 'vitest';
import { expectValid } from '../../../test/support/trace-format.ts';
import { chromeTrace } from './chrome.ts';
import { Timeline } from './timeline.ts';

const span = fc
  .tuple(fc.integer({ min: 0, max: 1_000_000 }), fc.integer({ min: 0, max: 300_000 }))
  .map(([t, length]) => ({ t, end: t + length }));

test('slices of a track are disjoint or nested, whatever the records', () => {
  fc.assert(
    fc.property(fc.array(span), fc.array(span), fc.array(span), (calls, questions, idle) => {
      const timeline = new Timeline();
      timeline.record(7, { kind: 'thread', t: 0, pid: 5, worker: 0, role: 'main' });
      for (const one of calls) {
        const call = { name: 'recv', args: '', result: '0', blocked: 0, begun: true };
        timeline.record(7, { kind: 'call', ...one, ...call });
      }
      for (const one of questions) {
        timeline.record(7, { kind: 'question', ...one, peer: 'a', question: '?', answer: '.' });
      }
      for (const one of idle) timeline.record(7, { kind: 'idle', ...one });
      const { traceEvents } = chromeTrace(timeline, 'test');
      expect(traceEvents.filter(({ ph }) => ph === 'X').length).toBe(
        calls.length + questions.length + idle.length,
      );
      expectValid(traceEvents);
    }),
  );
});

test('a connection is one asynchronous track, from accept to close, and is counted while open', () => {
  const timeline = new Timeline();
  timeline.record(7, { kind: 'thread', t: 0, pid: 5, worker: 0, role: 'main' });
  timeline.record(7, { kind: 'opened', t: 1000, peer: '127.0.0.1:5' });
  timeline.record(7, {
    kind: 'question',
    t: 2000,
    end: 3000,
    peer: '127.0.0.1:5',
    question: 'Simple is better than?',
    answer: 'Complex.',
  });
  timeline.event(3500, { type: 'closed', peer: '127.0.0.1:5', at: 0, pid: 5, tid: 7, worker: 0 });
  timeline.record(7, { kind: 'closed', t: 4000, peer: '127.0.0.1:5' });
  timeline.record(7, { kind: 'queue', t: 4500, depth: 3 });
  const { traceEvents } = chromeTrace(timeline, 'test');
  expectValid(traceEvents);
  const track = traceEvents.filter(({ cat }) => cat === 'connection');
  expect(track.map(({ ph }) => ph)).toEqual(['b', 'n', 'e']);
  expect(track.map(({ ts }) => ts)).toEqual([1, 2, 4]);
  expect(track[2]!.args).toEqual({ how: 'Client 127.0.0.1:5 closed normally' });
  const counters = traceEvents.filter(({ ph }) => ph === 'C');
  expect(counters.map(({ name, args }) => [name, args])).toEqual([
    ['open connections', { open: 1 }],
    ['open connections', { open: 0 }],
    ['queue depth', { waiting: 3 }],
  ]);
});
