import { describe, expect, it } from 'vitest';
import {
  type Calm,
  type DrainSeen,
  drainBeside,
  grade,
  gradeBeside,
  gradeDrain,
  isSlow,
  type Seen,
} from './grade.ts';

const look = { memory: 100 * 2 ** 20, descriptors: 60, threads: 14, processes: 2, cpu: 0 };
const well: Seen = {
  probes: { sent: 25, answered: 25, wrong: 0 },
  recovery: 3,
  calm: look,
  peak: look,
  after: look,
  cores: 0.1,
  lines: 100,
  accepted: 50,
  isAlive: true,
  deaths: 0,
  intensity: { reached: 400, prevented: 0, wanted: 400, unit: 'connections at once', wrong: 0 },
  isIdle: false,
};
const gradeOf = (change: Partial<Seen>) => grade({ ...well, ...change }).grade;
const answered = (count: number) => ({ probes: { sent: 100, answered: count, wrong: 0 } });

describe('a grade', () => {
  it('is A without a reason if honest clients did not notice the attack', () => {
    expect(grade(well)).toEqual({ grade: 'A', reasons: [] });
  });

  it('falls with the share of honest clients that were answered', () => {
    const grades = [99, 98, 90, 89, 50, 49, 10, 9, 0].map((count) => gradeOf(answered(count)));
    expect(grades.join('')).toBe('ABBCCDDEE');
  });

  it('falls with the time to recover', () => {
    const grades = [0, 1000, 1001, 2000, 2001, 4999].map((recovery) => gradeOf({ recovery }));
    expect(grades.join('')).toBe('AABBCC');
  });

  it('is F for a wrong answer or a death, whatever the share of answers', () => {
    expect(gradeOf({ recovery: undefined })).toBe('F');
    expect(gradeOf({ isAlive: false })).toBe('F');
    expect(gradeOf({ deaths: 1 })).toBe('F');
    expect(gradeOf({ probes: { sent: 25, answered: 24, wrong: 1 } })).toBe('F');
    expect(gradeOf({ intensity: { ...well.intensity, wrong: 1 } })).toBe('F');
    expect(grade({ ...well, deaths: 2 }).reasons).toEqual(['2 workers died by themselves']);
  });

  it('is at most C if the server used too much, kept it, logged too much or spun', () => {
    expect(gradeOf({ peak: { ...look, memory: look.memory + 600 * 2 ** 20 } })).toBe('C');
    expect(gradeOf({ after: { ...look, descriptors: 100 } })).toBe('C');
    expect(gradeOf({ after: { ...look, threads: 40 } })).toBe('C');
    // Five threads that wait for the next client keep the descriptors of their event loops.
    const { descriptors, threads } = look;
    const kept = { ...look, threads: threads + 5, descriptors: descriptors + 25 };
    expect(gradeOf({ after: kept })).toBe('A');
    expect(gradeOf({ after: { ...kept, descriptors: kept.descriptors + 13 } })).toBe('C');
    // Three processes that wait for the next client keep their own threads and descriptors.
    const ready = { ...look, processes: 5, threads: 35, descriptors: 150 };
    expect(gradeOf({ after: ready })).toBe('A');
    expect(gradeOf({ after: { ...ready, descriptors: 163 } })).toBe('C');
    expect(gradeOf({ after: { ...ready, processes: 15 } })).toBe('C');
    expect(gradeOf({ lines: 13_794 })).toBe('C');
    expect(gradeOf({ cores: 0.9, isIdle: true })).toBe('C');
    // An attack that is not idle may use processors, and a worse grade stays.
    expect(gradeOf({ cores: 0.9 })).toBe('A');
    expect(gradeOf({ ...answered(20), lines: 13_794 })).toBe('D');
  });

  it('is void, and not a pass, if the attack fell short', () => {
    const intensity = { ...well.intensity, reached: 350 };
    expect(grade({ ...well, intensity })).toEqual({
      grade: undefined,
      reasons: ['the attack reached 350 of 400 connections at once'],
    });
    expect(gradeOf({ intensity: { ...intensity, reached: 360 } })).toBe('A');
    expect(gradeOf({ intensity: { ...intensity, reached: 20, prevented: 340 } })).toBe('A');
    expect(grade({ ...well, intensity: { ...intensity, reached: 20, prevented: 339 } })).toEqual({
      grade: undefined,
      reasons: ['the attack reached 20 of 400 connections at once, 339 prevented by the server'],
    });
    // A server that failed under a weaker attack has failed.
    expect(gradeOf({ intensity, ...answered(0) })).toBe('E');
  });
});

