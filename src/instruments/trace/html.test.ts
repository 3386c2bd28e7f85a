import { expect, it } from 'vitest';
import { chartsIn, expectSound, tablesIn } from '../../../test/support/pages.ts';
import { crowdedPicture } from '../../../test/support/trace-picture.ts';
import { htmlOf } from './html.ts';
import { type Picture, pictureOf } from './picture.ts';
import { svgOf } from './svg.ts';
import { Timeline } from './timeline.ts';

it('a page of a trace has the picture, its legend and the tables, and shows bytes of peers as text', () => {
  const hostile = '</svg><script>alert("1")</script>';
  const tables = [{ caption: 'Lines', head: ['times', 'line'], rows: [['3', hostile]] }];
  const page = htmlOf(
    {
      title: 'mondo trace',
      notes: [hostile],
      from: 0,
      to: 100,
      groups: [
        {
          title: 'threads',
          rows: [
            {
              label: 'one thread',
              bars: [{ from: 0, to: 50, kind: 'waiting for any client', title: hostile }],
              marks: [{ at: 25, kind: 'question', title: 'two\nlines' }],
            },
          ],
        },
      ],
    },
    tables,
    Date.UTC(2026, 10, 27, 17, 20, 10),
  );
  expectSound(page);
  expect(tablesIn(page)).toEqual(tables);
  expect(page).toContain('<h1>mondo trace</h1>');
  expect(page).toContain('2026-11-27 17:20:10 UTC');
  // One for screens, and one for phones.
  const pictures = chartsIn(page);
  expect(pictures).toHaveLength(2);
  for (const picture of pictures) {
    expect(picture.texts).toEqual(
      expect.arrayContaining([
        ...['threads', 'one thread'],
        ...['asleep, waiting for any client', 'a question arrives'],
      ]),
    );
    expect(picture.texts).not.toContain('working');
    // The bar takes half of the time axis.
    const [bar] = boxesIn(picture.svg)
      .filter(({ name }) => name === 'waiting-for-any-client')
      .slice(-1);
    const axis = [...picture.svg.matchAll(/[M ]([\d.]+) [\d.]+V/g)].map(([, x]) => Number(x));
    expect(bar!.left).toBe(axis[0]);
    expect(bar!.right - bar!.left).toBeCloseTo((axis.at(-1)! - axis[0]!) / 2, 0);
    expect(picture.svg).toContain('<title>two·lines</title>');
  }
});

interface Box {
  readonly name: string;
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

const numberOf = (attributes: string, name: string) =>
  Number(new RegExp(`(?:^| )${name}="([\\d.]+)"`).exec(attributes)?.[1]);

/** Bars and symbols of the legend, without the paper and the hatchings. */
const boxesIn = (svg: string): Box[] =>
  [...svg.matchAll(/<rect class="(?!paper|\w+-ground)([\w-]+)"([^>]*)>/g)].map(([, name, rest]) => {
    const [left, top] = [numberOf(rest!, 'x'), numberOf(rest!, 'y')];
    const [width, height] = [numberOf(rest!, 'width'), numberOf(rest!, 'height')];
    return { name: name!, left, right: left + width, top, bottom: top + height };
  });

/** Texts, with letters as wide as those of a wide font. */
const textsIn = (svg: string): Box[] =>
  [...svg.matchAll(/<text class="\w+"([^>]*)>([^<]*)<\/text>/g)].map(([, rest, escaped]) => {
    const text = escaped!.replace(/&\w+;/g, '_');
    const [x, y] = [numberOf(rest!, 'x'), numberOf(rest!, 'y')];
    const width = text.length * 8.8;
    const anchor = /text-anchor="(\w+)"/.exec(rest!)?.[1] ?? 'start';
    const left = x - (anchor === 'end' ? width : anchor === 'middle' ? width / 2 : 0);
    return { name: text, left, right: left + width, top: y - 13, bottom: y + 4 };
  });

const gridIn = (svg: string): Box[] =>
  [...svg.matchAll(/M([\d.]+) ([\d.]+)V([\d.]+)/g)].map(([, x, top, bottom]) => ({
    ...{ name: 'grid', left: Number(x), right: Number(x) },
    ...{ top: Number(top), bottom: Number(bottom) },
  }));

const meet = (a: Box, b: Box) =>
  a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;

it.each([
  356, 1000,
])('at a width of %i no text meets another, a bar or a grid line, and none leaves the picture', (width) => {
  const svg = svgOf(crowdedPicture(), { width }).text;
  const texts = textsIn(svg);
  expect(texts.length).toBeGreaterThan(30);
  const others = [...boxesIn(svg), ...gridIn(svg)];
  const meetings = texts.flatMap((text, i) =>
    [...texts.slice(i + 1), ...others]
      .filter((other) => meet(text, other))
      .map((other) => [text, other]),
  );
  expect(meetings).toEqual([]);
  const outside = [...texts, ...others].filter(({ left, right }) => left < 0 || right > width);
  expect(outside).toEqual([]);
  // The legend comes before what it explains.
  const top = (name: string) => texts.find((text) => text.name === name)!.top;
  expect(top('connected, but not accepted yet')).toBeLessThan(top('socketserver'));
});

it('the text of a page is at least 16 px high in a window of 1,280 px, grows with the window, and is as high on a phone', () => {
  const page = htmlOf(crowdedPicture(), [], 0);
  const [wide, narrow] = [
    ...page.matchAll(/<svg class="(?:wide|narrow)"[^>]* viewBox="0 0 (\d+) /g),
  ].map(([, units]) => Number(units));
  const letters = [...page.matchAll(/text\{font:(\d+)px/g)].map(([, size]) => Number(size));
  expect(letters).toHaveLength(2);
  expect(page).toMatch(/main \{ max-width: none; \} main > svg \{ display: block; width: 100%;/);
  // The page has an edge of 16 px at each side.
  expect((letters[0]! * (1280 - 32)) / wide!).toBeGreaterThanOrEqual(16);
  expect((letters[1]! * (390 - 32)) / narrow!).toBeGreaterThanOrEqual(15);
});

it('the three questions of a client stay apart, even if each takes a moment only', () => {
  for (const width of [356, 1000]) {
    const asking = boxesIn(svgOf(crowdedPicture(), { width }).text).filter(
      ({ name }) => name === 'asking',
    );
    // The first is in the legend.
    const [, ...bars] = asking.slice(0, 5);
    expect(bars).toHaveLength(4);
    for (const [i, bar] of bars.slice(1).entries())
      expect(bar.left).toBeGreaterThan(bars[i]!.right + 1);
  }
});

it('a client that was connected and not accepted has a bar of its own, and the time in words', () => {
  const timeline = new Timeline();
  const ms = 1e6;
  timeline.record(1, { kind: 'thread', t: 0, pid: 1, worker: 0, role: 'main' });
  timeline.record(1, { kind: 'opened', t: 900 * ms, peer: 'late', queued: 512 * ms });
  timeline.record(1, { kind: 'opened', t: 901 * ms, peer: 'soon', queued: 4 * ms });
  timeline.end = 1000 * ms;
  const [, { rows }] = pictureOf(timeline, '', '').groups as [unknown, Picture['groups'][number]];
  expect(rows.map(({ note }) => note)).toEqual(['512 ms in the accept queue', undefined]);
  expect(rows[0]!.bars[0]).toMatchObject({
    from: 388 * ms,
    to: 900 * ms,
    kind: 'in the accept queue',
  });
  expect(rows[0]!.marks.map(({ kind, at }) => [kind, at / ms])).toEqual([
    ['connected', 388],
    ['accepted', 900],
  ]);
});
