import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defaultLimits } from '../limits/limits.ts';
import { LimitReached } from '../protocol/account.ts';
import { alwaysServe, Drain, type Orders } from './drain.ts';
import { ANSWER, GONE, IDLE, PREAMBLE, QUESTION, THINKING } from './phase.ts';
import { type Connections, Roster } from './roster.ts';
import { END, END_AFTER_ANSWER, LOOK, STAY, type TimeLimit } from './terms.ts';

const limits = {
  ...defaultLimits,
  ...{ idle: 4000, questionTime: 2000, answerTime: 1000, age: 0, proxyHeader: 0 },
};

/** A roster over phases that the test sets. The test decides when the roster looks, and sets the clock. */
function watched(
  over: Partial<typeof limits> = {},
  isDryRun = false,
  random = () => 0,
  sparesNewcomers = false,
) {
  const phases: number[] = [];
  const counted: TimeLimit[] = [];
  const leaving: string[] = [];
  let now = 0;
  let told: string[] = [];
  const orders: { -readonly [Name in keyof Orders]: Orders[Name] } = { ...alwaysServe };
  const drain = new Drain(orders, sparesNewcomers);
  const exceeded = (limit: TimeLimit) => {
    counted.push(limit);
    return !isDryRun;
  };
  const roster = new Roster({ ...limits, ...over }, drain, exceeded, { random });
  const connections: Connections = {
    phaseOf: (slot) => phases[slot] ?? GONE,
    visit(slot, decision, cause) {
      const what = cause instanceof LimitReached ? cause.limit : cause;
      if (decision === END_AFTER_ANSWER) leaving.push(`${slot} ${what} ${now}`);
      else {
        told.push(`${slot} ${what} ${now}${decision === LOOK ? ' look' : ''}`);
        phases[slot] = GONE;
        roster.end(slot);
      }
    },
  };
  /** One look at that moment; returns what it reported, as `slot limit at`. */
  function look(at: number): string[] {
    now = at;
    told = [];
    roster.look(now, connections);
    return told;
  }
  return {
    roster,
    phases,
    counted,
    orders,
    look,
    /** The connections that it ended after their next answer, in the same form. */
    leaving,
    come(slot: number, phase: number): void {
      phases[slot] = phase;
      roster.begin(slot);
    },
    /** Lets `ms` pass; returns what became overdue. */
    pass(ms: number): string[] {
      const all: string[] = [];
      for (const end = now + ms; now < end; ) {
        const wait = roster.untilNext(now, phases.length);
        all.push(...look(Math.min(end, now + Math.max(1, wait))));
      }
      return all;
    },
  };
}

const withoutTime = (told: string) => told.replace(/ \d+$/, '');

describe('a stop on a listener that another process keeps', () => {
  it.each([true, false])('gives newcomers the time of an unfinished question: %s', (spares) => {
    const { come, look, roster, orders } = watched({}, false, () => 0, spares);
    for (const slot of [0, 1, 2, 3]) come(slot, IDLE);
    roster.answered(1);
    // A driver says so before the first question too.
    roster.rested(2);
    expect(look(1000)).toEqual([]);
    // Its answer was before the last look, and counts still.
    roster.answered(0);
    expect(look(3000)).toEqual([]);
    Object.assign(orders, { order: 'stop', left: 10_000 });
    const ends = (slots: readonly number[], at: number) =>
      slots.map((slot) => `${slot} stop ${at} look`);
    expect(look(3010)).toEqual(ends(spares ? [0, 1] : [0, 1, 2, 3], 3010));
    expect(look(3250)).toEqual([]);
    expect(look(3260)).toEqual(ends(spares ? [2, 3] : [], 3260));
  });
});

