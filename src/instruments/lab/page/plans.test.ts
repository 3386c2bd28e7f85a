import { expect, test } from 'vitest';
import { labStage } from '../../../../test/support/lab-recording.ts';
import type { Setup } from '../shared/records.ts';
import { linkOf, planOf, scenes } from '../shared/scenes.ts';
import { unfitText } from './attacks.tsx';
import { linkIn } from './links.ts';
import { planOfSetup } from './plans.ts';
import { linesOf, passIn } from './socket.ts';

const { mix } = scenes[0]!;
const setup: Setup = {
  scene: 'timeout',
  title: 'A title',
  seed: 7,
  mix,
  stages: [
    labStage('threaded', {
      plan: { architecture: 'threaded', threads: 4, backlog: 1024 },
      limits: [
        ['idle', 3],
        ['connections', 1000],
      ],
      dryRun: true,
    }),
    labStage('inetd', { plan: { architecture: 'inetd', wait: 1 } }),
  ],
};

test('what runs becomes a plan that starts the same again', () => {
  const plan = planOfSetup(setup);
  expect(plan).toEqual({
    title: 'A title',
    seed: 7,
    mix,
    stages: [
      { architecture: 'threaded', threads: 4, backlog: 1024 },
      { architecture: 'inetd', wait: 1 },
    ],
    think: 200,
    thinking: 'block',
    limits: { idle: 3 },
    dryRun: true,
  });
  expect(planOf(linkOf(plan))).toEqual(plan);
});

test('a link is found in the fragment with a token and without', () => {
  expect(linkIn('#/s?a=single&seed=7')).toBe('#/s?a=single&seed=7');
  expect(linkIn('#t=abc&/s?a=single')).toBe('#/s?a=single');
  expect(linkIn('#t=abc')).toBe('');
  expect(linkIn('')).toBe('');
});

test('the pass comes from the address, and else from the tab', () => {
  expect(passIn('#t=aB-_9', null)).toBe('t.aB-_9');
  expect(passIn('#o=code&/s?a=single', 't.old')).toBe('o.code');
  expect(passIn('#/s?a=single', 't.old')).toBe('t.old');
  expect(passIn('', null)).toBe('');
});

test('a message has one record a line; a line that is cut is skipped', () => {
  expect(linesOf('{"k":"end","t":1}\n{"k":"en\n\n')).toEqual([{ k: 'end', t: 1 }]);
});

test('an attack on all servers is unfit only if it fits none', () => {
  const attack = { name: 'burn', title: '', sentence: '', unfit: { single: 'no processes' } };
  expect(unfitText(attack, ['single'])).toBe('no processes');
  expect(unfitText(attack, ['poll'])).toBe('');
  expect(unfitText(attack, ['single', 'poll'])).toBe('');
});
