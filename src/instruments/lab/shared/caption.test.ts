import { expect, test } from 'vitest';
import { labHeader } from '../../../../test/support/lab-recording.ts';
import { captionOf, commandText } from './caption.ts';

test('a caption has what, when, where, and the command that shows it again', () => {
  expect(captionOf(labHeader, labHeader.setup, 120_000)).toEqual([
    'One silent client: single and poll; 2 clients, 1 of them silent',
    '2026-11-27 17:22 UTC, Linux 6.18, 2 processors, Node 26.1.0, Mondo 0.1.0',
    'npx mondo lab --scene silent --seed 7',
  ]);
});

test('without a scene the command names the architectures', () => {
  expect(commandText({ ...labHeader.setup, scene: '' })).toBe('npx mondo lab single poll --seed 7');
});

test('a command that a reader may paste into a shell has nothing of a stranger’s in it', () => {
  const [stage] = labHeader.setup.stages;
  const stages = [{ ...stage!, architecture: '; rm -rf ~' }];
  expect(commandText({ ...labHeader.setup, scene: '$(reboot)', stages })).toBe(
    'npx mondo lab --seed 7',
  );
});
