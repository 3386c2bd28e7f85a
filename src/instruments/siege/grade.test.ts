import { describe, expect, it } from 'vitest';
import { type DrainSeen, grade, gradeDrain, percent, type Seen } from './grade.ts';

const look = { memory: 100 * 2 ** 20, descriptors: 60, threads: 14, cpu: 0 };
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
  it('is A where nobody noticed the attack, and has nothing to explain', () => {
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

  it('is F for what must not happen at all, however many were answered', () => {
    expect(gradeOf({ recovery: undefined })).toBe('F');
    expect(gradeOf({ isAlive: false })).toBe('F');
    expect(gradeOf({ deaths: 1 })).toBe('F');
    expect(gradeOf({ probes: { sent: 25, answered: 24, wrong: 1 } })).toBe('F');
    expect(gradeOf({ intensity: { ...well.intensity, wrong: 1 } })).toBe('F');
    expect(grade({ ...well, deaths: 2 }).reasons).toEqual(['2 workers died by themselves']);
  });

  it('is at most C where a server took too much, kept it, wrote too much or span', () => {
    expect(gradeOf({ peak: { ...look, memory: look.memory + 600 * 2 ** 20 } })).toBe('C');
    expect(gradeOf({ after: { ...look, descriptors: 100 } })).toBe('C');
    expect(gradeOf({ after: { ...look, threads: 40 } })).toBe('C');
    expect(gradeOf({ lines: 13_794 })).toBe('C');
    expect(gradeOf({ cores: 0.9, isIdle: true })).toBe('C');
    // Work costs what it costs, and what is worse already stays so.
    expect(gradeOf({ cores: 0.9 })).toBe('A');
    expect(gradeOf({ ...answered(20), lines: 13_794 })).toBe('D');
  });

  it('is void and no pass where the attack fell short', () => {
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
    // Whoever fell to less has fallen.
    expect(gradeOf({ intensity, ...answered(0) })).toBe('E');
  });
});

describe('a drain', () => {
  const orderly: DrainSeen = { ms: 40, left: 0, guest: 'answered', kills: 0 };
  const drainOf = (change: Partial<DrainSeen>) => gradeDrain({ ...orderly, ...change });

  it('is A where it ends in time, nothing is left, and who had asked was answered', () => {
    expect(gradeDrain(orderly)).toEqual({ grade: 'A', reasons: [] });
    expect(drainOf({ ms: 3000 }).grade).toBe('A');
    expect(drainOf({ ms: undefined }).reasons).toEqual(['it had to be killed']);
    expect(drainOf({ ms: 3001 }).reasons).toEqual(['it took 3001 ms']);
    expect(drainOf({ left: 2 }).reasons).toEqual(['2 processes are left']);
  });

  it('is F where a question that had been asked was not answered, however long it took', () => {
    for (const ms of [40, 999, 1000, 1715, 2900]) {
      expect(drainOf({ ms, guest: 'cut' })).toEqual({
        grade: 'F',
        reasons: ['a question that had been asked was not answered (cut)'],
      });
    }
    expect(drainOf({ guest: 'late' }).grade).toBe('F');
    expect(drainOf({ guest: 'wrong' }).grade).toBe('F');
    // Lost with the worker that was killed; but a wrong answer is one.
    expect(drainOf({ guest: 'cut', kills: 1 }).grade).toBe('A');
    expect(drainOf({ guest: 'wrong', kills: 1 }).grade).toBe('F');
  });

  it('is void where nobody was there to be answered, but for what is wrong besides', () => {
    expect(drainOf({ guest: undefined })).toEqual({
      grade: undefined,
      reasons: ['no honest client had got in before it'],
    });
    expect(drainOf({ guest: undefined, left: 1 }).grade).toBe('F');
  });

  it('is excused only for the answer that could not be given', () => {
    const byDesign = 'one thread makes all answers';
    expect(drainOf({ guest: 'cut', byDesign })).toMatchObject({ grade: 'F', byDesign });
    expect(drainOf({ guest: 'cut', byDesign, left: 1 })).not.toHaveProperty('byDesign');
    expect(drainOf({ guest: 'wrong', byDesign })).not.toHaveProperty('byDesign');
    expect(drainOf({ byDesign })).toEqual({ grade: 'A', reasons: [] });
  });
});

it('100 % is all of them', () => {
  expect([percent(1), percent(0.999), percent(0)]).toEqual(['100 %', '99 %', '0 %']);
});
