import { statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Player } from '../shared/player.ts';
import { unpack } from '../shared/recording.ts';
import { scenes } from '../shared/scenes.ts';
import { why } from '../shared/why.ts';
import { recordedScenes } from './recorded-scenes.ts';

const files = new Map(recordedScenes());

async function playerOf(name: string): Promise<Player> {
  const player = new Player('recording');
  const bytes = files.get(`/recorded/${name}.mondolab`)!;
  for (const record of await unpack(new Uint8Array(bytes))) player.push(record);
  return player;
}

describe.each(scenes)('the recording of scene $name', ({ name, title, stages, seed }) => {
  test('is small, of 20 to 60 s, and of the servers of the scene', async () => {
    expect(files.get(`/recorded/${name}.mondolab`)!.length).toBeLessThan(300 * 1024);
    const player = await playerOf(name);
    const length = (player.to - player.from) / 1000;
    expect(length).toBeGreaterThan(20);
    expect(length).toBeLessThan(60);
    const { setup, hasEnded } = player.live;
    expect(setup).toMatchObject({ scene: name, title, seed });
    const architectures = (all: readonly { readonly architecture: string }[]) =>
      all.map(({ architecture }) => architecture);
    expect(architectures(setup!.stages)).toEqual(architectures(stages));
    expect(hasEnded).toBe(true);
  });

  test('has no fault of the recording: no gap, no wrong answer, and clients that ask', async () => {
    const { live } = await playerOf(name);
    for (const { lost, users } of live.stages) expect([lost, users.wrong]).toEqual([0, 0]);
    expect(live.stages.some(({ users }) => users.asked > 0)).toBe(true);
  });
});

test('the first scene shows what it is about: one silent client stops single, and not poll', async () => {
  const player = await playerOf('silent');
  const model = player.modelAt(player.from + 15_000);
  const reasons = model.stages.map((_, index) => why(model, index));
  expect(reasons[0]!.culprits).toEqual([1]);
  expect(reasons[0]!.victims.length).toBeGreaterThanOrEqual(4);
  expect(reasons[1]!.culprits).toEqual([]);
  expect(model.stages.map(({ users }) => users.answered > 0)).toEqual([false, true]);
});

test('the page with the first scene in it has at most 1 MiB', () => {
  const page = join(import.meta.dirname, '../../../../docs/lab/silent.html');
  expect(statSync(page).size).toBeLessThan(2 ** 20);
});
