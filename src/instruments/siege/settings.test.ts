import { expect, it } from 'vitest';
import { architectureNames, loadArchitecture } from '../../architectures/catalogue.ts';
import { noLimits } from '../../limits/limits.ts';
import { attackNamed, attacks } from './attacks.ts';
import { byDesign, forceOf, limitsOf } from './settings.ts';

const catalogue = await Promise.all(architectureNames.map(loadArchitecture));
const named = (name: string) => catalogue.find((traits) => traits.name === name)!;

it('without limits there are none, and with limits one address may have half of a pool', () => {
  expect(limitsOf('off', named('epoll'))).toEqual(noLimits);
  const share = (name: string) => limitsOf('on', named(name)).connectionsPerAddress;
  expect(share('single')).toBe(1);
  expect(share('threaded')).toBe(2);
  expect(share('prefork')).toBe(2);
  expect(share('epoll')).toBe(32);
  expect(share('socketserver')).toBe(8);
  for (const traits of catalogue) {
    const { idle, questionTime, answerTime, acceptsPerSecond } = limitsOf('on', traits);
    expect(Math.min(idle, questionTime, answerTime, acceptsPerSecond)).toBeGreaterThan(0);
  }
});

it('where each connection costs a thread or a process, fewer come', () => {
  expect(forceOf(named('inetd')).crowd).toBeLessThan(forceOf(named('epoll')).crowd);
});

it('what cannot be survived follows from what a page declares', () => {
  const excused = (attack: string) =>
    catalogue.filter((traits) => byDesign(attackNamed(attack)!, traits)).map(({ name }) => name);
  expect(excused('idle-crowd')).toEqual(['single']);
  expect(excused('slow-drip')).toEqual(['single']);
  expect(excused('churn')).toEqual([]);
  expect(excused('kill')).toEqual(['socketserver']);
  expect(excused('burn')).toEqual(
    catalogue
      .filter(
        ({ name }) => !['threaded', 'queued', 'prefork', 'socketserver', 'inetd'].includes(name),
      )
      .map(({ name }) => name),
  );
});

it('the attacks have names of their own', () => {
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  expect(attackNamed('no such')).toBeUndefined();
});
