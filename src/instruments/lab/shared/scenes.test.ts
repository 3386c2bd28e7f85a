import fc from 'fast-check';
import { expect, test } from 'vitest';
import { architectureNames } from '../../../architectures/catalogue.ts';
import type { Plan } from './plan.ts';
import { MOST } from './records.ts';
import { linkOf, planOf, sceneNamed, scenes } from './scenes.ts';

/** A scene without what only a scene has. */
const planIn = ({ title, seed, mix, stages, think, thinking, limits, dryRun }: Plan): Plan => ({
  title,
  seed,
  mix,
  stages,
  think,
  thinking,
  limits,
  dryRun,
});

test('the keys 1 to 9 play nine scenes, and the first is single beside poll', () => {
  expect(scenes.map(({ key }) => key).join('')).toBe('123456789');
  expect(new Set(scenes.map(({ name }) => name)).size).toBe(9);
  expect(scenes[0]!.stages.map(({ architecture }) => architecture)).toEqual(['single', 'poll']);
  expect(sceneNamed('silent')).toBe(scenes[0]);
  expect(sceneNamed('__proto__')).toBeUndefined();
});

test('each scene has architectures that exist, and clients for its tempers', () => {
  for (const { stages, mix } of scenes) {
    expect(stages.length).toBeLessThanOrEqual(MOST.stages);
    for (const { architecture } of stages) expect(architectureNames).toContain(architecture);
    expect(mix.silent + mix.slow + mix.leaving + mix.pipelining).toBeLessThanOrEqual(mix.clients);
  }
});

test('the link of a scene leads back to it', () => {
  for (const scene of scenes) expect(planOf(linkOf(scene))).toEqual(planIn(scene));
  expect(linkOf(scenes[3]!)).toBe(
    '#/s?a=threaded:threads=4,prefork:processes=4&clients=6&silent=3&pause=400&questions=1&think=80&seed=7&title=Capacity%20is%20threads',
  );
});

test.each([
  '',
  '#t=0123',
  '#/s?',
  '#/s?a=',
  '#/s?a=single&clients=2001',
  '#/s?a=single&clients=-1',
  '#/s?a=single&clients=1e3',
  '#/s?a=single&clients=NaN',
  '#/s?a=../etc',
  '#/s?a=single:threads=65',
  '#/s?a=single:__proto__=1',
  '#/s?a=single,poll,epoll,select,uring',
  '#/s?a=single&title=%E0%A4',
])('the link %j is no plan', (link) => {
  expect(planOf(link)).toBeUndefined();
});

test('any text is a plan or none, and a plan is within the bounds', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      const plan = planOf(`#/s?a=single&${text}`);
      if (plan === undefined) return;
      expect(plan.mix.clients).toBeLessThanOrEqual(MOST.clients);
      expect(planOf(linkOf(plan))).toEqual(plan);
    }),
  );
});