describe('Roster', () => {
  it('closes a client that is idle for too long, not early and at most a quarter of the shortest limit late', () => {
    const { come, pass } = watched();
    come(7, IDLE);
    expect(pass(4000)).toEqual([]);
    const [told] = pass(600);
    expect(told).toMatch(/^7 idle 4[0-5]\d\d$/);
  });

  it('starts the idle time again with each answer', () => {
    const { come, roster, pass } = watched();
    come(1, IDLE);
    for (let i = 0; i < 10; i++) {
      roster.answered(1);
      expect(pass(3500)).toEqual([]);
    }
    expect(pass(1000)).toHaveLength(1);
  });

  it('starts the idle time again with a question that gets no answer', () => {
    const { come, roster, pass } = watched();
    come(1, IDLE);
    for (let i = 0; i < 5; i++) {
      roster.rested(1);
      expect(pass(3500)).toEqual([]);
    }
  });

  it('counts the time of a question from its first byte, even if it comes byte by byte', () => {
    const { come, pass } = watched();
    come(1, QUESTION);
    expect(pass(2000)).toEqual([]);
    expect(pass(500)[0]).toMatch(/^1 question-time/);
  });

  it('treats a question after an answer as a new question', () => {
    const { come, roster, pass } = watched();
    come(1, QUESTION);
    for (let i = 0; i < 5; i++) {
      roster.answered(1);
      expect(pass(1500)).toEqual([]);
    }
  });

  it('closes a client that does not take its answers, and none whose answer is not due', () => {
    const { come, pass } = watched();
    come(1, ANSWER);
    come(2, THINKING);
    expect(pass(60_000).map(withoutTime)).toEqual(['1 answer-time']);
  });

  it('closes a client that is too old between questions', () => {
    const { come, phases, pass } = watched({ age: 5000, idle: 0 });
    come(1, THINKING);
    expect(pass(9000)).toEqual([]);
    phases[1] = IDLE;
    expect(pass(500)[0]).toMatch(/^1 age/);
  });

  it('closes a client that is too old and always waits for an answer after that answer, and reports it once', () => {
    const { come, pass, leaving, counted } = watched({ age: 5000, idle: 0 });
    come(1, THINKING);
    expect(pass(15_000)).toEqual([]);
    expect(leaving).toHaveLength(1);
    expect(leaving[0]).toMatch(/^1 age 5[0-5]\d\d$/);
    expect(counted).toEqual(['age']);
    // Another client gets its slot.
    come(1, THINKING);
    expect(pass(4900)).toEqual([]);
    expect(leaving).toHaveLength(1);
    pass(600);
    expect(leaving).toHaveLength(2);
  });

  it.each([
    IDLE,
    ANSWER,
  ])('closes a client that is too old and got its answer, in phase %i', (phase) => {
    const { come, phases, pass, roster, counted } = watched({ age: 5000, idle: 0 });
    come(1, THINKING);
    pass(5600);
    phases[1] = phase;
    roster.answered(1);
    const [told] = pass(2000);
    expect(told).toMatch(/^1 age/);
    expect(Number(told!.split(' ')[2])).toBeLessThanOrEqual(6600);
    expect(counted).toEqual(['age']);
  });

  it('closes a client that is too old and never idle, after the time for its question or its answer', () => {
    const { come, roster, pass } = watched({ age: 5000, idle: 0 });
    come(1, QUESTION);
    come(2, ANSWER);
    const told: string[] = [];
    for (let i = 0; i < 80; i++) {
      roster.answered(1);
      roster.answered(2);
      told.push(...pass(100));
    }
    expect(told[0]).toMatch(/^1 age 5[2-5]\d\d$/);
    expect(told[1]).toMatch(/^2 age 6[0-3]\d\d$/);
  });

  it('looks once more at a client that is too old and was answered in this turn', () => {
    const { come, phases, roster, look } = watched({ age: 5000, idle: 0 });
    come(1, ANSWER);
    come(2, ANSWER);
    expect(look(100)).toEqual([]);
    for (const slot of [1, 2]) roster.answered(slot);
    expect(look(5200)).toEqual([]);
    expect(roster.untilNext(5200, 1)).toBe(0);
    phases[1] = IDLE;
    expect(look(5200)).toEqual(['1 age 5200']);
    // It does not look again and again at a client that does not take its answer.
    expect(roster.untilNext(5201, 1)).toBeGreaterThan(0);
  });

  it('gives a new connection in a used slot its own time', () => {
    const { come, pass } = watched({ age: 5000, idle: 0 });
    come(1, IDLE);
    expect(pass(4900)).toEqual([]);
    // The connection was closed, and another accepted, between two looks.
    come(1, IDLE);
    expect(pass(4900)).toEqual([]);
    expect(pass(600)[0]).toMatch(/^1 age/);
  });

  it('does not count against a peer the time in which the loop was held up', () => {
    const { come, roster, pass, look } = watched();
    come(1, IDLE);
    expect(pass(500)).toEqual([]);
    // One answer took ten seconds. The loop receives only now what the peer has asked since.
    expect(look(10_500)).toEqual([]);
    let now = 10_500;
    while (now < 20_000) {
      now += roster.untilNext(now, 1);
      if (look(now).length > 0) break;
    }
    // The rest of its 4 s after the first half second.
    expect(now).toBeGreaterThanOrEqual(13_500);
    expect(now).toBeLessThan(15_000);
  });

  it('needs no look without limits, or without connections', () => {
    expect(watched({ idle: 0, questionTime: 0, answerTime: 0 }).roster.untilNext(0, 5)).toBe(-1);
    expect(watched().roster.untilNext(0, 0)).toBe(-1);
  });

  it('ends connections that came together at different ages, none later than the limit', () => {
    const shares = [0, 0.5, 1];
    const times = { idle: 0, age: 6000, ageJitter: 2000 };
    const server = watched(times, false, () => shares.shift()!);
    for (const slot of [0, 1, 2]) server.come(slot, IDLE);
    server.look(0);
    expect(server.pass(10_000)).toEqual(['2 age 4000', '1 age 5000', '0 age 6000']);
  });

  it('ends no connection at once if the jitter is longer than the age', () => {
    const server = watched({ idle: 0, age: 1000, ageJitter: 5000 }, false, () => 0.5);
    server.come(0, IDLE);
    server.look(0);
    expect(server.pass(10_000)).toEqual(['0 age 500']);
  });

  it('gives the header of a proxy one time, which further bytes do not extend', () => {
    const { come, phases, pass, roster } = watched({ proxyHeader: 3000, answerTime: 0 });
    come(1, PREAMBLE);
    for (let i = 0; i < 5; i++) {
      expect(pass(500)).toEqual([]);
      roster.rested(1);
    }
    expect(pass(1000).map(withoutTime)).toEqual(['1 proxy-header']);
    come(2, PREAMBLE);
    expect(pass(2000)).toEqual([]);
    phases[2] = IDLE;
    expect(pass(3500)).toEqual([]);
  });

  it('in a dry run, counts each silence, question and answer once, and the age once', () => {
    const { come, phases, pass, counted, roster } = watched({ age: 100_000 }, true);
    come(1, IDLE);
    for (const phase of [IDLE, QUESTION, ANSWER, IDLE, QUESTION]) {
      phases[1] = phase;
      roster.answered(1);
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

  it('has room for any slot', () => {
    const { come, pass } = watched();
    come(70_000, IDLE);
    expect(pass(4600)[0]).toMatch(/^70000 idle/);
  });

  it('accepts from a thread how long it has slept in a phase', () => {
    const { roster } = watched();
    roster.begin(0);
    expect(roster.lookAt(0, IDLE, 10_000, 3999)).toBe(STAY);
    expect(roster.untilLimit(0, 10_000)).toBe(1);
    expect(roster.lookAt(0, IDLE, 10_001)).toBe(END);
    expect(roster.cause).toMatchObject({ limit: 'idle' });
  });

  it('looks at idle clients once more at a stop, and closes the others as the drain decides', () => {
    const { come, orders, look, phases, roster } = watched();
    for (const [slot, phase] of [IDLE, QUESTION, ANSWER, THINKING].entries()) come(slot, phase);
    expect(look(1000)).toEqual([]);
    orders.order = 'stop';
    orders.left = 5000;
    expect(look(1001)).toEqual(['0 stop 1001 look']);
    expect(look(1250)).toEqual([]);
    expect(look(1251)).toEqual(['1 stop 1251']);
    phases[3] = IDLE;
    expect(look(1261)).toEqual(['3 stop 1261 look']);
    orders.left = 0;
    expect(look(1271)).toEqual(['2 stop 1271']);
    expect(roster.untilNext(1271, 1)).toBe(10);
  });

  it('of a worker that noticed the stop too late reads each connection once more, and no more often', () => {
    const { come, look, orders, roster, phases } = watched();
    come(0, IDLE);
    come(1, QUESTION);
    orders.order = 'stop';
    orders.left = -200;
    expect(look(100)).toEqual(['0 stop 100 look', '1 stop 100']);
    come(2, IDLE);
    expect(roster.lookAt(2, IDLE, 200)).toBe(LOOK);
    // It was answered, and has asked again.
    roster.answered(2);
    phases[2] = IDLE;
    expect(roster.lookAt(2, IDLE, 210)).toBe(END);
  });

  it('knows which clients were answered since the worker leaves', () => {
    const { come, look, roster } = watched();
    for (const slot of [1, 2, 3]) come(slot, IDLE);
    roster.answered(1);
    roster.answered(2);
    roster.noteLeaving();
    roster.answered(2);
    roster.rested(3);
    look(5);
    expect([1, 2, 3].map((slot) => roster.isAnsweredSinceLeaving(slot))).toEqual([
      false,
      true,
      false,
    ]);
    come(2, IDLE);
    expect(roster.isAnsweredSinceLeaving(2)).toBe(false);
  });

  it('closes no client early, and each one at most a quarter of the shortest limit late, for any behaviour', () => {
    const changes = fc.array(
      fc.record({ after: fc.nat(3000), phase: fc.constantFrom(IDLE, QUESTION, ANSWER, THINKING) }),
      { maxLength: 20 },
    );
    /** In ms, by phase. */
    const most = [0, 4000, 2000, 1000, Number.POSITIVE_INFINITY];
    fc.assert(
      fc.property(changes, (script) => {
        const { come, phases, pass, roster } = watched();
        come(1, IDLE);
        let [phase, since, now]: number[] = [IDLE, 0, 0];
        const last = { after: 10_000, phase: IDLE };
        for (const next of [...script, last]) {
          const [told] = pass(next.after);
          now! += next.after;
          if (told !== undefined) {
            const at = Number(told.split(' ')[2]);
            expect(at - since!).toBeGreaterThanOrEqual(most[phase!]!);
            // One look notices that the phase began, and a later one that its time is over.
            expect(at - since!).toBeLessThanOrEqual(most[phase!]! + 2 * 250);
            return;
          }
          expect(now! - since!).toBeLessThanOrEqual(most[phase!]! + 2 * 250);
          if (next.phase === phase) continue;
          phase = next.phase;
          since = now;
          phases[1] = phase;
          // Its phase changes because it was answered.
          roster.answered(1);
        }
      }),
    );
  });
});
