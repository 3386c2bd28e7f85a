import fc from 'fast-check';
import { expect, test } from 'vitest';
import { idleLanes, LabRun, served } from '../../../../test/support/lab-run.ts';
import { answer, begin, finish, guess, observe, phaseOf, startOf } from './mission.ts';
import { missionOf, missions } from './missions.ts';
import { FIRST_NC } from './wire.ts';

const capacity = missionOf('2')!;
/** The first goal of mission 2 holds. */
const three = { clients: served([FIRST_NC, FIRST_NC + 1, FIRST_NC + 2]), light: 'green' } as const;
const reachedOf = (run: LabRun) => run.progress.reached.map(({ id }) => id);

test('a mission asks first: before the prediction it observes nothing', () => {
  const run = new LabRun(capacity, Number.NaN);
  expect(phaseOf(run.progress)).toBe('predict');
  run.show(4000, three, three);
  expect(reachedOf(run)).toEqual([]);
  expect(finish(run.progress)).toBeUndefined();
});

test('only the first prediction counts, and only one that the question allows', () => {
  const fresh = begin(capacity);
  for (const wrong of [-1, Number.NaN, Number.POSITIVE_INFINITY, 1001]) {
    expect(guess(fresh, wrong)).toBe(fresh);
  }
  expect(guess(guess(fresh, 3), 4).predicted).toBe(3);
  const choices = begin(missionOf('4')!);
  for (const wrong of [4, 1.5, -1]) expect(guess(choices, wrong)).toBe(choices);
});

test('a goal that must hold for 3 s begins again after a break', () => {
  const run = new LabRun(capacity, 4);
  run.show(2500, three, three);
  run.show(100, three, { ...three, light: 'red' });
  run.show(2500, three, three);
  expect(reachedOf(run)).toEqual([]);
  run.show(800, three, three);
  expect(reachedOf(run)).toEqual(['three']);
});

test('a viewer who jumps forward or back in a replay reaches nothing by it', () => {
  const run = new LabRun(capacity, 4);
  run.show(1000, three, three);
  const before = run.progress;
  const late = { ...run.model, t: run.model.t + 60_000 };
  expect(observe(before, late).reached).toEqual([]);
  expect(observe(before, { ...run.model, t: 10 })).toBe(before);
});

test('the servers of the run before do not count for a mission that is done again', () => {
  const run = new LabRun(capacity, 4);
  run.show(4000, three, three);
  const { setup } = run.model;
  run.progress = guess(begin(capacity), 4, setup);
  run.show(4000, three, three);
  expect({ began: run.progress.began, reached: reachedOf(run) }).toEqual({ reached: [] });
  run.change({ ...setup! });
  run.show(4000, three, three);
  expect(reachedOf(run)).toEqual(['three']);
});

test('a step counts only once the steps before it are done', () => {
  const run = new LabRun(capacity, 4);
  const four = { ...three, clients: served([1, 2, 3, 4].map((i) => FIRST_NC + i)) };
  run.show(4000, { ...four, light: 'red' }, { ...four, light: 'red' });
  expect(reachedOf(run)).toEqual([]);
});

test('other scenes are not the mission, and other sliders of the same servers are', () => {
  const run = new LabRun(capacity, 4);
  run.show(100, three, three);
  const { setup } = run.model;
  run.change({ ...setup!, scene: '', mix: { ...setup!.mix, clients: 3 } });
  run.show(3500, three, three);
  expect(reachedOf(run)).toEqual(['three']);
  const other = new LabRun(capacity, 4);
  other.leave();
  other.show(4000, three, three);
  expect(reachedOf(other)).toEqual([]);
});

test('the question after has one answer, at the end', () => {
  const run = new LabRun(missionOf('7')!, 55);
  expect(answer(run.progress, 2)).toBe(run.progress);
  const ids = Array.from({ length: 54 }, (_, index) => index + 1);
  const stage = { light: 'green', clients: served(ids), lanes: idleLanes(1) } as const;
  run.show(3500, stage, stage);
  expect(phaseOf(run.progress)).toBe('after');
  const done = answer(answer(run.progress, 2), 1);
  expect(phaseOf(done)).toBe('over');
  expect(finish(done)).toMatchObject({
    predicted: 55,
    measured: 55,
    isClose: true,
    answered: 2,
    isAnsweredRight: true,
    has: 2,
    needed: 2,
  });
  run.show(1000, stage, stage);
  expect(run.progress.reached).toBe(done.reached);
});

test('a mission starts with its plan, and with a probe if it needs one', () => {
  expect(startOf(capacity)).toEqual([
    { do: 'plan', plan: capacity.plan, scene: 'mission-2' },
    { do: 'probe', s: -1, on: true },
  ]);
});

const picture = fc.record({
  clients: fc.array(
    fc.record({
      id: fc.oneof(fc.integer({ min: 1, max: 60 }), fc.constant(FIRST_NC)),
      place: fc.integer({ min: 0, max: 3 }),
      answers: fc.nat(9),
    }),
    { maxLength: 8 },
  ),
  waiting: fc.nat(9),
  own: fc.nat(5),
  answered: fc.nat(300),
  light: fc.constantFrom('off', 'green', 'red'),
  memory: fc.nat(900),
});

test('after any run, progress has only grown, and the same run gives the same progress', () => {
  const runs = fc.record({
    mission: fc.constantFrom(...missions),
    pictures: fc.array(fc.tuple(fc.nat(3000), picture), { maxLength: 8 }),
  });
  fc.assert(
    fc.property(runs, ({ mission, pictures }) => {
      const play = () => {
        const run = new LabRun(mission, 0);
        let before = run.progress;
        for (const [ms, shown] of pictures) {
          run.show(ms, ...mission.plan.stages.map(() => shown));
          expect(run.progress.reached.slice(0, before.reached.length)).toEqual(before.reached);
          expect(run.progress.step).toBeGreaterThanOrEqual(before.step);
          before = run.progress;
        }
        return finish(run.progress)!;
      };
      const result = play();
      expect(play()).toEqual(result);
      expect(result.has).toBeLessThanOrEqual(result.needed);
      expect(Number.isFinite(result.measured)).toBe(true);
    }),
    { numRuns: 50 },
  );
});
