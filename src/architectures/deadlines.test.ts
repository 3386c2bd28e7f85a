import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../limits/limits.ts';
import { LimitReached } from '../protocol/account.ts';
import { Deadlines, type TimeLimit } from './deadlines.ts';
import { ANSWER, GONE, IDLE, QUESTION, THINKING } from './phases.ts';

const limits = { ...defaultLimits, idle: 4000, questionTime: 2000, answerTime: 1000, age: 0 };

/** Deadlines over phases that the test sets, looked at as often as they want to be. */
function watched(over: Partial<typeof limits> = {}, isDryRun = false) {
  const phases: number[] = [];
  const counted: TimeLimit[] = [];
  const deadlines = new Deadlines(
    { ...limits, ...over },
    (fd) => phases[fd] ?? GONE,
    (limit) => {
      counted.push(limit);
      return !isDryRun;
    },
  );
  let now = 0;
  return {
    deadlines,
    phases,
    counted,
    /** Lets `ms` pass; what became overdue, as `fd limit at`. */
    pass(ms: number): string[] {
      const told: string[] = [];
      for (const end = now + ms; now < end; ) {
        now = Math.min(end, now + Math.max(1, deadlines.untilNext(now, phases.length)));
        for (const { fd, cause } of deadlines.overdue(now)) {
          const what = cause instanceof LimitReached ? cause.limit : cause;
          told.push(`${fd} ${what} ${now}`);
          phases[fd] = GONE;
        }
      }
      return told;
    },
  };
}

describe('Deadlines', () => {
  it('ends who is idle for too long, not early and at most a quarter of the shortest limit late', () => {
    const { deadlines, phases, pass } = watched();
    phases[7] = IDLE;
    deadlines.mark(7);
    expect(pass(4000)).toEqual([]);
    const [told] = pass(600);
    expect(told).toMatch(/^7 idle 4[0-5]\d\d$/);
  });

  it('begins anew with each answer', () => {
    const { deadlines, phases, pass } = watched();
    phases[1] = IDLE;
    for (let i = 0; i < 10; i++) {
      deadlines.mark(1);
      expect(pass(3500)).toEqual([]);
    }
    expect(pass(1000)).toHaveLength(1);
  });

  it('counts the time of a question from its beginning, whatever drips', () => {
    const { deadlines, phases, pass } = watched();
    phases[1] = QUESTION;
    deadlines.mark(1);
    expect(pass(2000)).toEqual([]);
    expect(pass(500)[0]).toMatch(/^1 question-time/);
  });

  it('takes a question that follows an answer for a new one', () => {
    const { deadlines, phases, pass } = watched();
    phases[1] = QUESTION;
    for (let i = 0; i < 5; i++) {
      deadlines.mark(1);
      expect(pass(1500)).toEqual([]);
    }
  });

  it('ends who does not take its answers, and leaves alone who is being thought about', () => {
    const { deadlines, phases, pass } = watched();
    phases[1] = ANSWER;
    phases[2] = THINKING;
    deadlines.mark(1);
    deadlines.mark(2);
    expect(pass(60_000).map((text) => text.replace(/ \d+$/, ''))).toEqual(['1 answer-time']);
  });

  it('ends who is old, between questions', () => {
    const { deadlines, phases, pass } = watched({ age: 5000, idle: 0 });
    phases[1] = THINKING;
    deadlines.mark(1);
    expect(pass(9000)).toEqual([]);
    phases[1] = IDLE;
    expect(pass(500)[0]).toMatch(/^1 age/);
  });

  it('ends who is old and never at rest, when it has had the time for its question or its answer', () => {
    const { deadlines, phases, pass } = watched({ age: 5000, idle: 0 });
    phases[1] = QUESTION;
    phases[2] = ANSWER;
    const told: string[] = [];
    for (let i = 0; i < 80; i++) {
      deadlines.mark(1);
      deadlines.mark(2);
      told.push(...pass(100));
    }
    expect(told[0]).toMatch(/^1 age 5[2-5]\d\d$/);
    expect(told[1]).toMatch(/^2 age 6[0-3]\d\d$/);
  });

  it('looks once more at who is old and was answered in this very turn', () => {
    const { deadlines, phases } = watched({ age: 5000, idle: 0 });
    phases[1] = ANSWER;
    deadlines.begin(1);
    const look = (now: number) => [...deadlines.overdue(now)].length;
    expect(look(100)).toBe(0);
    deadlines.mark(1);
    expect(look(5200)).toBe(0);
    expect(deadlines.untilNext(5200, 1)).toBe(0);
    phases[1] = IDLE;
    expect(look(5200)).toBe(1);
    // Who does not take its answer is not looked at again and again.
    phases[1] = ANSWER;
    deadlines.mark(1);
    expect(look(5201)).toBe(0);
    expect(look(5201 + deadlines.untilNext(5201, 1))).toBe(0);
    expect(deadlines.untilNext(5500, 1)).toBeGreaterThanOrEqual(0);
  });

  it('does not take a new connection for as old as the last one with its number', () => {
    const { deadlines, phases, pass } = watched({ age: 5000, idle: 0 });
    phases[1] = IDLE;
    deadlines.begin(1);
    expect(pass(4900)).toEqual([]);
    // Closed and accepted again between two looks.
    deadlines.begin(1);
    expect(pass(4900)).toEqual([]);
    expect(pass(600)[0]).toMatch(/^1 age/);
  });

  it('gives a new connection with an old number its own time', () => {
    const { deadlines, phases, pass } = watched();
    phases[1] = IDLE;
    deadlines.mark(1);
    pass(3900);
    // Closed and accepted again between two looks.
    deadlines.mark(1);
    expect(pass(3900)).toEqual([]);
  });

  it('does not hold it against a peer that the loop was held up', () => {
    const { deadlines, phases, pass } = watched();
    phases[1] = IDLE;
    deadlines.mark(1);
    expect(pass(500)).toEqual([]);
    // One answer took ten seconds; what the peer asked meanwhile is received only now.
    expect([...deadlines.overdue(10_500)]).toEqual([]);
    let now = 10_500;
    while (phases[1] === IDLE && now < 20_000) {
      now += deadlines.untilNext(now, 1);
      for (const { fd } of deadlines.overdue(now)) phases[fd] = GONE;
    }
    // What is left of its 4 s after the first half second.
    expect(now).toBeGreaterThanOrEqual(13_500);
    expect(now).toBeLessThan(15_000);
  });

  it('counts and ends nobody in a dry run, and needs no look where all is off or nobody is there', () => {
    const dry = watched({}, true);
    dry.phases[1] = IDLE;
    dry.deadlines.mark(1);
    expect(dry.pass(6000)).toEqual([]);
    expect(dry.counted).toContain('idle');
    expect(watched({ idle: 0, questionTime: 0, answerTime: 0 }).deadlines.untilNext(0, 5)).toBe(-1);
    expect(watched().deadlines.untilNext(0, 0)).toBe(-1);
  });

  it('has room for any descriptor', () => {
    const { deadlines, phases, pass } = watched();
    phases[70_000] = IDLE;
    deadlines.mark(70_000);
    expect(pass(4600)[0]).toMatch(/^70000 idle/);
  });
});
