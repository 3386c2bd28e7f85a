import { expect, it } from 'vitest';
import { architectureNames, loadArchitecture } from '../../architectures/catalogue.ts';
import { noLimits } from '../../limits/limits.ts';
import { attackNamed, attacks } from './attacks.ts';
import { byDesign, forceOf, limitsOf } from './settings.ts';

const catalogue = await Promise.all(architectureNames.map(loadArchitecture));
const named = (name: string) => catalogue.find((traits) => traits.name === name)!;

it('mode off has no limits; with mode on, one address may have half of a pool', () => {
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

it('fewer clients attack if each connection costs a thread or a process', () => {
  expect(forceOf(named('inetd')).crowd).toBeLessThan(forceOf(named('epoll')).crowd);
});

it('what an architecture cannot survive follows from its traits', () => {
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

it('each attack has a unique name', () => {
  expect(new Set(attacks.map(({ name }) => name)).size).toBe(attacks.length);
  expect(attackNamed('no such')).toBeUndefined();
});
