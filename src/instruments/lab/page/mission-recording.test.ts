import { gunzipSync } from 'node:zlib';
import { expect, it } from 'vitest';
import { nothing } from '../shared/model.ts';
import { MOST_BYTES } from '../shared/recording.ts';
import { MissionRecording } from './mission-recording.ts';

it('ends where a reader would refuse it, and has no gap', async () => {
  const recording = new MissionRecording(nothing);
  const text = '’'.repeat(2 ** 20);
  const count = Math.ceil(MOST_BYTES / 2 ** 20);
  for (let t = 1; t <= count; t++) recording.push({ k: 'c', t, s: -1, text });
  recording.push({ k: 'c', t: count + 1, s: -1, text: 'short' });
  const { bytes } = await recording.packed();
  const unpacked = gunzipSync(bytes);
  expect(unpacked.length).toBeLessThan(MOST_BYTES);
  const lines = unpacked.toString().trimEnd().split('\n');
  expect(lines.length).toBeGreaterThan(2);
  expect(lines.at(-1)).toBe(`{"k":"end","t":${lines.length - 1}}`);
});
