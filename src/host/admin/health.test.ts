import { describe, expect, it } from 'vitest';
import { agentLine, liveness, readiness } from './health.ts';

const facts = (serving: number, stuck = 0, threads = 4) => ({ serving, stuck, threads });

describe.each([
  ['starting', undefined, 503, 'starting', 'down #starting'],
  ['ready', facts(2), 200, 'ready', 'ready up'],
  ['ready', facts(0), 503, 'no worker serves', 'down #no worker serves'],
  ['lame', facts(2), 503, 'lame', 'drain'],
  ['draining', facts(0), 503, 'draining', 'drain'],
  ['stopped', facts(0), 503, 'stopped', 'drain'],
] as const)('%s with %o', (state, given, status, text, line) => {
  it('is ready only if new clients should come', () => {
    expect(readiness(state, given)).toEqual({ isGood: status === 200, text });
  });

  it('has one line for HAProxy, which never ends its health checks', () => {
    expect(agentLine(state, given)).toBe(line);
    // `ready` takes back an earlier `drain`: without it, a new server would stay without clients.
    expect(line === 'ready up' || !line.includes('up')).toBe(true);
  });
});

it.each([
  [undefined, true],
  [facts(1), true],
  [facts(1, 3), true],
  [facts(1, 4), false],
  [facts(0, 0, 0), true],
])('lives unless all of its threads are stuck: %o', (given, isGood) => {
  expect(liveness(given).isGood).toBe(isGood);
});
