import { beforeEach, describe, expect, it } from 'vitest';
import { Repeats, summaryText } from './repeats.ts';
import type { ServerEvent } from './server-event.ts';

const stamp = { at: 0, pid: 1, tid: 1, worker: 0 };
const peer = '127.0.0.1:5';
const refused: ServerEvent = { type: 'refused', peer, reason: 'connections', ...stamp };

let repeats: Repeats;
beforeEach(() => {
  repeats = new Repeats();
});

/** How many of `count` events are reported one by one. */
const reported = (event: ServerEvent, count: number, now: number) =>
  Array.from({ length: count }, () => repeats.isReportedAlone(event, now)).filter(Boolean).length;
const due = (now: number) => repeats.due(now).map(summaryText);

it('reports the first five of a kind, and every 5 s how many more there were', () => {
  expect(reported(refused, 1239, 100)).toBe(5);
  expect(repeats.next).toBe(5100);
  expect(due(5099)).toEqual([]);
  const why = 'refused: the server is full';
  expect(due(5100)).toEqual([`… and 1,234 more in 5 s ${why}`]);
  expect(reported(refused, 1, 6000)).toBe(0);
  expect(due(10_100)).toEqual([`… and 1 more in 5 s ${why}`]);
  // The series ends when no event came for 5 s; the next events are the first again.
  expect(due(15_100)).toEqual([]);
  expect(repeats.next).toBeUndefined();
  expect(reported(refused, 6, 15_200)).toBe(5);
});

it('reports one line for all faults of PROXY headers, and every 5 s how many more there were', () => {
  expect(reported({ ...refused, reason: 'proxy-missing' }, 3, 0)).toBe(1);
  expect(reported({ ...refused, reason: 'proxy-untrusted' }, 3, 0)).toBe(0);
  expect(reported({ type: 'limited', peer, limit: 'proxy-header', ...stamp }, 3, 0)).toBe(0);
  expect(due(5000)).toEqual(['… and 8 more in 5 s without a good PROXY header of a trusted proxy']);
});

it('keeps the last of them', () => {
  reported(refused, 6, 0);
  const last = { ...refused, peer: '127.0.0.1:6' };
  reported(last, 1, 1);
  expect(repeats.due(5000)).toEqual([expect.objectContaining({ more: 2, like: last })]);
});

it('returns the remaining counts, with the time that they took', () => {
  reported(refused, 6, 0);
  reported({ ...refused, reason: 'deny' }, 7, 0);
  expect(repeats.rest(2100).map(summaryText)).toEqual([
    '… and 1 more in 2 s refused: the server is full',
    '… and 2 more in 2 s refused: its network is denied',
  ]);
});

describe('of', () => {
  it.each([
    [{ type: 'hungUp', peer, received: 'a' }, { received: 'b' }, 'closed inside a question'],
    [{ type: 'unsent', peer, unsent: 'a' }, { unsent: 'b' }, 'closed before we sent an answer'],
    [{ type: 'failed', peer, error: 'recv: ECONNRESET' }, {}, 'failed: recv: ECONNRESET'],
    // Such a text may contain a part from the peer: each would be another kind.
    [{ type: 'threw', peer, error: 'a' }, { error: 'b' }, 'with a failure of the service'],
    [{ type: 'limited', peer, limit: 'idle' }, {}, 'ended: limit idle'],
    [{ type: 'cut', peer, why: 'stop' }, { inside: 'answer' }, 'ended: the server is stopping'],
    [{ type: 'cut', peer, why: 'restart' }, {}, 'ended: its worker is replaced'],
  ] as const)('%j there are more', (event, other, kind) => {
    const first = { ...event, ...stamp } as ServerEvent;
    expect(reported(first, 6, 0)).toBe(5);
    expect(reported({ ...first, ...other, peer: '127.0.0.1:6' } as ServerEvent, 1, 0)).toBe(0);
    expect(due(5000)).toEqual([`… and 2 more in 5 s ${kind}`]);
  });

  it.each([
    { type: 'accepted', peer, ...stamp },
    { type: 'closed', peer, ...stamp },
    { type: 'warning', text: 'so', ...stamp },
  ] as const)('$type each is reported', (event) => {
    expect(reported(event, 1000, 0)).toBe(1000);
    expect(repeats.next).toBeUndefined();
  });
});
