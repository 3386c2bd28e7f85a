import { expect, test } from 'vitest';
import { hostileRecording, labRecording } from '../../../../test/support/lab-recording.ts';
import { expectSound } from '../../../../test/support/pages.ts';
import { nothing } from '../shared/model.ts';
import { apply } from '../shared/reducer.ts';
import { posterOf, posterSvg, shotOf } from './poster.ts';

const shot = (records = labRecording()) => shotOf(records.reduce(apply, nothing), 5000)!;

test('a poster has its title, a sentence for each stage, and the caption', () => {
  const { lines, cells } = posterOf(shot(), 1280);
  const texts = (look: string) =>
    lines.filter((line) => line.look === look).map(({ text }) => text);
  expect(texts('title')).toEqual(['One silent client']);
  expect(texts('name')).toEqual(['single', 'poll']);
  expect(texts('sentence').join(' ')).toContain('client 1');
  expect(texts('caption').at(-1)).toBe('npx mondo lab --scene silent --seed 7');
  expect(cells.map(({ index }) => index)).toEqual([0, 1]);
});

test('nothing of a poster lies outside of it, and pictures do not lie over each other', () => {
  for (const width of [600, 960, 1280]) {
    const { height, lines, cells } = posterOf(shot(), width);
    for (const { y } of lines) expect(y).toBeLessThan(height);
    for (const { x, y, drawing, unit } of cells) {
      expect(x + unit * drawing.width).toBeLessThanOrEqual(width);
      expect(y + unit * drawing.height).toBeLessThan(height);
    }
  }
});

test('moments of one scene have posters of one size', () => {
  const heights = [10, 60, 100].map(
    (count) => posterOf(shot(labRecording().slice(0, count)), 960).height,
  );
  expect(new Set(heights).size).toBe(1);
});

test('the SVG is sound, and hostile texts stay texts', () => {
  const svgOf = (records = labRecording()) => posterSvg(posterOf(shot(records), 1280)).text;
  expectSound(svgOf());
  const hostile = svgOf(hostileRecording());
  expect(hostile).not.toContain('<img');
  expect(hostile).toContain('&lt;/script&gt;');
});
