import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SCOREBOARD_SIZE, Scoreboard } from '../worker/scoreboard.ts';
import { Departure } from './drain.ts';
import { ANSWER, IDLE, QUESTION, THINKING } from './phase.ts';

/** Since the machine was started, in ms: the clock of all processes. */
let now = 0;
beforeEach(() => {
  now = 1_000_000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const hrtime = () => [Math.floor(now / 1000), (now % 1000) * 1e6] as [number, number];
  vi.spyOn(process, 'hrtime').mockImplementation(hrtime as typeof process.hrtime);
});
afterEach(() => void vi.restoreAllMocks());

/** What the supervisor writes, and a worker of the first generation that reads it. */
function worker() {
  const words = new Int32Array(SCOREBOARD_SIZE / 4);
  const scoreboard = new Scoreboard({ words, unmap: () => {} });
  scoreboard.replace(1, 0);
  return { scoreboard, departure: new Departure(scoreboard.orders(1)) };
}

describe('a worker that is told to stop', () => {
  it('serves before', () => {
    const { departure } = worker();
    expect(departure.isDue || departure.isOver || departure.endsIdle).toBe(false);
    for (const phase of [IDLE, QUESTION, THINKING, ANSWER]) {
      expect(departure.ends(phase)).toBe(false);
    }
  });

  it('has so long from the moment it was told, whenever it notices', () => {
    const { scoreboard, departure } = worker();
    scoreboard.stop(5000);
    now += 4999;
    expect(departure.cause).toBe('stop');
    expect(departure.isOver).toBe(false);
    now += 1;
    expect(departure.isOver).toBe(true);
    expect(departure.ends(THINKING)).toBe(true);
  });

  it('has less once it is told so, from that moment', () => {
    const { scoreboard, departure } = worker();
    scoreboard.stop(60_000);
    now += 20_000;
    expect(departure.isOver).toBe(false);
    scoreboard.stop(1000);
    now += 999;
    expect(departure.isOver).toBe(false);
    now += 1;
    expect(departure.isOver).toBe(true);
  });

  it('has no time at all with 0', () => {
    const { scoreboard, departure } = worker();
    scoreboard.stop(0);
    expect(departure.isOver).toBe(true);
  });

  it('gives a question 250 ms from the moment it notices', () => {
    const { scoreboard, departure } = worker();
    scoreboard.stop(5000);
    now += 1000;
    expect(departure.ends(IDLE)).toBe(true);
    expect(departure.ends(QUESTION)).toBe(false);
    now += 250;
    expect(departure.ends(QUESTION)).toBe(true);
    expect(departure.ends(THINKING)).toBe(false);
  });

  it('counts alike where the clock of 32 bits goes round', () => {
    now = 2 ** 31 - 1000;
    const { scoreboard, departure } = worker();
    scoreboard.stop(5000);
    expect(departure.isOver).toBe(false);
    now += 4999;
    expect(departure.isOver).toBe(false);
    now += 1;
    expect(departure.isOver).toBe(true);
  });
});

describe('a worker of a generation that could not be started as a whole', () => {
  it('leaves as if it were replaced, and no other does', () => {
    const words = new Int32Array(SCOREBOARD_SIZE / 4);
    const scoreboard = new Scoreboard({ words, unmap: () => {} });
    scoreboard.replace(1, 0);
    const orders = () => [1, 2, 3, 4].map((generation) => scoreboard.orders(generation).order);
    expect(orders()).toEqual(['serve', 'serve', 'serve', 'serve']);
    scoreboard.withdraw(2, 5000);
    expect(orders()).toEqual(['serve', 'restart', 'serve', 'serve']);
    scoreboard.withdraw(3, 5000);
    expect(orders()).toEqual(['serve', 'restart', 'restart', 'serve']);
    scoreboard.replace(4, 5000);
    expect(orders()).toEqual(['restart', 'restart', 'restart', 'serve']);
    scoreboard.stop(5000);
    expect(orders()).toEqual(['stop', 'stop', 'stop', 'stop']);
  });
});

describe('a worker that is replaced', () => {
  it('ends nobody before its time is over, which begins as it notices', () => {
    const { scoreboard, departure } = worker();
    scoreboard.replace(2, 5000);
    now += 1000;
    expect(departure.cause).toBe('restart');
    for (const phase of [IDLE, QUESTION, THINKING, ANSWER]) {
      expect(departure.ends(phase)).toBe(false);
    }
    now += 4999;
    expect(departure.isOver).toBe(false);
    now += 1;
    expect(departure.ends(IDLE)).toBe(true);
  });

  it('gives a question 250 ms from the moment it notices a stop that comes later', () => {
    const { scoreboard, departure } = worker();
    scoreboard.replace(2, 5000);
    expect(departure.ends(QUESTION)).toBe(false);
    now += 1000;
    scoreboard.stop(5000);
    expect(departure.ends(QUESTION)).toBe(false);
    now += 249;
    expect(departure.ends(QUESTION)).toBe(false);
    now += 1;
    expect(departure.ends(QUESTION)).toBe(true);
  });

  it('has no more time if the server stops meanwhile, but may have less', () => {
    const { scoreboard, departure } = worker();
    scoreboard.replace(2, 5000);
    expect(departure.isOver).toBe(false);
    now += 2000;
    scoreboard.stop(60_000);
    now += 2999;
    expect(departure.isOver).toBe(false);
    now += 1;
    expect(departure.isOver).toBe(true);
    const other = worker();
    other.scoreboard.replace(2, 5000);
    expect(other.departure.isOver).toBe(false);
    other.scoreboard.stop(1000);
    now += 1000;
    expect(other.departure.isOver).toBe(true);
  });
});
