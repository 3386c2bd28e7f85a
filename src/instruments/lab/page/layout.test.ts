import { expect, test } from 'vitest';
import { areasOf, boxesOf, gridOf, PITCH, packed, pictureHeight, rimOf, seatOf } from './layout.ts';

test('four stages stand side by side, then two by two, then one at a time', () => {
  expect(gridOf(4, 1280)).toEqual({ columns: 4, rows: 1, isSingle: false });
  expect(gridOf(4, 1099)).toEqual({ columns: 2, rows: 2, isSingle: false });
  expect(gridOf(3, 1000)).toEqual({ columns: 2, rows: 2, isSingle: false });
  expect(gridOf(4, 699)).toEqual({ columns: 1, rows: 1, isSingle: true });
  expect(gridOf(1, 390)).toEqual({ columns: 1, rows: 1, isSingle: false });
  expect(gridOf(0, 1280).columns).toBe(1);
});

test('a picture has a height that a person can read in every window', () => {
  for (const width of [390, 640, 1280, 1920]) {
    for (const height of [400, 800, 1080]) {
      for (const stages of [1, 2, 4]) {
        for (const isProjector of [true, false]) {
          const high = pictureHeight({ width, height }, gridOf(stages, width), isProjector);
          expect(high).toBeGreaterThanOrEqual(240);
          expect(high).toBeLessThanOrEqual(730);
        }
      }
    }
  }
});

test('the areas of a stage are inside it and do not overlap', () => {
  for (const [width, height] of [
    [280, 400],
    [366, 420],
    [539, 400],
    [427, 310],
    [540, 240],
    [640, 400],
    [1800, 560],
  ] as const) {
    const { street, kernel, server, done } = areasOf(width, height);
    const all = [street, kernel, server, done];
    for (const box of all) {
      expect(box.width).toBeGreaterThan(30);
      expect(box.x).toBeGreaterThanOrEqual(0);
      expect(box.x + box.width).toBeLessThanOrEqual(width);
      expect(box.y + box.height).toBeLessThanOrEqual(height);
    }
    for (const a of all) {
      for (const b of all) {
        const isApart =
          a.x + a.width <= b.x ||
          b.x + b.width <= a.x ||
          a.y + a.height <= b.y ||
          b.y + b.height <= a.y;
        expect(a === b || isApart).toBe(true);
      }
    }
  }
});

test('the more there are, the closer they stand, down to the least distance', () => {
  expect(packed(4, 200, 200).pitch).toBe(PITCH.most);
  const many = packed(300, 200, 200);
  expect(many.pitch).toBeLessThan(PITCH.most);
  expect(many.room).toBeGreaterThanOrEqual(300);
  expect(packed(100_000, 200, 200).pitch).toBe(PITCH.least);
  const seats = new Set(
    Array.from({ length: 300 }, (_, index) => JSON.stringify(seatOf({ x: 0, y: 0 }, many, index))),
  );
  expect(seats.size).toBe(300);
});

test('boxes take more columns before they become low', () => {
  const area = { x: 0, y: 0, width: 300, height: 240 };
  const limits = { good: 50, least: 12, most: 60, narrow: 130 };
  const columns = (count: number) => new Set(boxesOf(count, area, limits).map(({ x }) => x)).size;
  expect([columns(1), columns(4), columns(5), columns(20)]).toEqual([1, 1, 2, 2]);
  expect(boxesOf(1000, area, limits).length).toBeLessThan(1000);
  expect(boxesOf(0, area, limits)).toEqual([]);
  for (const { x, y, width, height } of boxesOf(1000, area, limits)) {
    expect(x + width).toBeLessThanOrEqual(300.001);
    expect(y + height).toBeLessThanOrEqual(240.001);
  }
});

test('clients on a rim keep their distance, and a crowd takes rings inside it', () => {
  for (const count of [1, 2, 12, 60, 400]) {
    const { pitch, points } = rimOf(count, 120);
    expect(points).toHaveLength(count);
    const near = points
      .slice(1)
      .map(([x, y], index) => Math.hypot(x - points[index]![0], y - points[index]![1]));
    // A chord is a little shorter than its arc.
    for (const distance of near) expect(distance).toBeGreaterThan(pitch * 0.6);
  }
  expect(rimOf(12, 120).points[0]).toEqual([expect.closeTo(0), -120]);
});