describe('a grade beside a run without an attack', () => {
  const calm: Calm = {
    probes: well.probes,
    recovery: 3,
    drain: { grade: 'A', reasons: [] },
  };
  const slowCalm: Calm = { ...calm, probes: { sent: 100, answered: 89, wrong: 0 } };
  const fallen: readonly Partial<Seen>[] = [
    answered(89),
    answered(0),
    { recovery: undefined },
    { recovery: 2001 },
    { ...answered(20), lines: 13_794 },
  ];
  const beside = (change: Partial<Seen>, other?: Partial<Calm>) =>
    gradeBeside({ ...well, ...change }, other && { ...calm, ...other });

  it('stays if the server did well without the attack, or was not measured without it', () => {
    for (const change of fallen) {
      expect(beside(change)).toEqual(grade({ ...well, ...change }));
      expect(beside(change, {})).toEqual(grade({ ...well, ...change }));
      // A B without an attack explains nothing: 9 of 10 clients were answered.
      const fair = { probes: { sent: 100, answered: 90, wrong: 0 } };
      expect(beside(change, fair)).toEqual(grade({ ...well, ...change }));
    }
  });

  it('is void if the machine is too slow without the attack, and keeps the original grade as a reason', () => {
    for (const change of fallen) expect(beside(change, slowCalm).grade).toBeUndefined();
    expect(beside(answered(0), slowCalm).reasons).toEqual([
      'this machine is too slow for the honest clients alone: without an attack, 89 of 100 were answered in time',
      'it was E, 0 % of the honest clients answered in time',
    ]);
    expect(beside({ recovery: undefined }, { recovery: undefined }).reasons).toEqual([
      'this machine is too slow for the honest clients alone: without an attack, 25 of 25 were answered in time, and none soon after',
      'it was F, no honest client answered 5 s after the attack',
    ]);
  });

  it('stays F for a fault that a slow machine cannot explain', () => {
    const faults: readonly Partial<Seen>[] = [
      { deaths: 1 },
      { isAlive: false },
      { probes: { sent: 100, answered: 10, wrong: 1 } },
      { intensity: { ...well.intensity, wrong: 1 } },
    ];
    for (const fault of faults) {
      expect(beside({ ...answered(0), ...fault }, slowCalm).grade).toBe('F');
    }
  });

  it('stays for a fault that has nothing to do with speed', () => {
    expect(beside({}, slowCalm).grade).toBe('A');
    expect(beside({ lines: 13_794 }, slowCalm).grade).toBe('C');
  });

  it('needs a run without an attack only if slowness can be the reason', () => {
    expect(fallen.every((change) => isSlow({ ...well, ...change }))).toBe(true);
    expect([well, { ...well, ...answered(90) }].some(isSlow)).toBe(false);
  });

  it('is void for a drain by the same rule', () => {
    const bad = { grade: 'F', reasons: ['it took 3001 ms'], ms: 3001 } as const;
    const badCalm = { grade: 'F', reasons: ['it took 3500 ms'] } as const;
    expect(drainBeside(bad, undefined)).toBe(bad);
    expect(drainBeside(bad, calm.drain)).toBe(bad);
    expect(drainBeside(bad, badCalm)).toEqual({
      grade: undefined,
      ms: 3001,
      reasons: [
        'this machine is too slow: without an attack, it took 3500 ms',
        'it was F, it took 3001 ms',
      ],
    });
    const good = { grade: 'A', reasons: [] } as const;
    expect(drainBeside(good, badCalm)).toBe(good);
  });
});

describe('a drain', () => {
  const orderly: DrainSeen = { ms: 40, left: 0, guest: 'answered', kills: 0 };
  const drainOf = (change: Partial<DrainSeen>) => gradeDrain({ ...orderly, ...change });

  it('is A if it ends in time, leaves no process, and answers the open question', () => {
    expect(gradeDrain(orderly)).toEqual({ grade: 'A', reasons: [] });
    expect(drainOf({ ms: 3000 }).grade).toBe('A');
    expect(drainOf({ ms: undefined }).reasons).toEqual(['it had to be killed']);
    expect(drainOf({ ms: 3001 }).reasons).toEqual(['it took 3001 ms']);
    expect(drainOf({ left: 2 }).reasons).toEqual(['2 processes are left']);
  });

  it('is F if an open question was not answered, however long the drain took', () => {
    for (const ms of [40, 999, 1000, 1715, 2900]) {
      expect(drainOf({ ms, guest: 'cut' })).toEqual({
        grade: 'F',
        reasons: ['a question that had been asked was not answered (cut)'],
      });
    }
    expect(drainOf({ guest: 'late' }).grade).toBe('F');
    expect(drainOf({ guest: 'wrong' }).grade).toBe('F');
    // A killed worker loses its client, but a wrong answer is a fault.
    expect(drainOf({ guest: 'cut', kills: 1 }).grade).toBe('A');
    expect(drainOf({ guest: 'wrong', kills: 1 }).grade).toBe('F');
  });

  it('is void without an honest client, unless something else is wrong', () => {
    expect(drainOf({ guest: undefined })).toEqual({
      grade: undefined,
      reasons: ['no honest client was connected before it'],
    });
    expect(drainOf({ guest: undefined, left: 1 }).grade).toBe('F');
  });

  it('is excused only for the answer that was impossible', () => {
    const byDesign = 'one thread makes all answers';
    expect(drainOf({ guest: 'cut', byDesign })).toMatchObject({ grade: 'F', byDesign });
    expect(drainOf({ guest: 'cut', byDesign, left: 1 })).not.toHaveProperty('byDesign');
    expect(drainOf({ guest: 'wrong', byDesign })).not.toHaveProperty('byDesign');
    expect(drainOf({ byDesign })).toEqual({ grade: 'A', reasons: [] });
  });
});
