import { describe, expect, it } from 'vitest';
import { ANSWER, GONE, IDLE, QUESTION, THINKING } from '../lifecycle/phase.ts';
import { defaultLimits } from '../limits/limits.ts';
import { LimitReached } from '../protocol/account.ts';
import { Deadlines, type TimeLimit } from './deadlines.ts';

const limits = { ...defaultLimits, idle: 4000, questionTime: 2000, answerTime: 1000, age: 0 };

/** Deadlines over phases that the test sets, looked at as often as they want to be. */
function watched(over: Partial<typeof limits> = {}, isDryRun = false) {
  const phases: number[] = [];
  const counted: TimeLimit[] = [];
  const leaving: string[] = [];
  let now = 0;
  const deadlines = new Deadlines(
    { ...limits, ...over },
    {
      phaseOf: (fd) => phases[fd] ?? GONE,
      endAfterAnswer: (fd, limit) => leaving.push(`${fd} ${limit} ${now}`),
    },
    (limit) => {
      counted.push(limit);
      return !isDryRun;
    },
  );
  return {
    deadlines,
    phases,
    counted,
    /** Whom it told to end after the next answer, in the same form. */
    leaving,
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

  it('ends who is old and always waits for an answer once it has that one, and tells it once', () => {
    const { phases, pass, leaving, counted, deadlines } = watched({ age: 5000, idle: 0 });
    phases[1] = THINKING;
    deadlines.begin(1);
    expect(pass(15_000)).toEqual([]);
    expect(leaving).toHaveLength(1);
    expect(leaving[0]).toMatch(/^1 age 5[0-5]\d\d$/);
    expect(counted).toEqual(['age']);
    // Another gets its number.
    deadlines.begin(1);
    expect(pass(4900)).toEqual([]);
    expect(leaving).toHaveLength(1);
    pass(600);
    expect(leaving).toHaveLength(2);
  });

  it('ends who is old and got its answer, and rests or takes none of it', () => {
    const old = { age: 5000, idle: 0 };
    for (const [phase, most] of [
      [IDLE, 6000],
      [ANSWER, 6000],
    ] as const) {
      const { phases, pass, deadlines, counted } = watched(old);
      phases[1] = THINKING;
      deadlines.begin(1);
      pass(5600);
      phases[1] = phase;
      deadlines.mark(1);
      const [told] = pass(2000);
      expect(told).toMatch(/^1 age/);
      expect(Number(told!.split(' ')[2])).toBeLessThanOrEqual(most + 600);
      expect(counted).toEqual(['age']);
    }
  });

  it('ends who is old and takes no answer where the time for that is not limited', () => {
    const { phases, pass, deadlines } = watched({ age: 5000, idle: 0, answerTime: 0 });
    phases[1] = ANSWER;
    deadlines.begin(1);
    expect(pass(10_000)).toEqual([]);
    expect(pass(1000)[0]).toMatch(/^1 age/);
    const slow = watched({ age: 50_000, idle: 0, answerTime: 0 });
    slow.phases[1] = ANSWER;
    slow.deadlines.begin(1);
    expect(slow.pass(60_000)).toEqual([]);
    expect(slow.pass(1000)[0]).toMatch(/^1 age/);
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
    expect(dry.counted).toEqual(['idle']);
    expect(watched({ idle: 0, questionTime: 0, answerTime: 0 }).deadlines.untilNext(0, 5)).toBe(-1);
    expect(watched().deadlines.untilNext(0, 0)).toBe(-1);
  });

  it('counts in a dry run once for each silence, question and answer, and once the age', () => {
    const { phases, pass, counted, deadlines } = watched({ age: 100_000 }, true);
    deadlines.begin(1);
    for (const phase of [IDLE, QUESTION, ANSWER, IDLE, QUESTION]) {
      phases[1] = phase;
      deadlines.mark(1);
      expect(pass(15_000)).toEqual([]);
    }
    const each = ['idle', 'question-time', 'answer-time'] as const;
    expect(counted).toEqual([...each, 'idle', 'question-time']);
    pass(100_000);
    expect(counted.slice(5)).toEqual(['age']);
    phases[1] = THINKING;
    pass(200_000);
    expect(counted).toHaveLength(6);
  });

  it('has room for any descriptor', () => {
    const { deadlines, phases, pass } = watched();
    phases[70_000] = IDLE;
    deadlines.mark(70_000);
    expect(pass(4600)[0]).toMatch(/^70000 idle/);
  });
});
