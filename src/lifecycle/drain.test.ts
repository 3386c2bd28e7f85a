import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { SCOREBOARD_SIZE, Scoreboard } from '../worker/scoreboard.ts';
import { Drain } from './drain.ts';
import { ANSWER, IDLE, QUESTION, THINKING } from './phase.ts';
import { END, LOOK, STAY } from './terms.ts';

/** The clock of the scoreboard and of the drain: ms since the machine was started. */
let now = 0;
beforeEach(() => {
  now = 1_000_000;
  const hrtime = () => [Math.floor(now / 1000), (now % 1000) * 1e6] as [number, number];
  vi.spyOn(process, 'hrtime').mockImplementation(hrtime as typeof process.hrtime);
});
afterEach(() => void vi.restoreAllMocks());

/** The orders that the supervisor writes, and a worker of the first generation that reads them. */
function worker() {
  const words = new Int32Array(SCOREBOARD_SIZE / 4);
  const scoreboard = new Scoreboard({ words, unmap: () => {} });
  scoreboard.replace(1, 0);
  return { scoreboard, drain: new Drain(scoreboard.orders(1)) };
}

describe('a worker with the order to stop', () => {
  it('serves before', () => {
    const { drain } = worker();
    expect(drain.isLeaving || drain.isOver(now)).toBe(false);
    for (const phase of [IDLE, QUESTION, THINKING, ANSWER]) {
      expect(drain.decide(phase, now)).toBe(STAY);
    }
  });

  it('has its time from the moment of the order, whenever it notices', () => {
    const { scoreboard, drain } = worker();
    scoreboard.stop(5000);
    now += 4999;
    expect(drain.cause).toBe('stop');
    expect(drain.isOver(now)).toBe(false);
    now += 1;
    expect(drain.isOver(now)).toBe(true);
    expect(drain.decide(THINKING, now)).toBe(END);
  });

  it('has less time after a second order, from that moment', () => {
    const { scoreboard, drain } = worker();
    scoreboard.stop(60_000);
    now += 20_000;
    expect(drain.isOver(now)).toBe(false);
    scoreboard.stop(1000);
    now += 999;
    expect(drain.isOver(now)).toBe(false);
    now += 1;
    expect(drain.isOver(now)).toBe(true);
  });

  it('has no time with a drain of 0', () => {
    const { scoreboard, drain } = worker();
    scoreboard.stop(0);
    expect(drain.isOver(now)).toBe(true);
  });

  it('gives a question 250 ms from the moment it notices', () => {
    const { scoreboard, drain } = worker();
    scoreboard.stop(5000);
    now += 1000;
    expect(drain.decide(IDLE, now)).toBe(LOOK);
    expect(drain.decide(QUESTION, now)).toBe(STAY);
    now += 250;
    expect(drain.decide(QUESTION, now)).toBe(END);
    expect(drain.decide(THINKING, now)).toBe(STAY);
  });

  it('counts correctly when the 32-bit clock wraps', () => {
    now = 2 ** 31 - 1000;
    const { scoreboard, drain } = worker();
    scoreboard.stop(5000);
    expect(drain.isOver(now)).toBe(false);
    now += 4999;
    expect(drain.isOver(now)).toBe(false);
    now += 1;
    expect(drain.isOver(now)).toBe(true);
  });
});

describe('a worker of a generation that could not start completely', () => {
  it('leaves as if it were replaced, and no other worker does', () => {
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
  it('closes no connection before its time is over; the time starts when it notices', () => {
    const { scoreboard, drain } = worker();
    scoreboard.replace(2, 5000);
    now += 1000;
    expect(drain.cause).toBe('restart');
    for (const phase of [IDLE, QUESTION, THINKING, ANSWER]) {
      expect(drain.decide(phase, now)).toBe(STAY);
    }
    now += 4999;
    expect(drain.isOver(now)).toBe(false);
    now += 1;
    expect(drain.decide(IDLE, now)).toBe(END);
  });

  it('gives a question 250 ms from the moment it notices a stop that comes later', () => {
    const { scoreboard, drain } = worker();
    scoreboard.replace(2, 5000);
    expect(drain.decide(QUESTION, now)).toBe(STAY);
    now += 1000;
    scoreboard.stop(5000);
    expect(drain.decide(QUESTION, now)).toBe(STAY);
    now += 249;
    expect(drain.decide(QUESTION, now)).toBe(STAY);
    now += 1;
    expect(drain.decide(QUESTION, now)).toBe(END);
  });

  it('gets no more time if the server stops during the drain, but may get less', () => {
    const { scoreboard, drain } = worker();
    scoreboard.replace(2, 5000);
    expect(drain.isOver(now)).toBe(false);
    now += 2000;
    scoreboard.stop(60_000);
    now += 2999;
    expect(drain.isOver(now)).toBe(false);
    now += 1;
    expect(drain.isOver(now)).toBe(true);
    const other = worker();
    other.scoreboard.replace(2, 5000);
    expect(other.drain.isOver(now)).toBe(false);
    other.scoreboard.stop(1000);
    now += 1000;
    expect(other.drain.isOver(now)).toBe(true);
  });
});
