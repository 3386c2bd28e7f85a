import { describe, expect, it } from 'vitest';
import { chartsIn } from '../../../test/support/pages.ts';
import { barChart, type Line, lineChart } from './charts.ts';

/** The points of each line's path, by its colour. */
const pathsOf = (svg: string) =>
  Object.fromEntries(
    [
      ...svg.matchAll(
        /<path d="M([\d.L -]+)" fill="none" stroke="var\((--look-\d)\)" stroke-width="2"/g,
      ),
    ].map(([, path, look]) => [
      look,
      path!.split('L').map((point) => point.split(' ').map(Number)),
    ]),
  );

/** The bars as `[left, width]`, by their colour. */
const barsOf = (svg: string, look: string) =>
  [
    ...svg.matchAll(
      new RegExp(
        `<path d="M([\\d.]+) [\\d.]+l([\\d.]+) 0l0 [\\d.]+l-[\\d.]+ 0Z" fill="var\\(${look}\\)" stroke="var\\(${look}\\)"></path>`,
        'g',
      ),
    ),
  ].map(([, left, width]) => [Number(left), Number(width)]);

/**
 * Checks that colours come from the page, and that ECharts' classes, metadata and colours are gone.
 */
function expectThemed(svg: string, id: string): void {
  expect(svg).not.toMatch(
    /#fe01|fill="#(?!000")|stroke="#|rgb|class=|ecmeta|pointer-events|<style/,
  );
  expect(svg).toMatch(/var\(--look-1\)/);
  for (const [, own] of svg.matchAll(/\sid="([^"]+)"/g)) expect(own).toMatch(new RegExp(`^${id}-`));
  for (const [number] of svg.matchAll(/\d+\.\d{3,}/g)) expect.fail(`${number} is too exact`);
}

const chartOf = async (lines: readonly Line[], log = false) => {
  const { text } = await lineChart({
    id: 'lines',
    title: 'a <b>',
    description: 'c & d',
    x: { name: 'x', log },
    panels: [{ y: { name: 'y', log, ...(!log && { max: 100 }) }, height: 200, lines }],
  });
  expectThemed(text, 'lines');
  return chartsIn(text)[0]!;
};

describe('a line chart', () => {
  it('places points by their values, and a whisker from low to high', async () => {
    const { svg, title, description, texts } = await chartOf([
      {
        name: 'one',
        points: [
          { x: 0, y: 0 },
          { x: 5, y: 25, low: 20, high: 60 },
          { x: 10, y: 100 },
        ],
      },
    ]);
    expect([title, description]).toEqual(['a <b>', 'c & d']);
    const [first, middle, last] = pathsOf(svg)['--look-1']!;
    const [x, y] = [0, 1].map(
      (axis) => (middle![axis]! - first![axis]!) / (last![axis]! - first![axis]!),
    );
    expect(x).toBeCloseTo(1 / 2, 2);
    expect(y).toBeCloseTo(1 / 4, 2);
    const whisker =
      /<path d="M([\d.]+) ([\d.]+)L\1 ([\d.]+)" fill="#000" stroke="var\(--look-1\)"/.exec(svg)!;
    const [at, low, high] = whisker.slice(1).map(Number);
    const valueAt = (pixel: number) => (100 * (pixel - first![1]!)) / (last![1]! - first![1]!);
    expect(at).toBeCloseTo(middle![0]!, 0);
    expect([valueAt(low!), valueAt(high!)].map(Math.round)).toEqual([20, 60]);
    // Axes, their names, and the name of the line with its symbol.
    expect(texts).toEqual(expect.arrayContaining(['x', 'y', '0', '10', '100', '● one']));
  });

  it('has equal steps for equal ratios on log axes, a gap for an unknown value, and no point for 0', async () => {
    const { svg } = await chartOf(
      [
        { name: 'one', points: [1, 10, 100].map((x) => ({ x, y: x * 5 })) },
        {
          name: 'two',
          points: [
            { x: 1, y: 1 },
            { x: 10, y: null },
            { x: 100, y: 0 },
          ],
        },
      ],
      true,
    );
    const [a, b, c] = pathsOf(svg)['--look-1']!;
    for (const axis of [0, 1]) expect(b![axis]! - a![axis]!).toBeCloseTo(c![axis]! - b![axis]!, 0);
    // A single point has no line to another.
    expect(pathsOf(svg)['--look-2']).toHaveLength(1);
  });

  it('distinguishes lines without colour: by dashes, symbols and names', async () => {
    const points = [0, 10].map((x) => ({ x, y: x }));
    const names = ['one', 'two', 'three', 'four'];
    const { svg, texts } = await chartOf(names.map((name) => ({ name, points })));
    const dashes = [...svg.matchAll(/stroke-width="2"(?: stroke-dasharray="([^"]+)")?/g)].map(
      ([, dash]) => dash,
    );
    expect(new Set(dashes).size).toBe(4);
    expect(texts.slice(-4)).toEqual(['● one', '□ two', '▲ three', '◇ four']);
  });

  it('holds a value until the next if it goes in steps', async () => {
    const { svg } = await chartOf([
      {
        name: 'one',
        steps: true,
        points: [
          { x: 0, y: 10 },
          { x: 10, y: 70 },
        ],
      },
    ]);
    const [first, corner, last] = pathsOf(svg)['--look-1']!;
    expect(corner).toEqual([last![0], first![1]]);
  });

  it('draws a heat map: a rectangle for each count above 0, darker for more', async () => {
    const { text } = await lineChart({
      id: 'heat',
      title: 'heat',
      description: 'heat',
      x: { name: 'x' },
      panels: [
        {
          y: { name: 'y', max: 4 },
          lines: [],
          heat: {
            columns: [
              { from: 0, to: 1 },
              { from: 1, to: 2 },
            ],
            rows: [
              { from: 0, to: 2 },
              { from: 2, to: 4 },
            ],
            counts: [
              [1, 0],
              [1000, 1],
            ],
          },
        },
      ],
    });
    expect(text).not.toMatch(/#fe01|NaN/);
    const places = [
      ...text.matchAll(/<path d="M([\d.]+) ([\d.]+)l[^"]*" fill="var\((--heat-\d)\)"><\/path>/g),
    ];
    // The key has places too, which are translated and not part of the plot.
    expect(places.map(([, , , heat]) => heat)).toEqual(['--heat-1', '--heat-6', '--heat-1']);
    const [one, many] = places.map(([, left]) => Number(left));
    expect(many).toBeGreaterThan(one!);
  });

  it('does not fail if there is nothing to draw', async () => {
    const { text } = await lineChart({
      id: 'none',
      title: 'none',
      description: 'none',
      x: { name: 'x' },
      panels: [{ y: { name: 'y', log: true }, lines: [{ name: 'one', points: [] }] }],
    });
    expect(text).toMatch(/^<svg .*role="img" aria-labelledby="none-title none-words">/);
    expect(text).not.toContain('NaN');
  });
});

it('a bar chart has bars in proportion to their values, patterns, and the values as text', async () => {
  const { text } = await barChart({
    id: 'bars',
    title: 'bars',
    description: 'bars',
    value: { name: 'µs', max: 2000 },
    categories: ['single', 'epoll'],
    groups: [
      { name: 'calm', values: [{ value: 500, low: 400, high: 600 }, { value: 1000 }] },
      { name: 'crowd', values: [{ value: 1500 }, null] },
    ],
  });
  expectThemed(text, 'bars');
  const [[left, half], [same, whole]] = barsOf(text, '--look-1') as [number[], number[]];
  expect([left, whole! / half!]).toEqual([same, 2]);
  const [[, longest], ...none] = barsOf(text, '--look-2') as [number[]];
  expect(longest! / half!).toBeCloseTo(3, 2);
  // A group without a value has no bar. All bars of the second group have a pattern over their
  // colour.
  expect(none).toEqual([]);
  expect(text.match(/<pattern /g)).toHaveLength(1);
  const { texts } = chartsIn(text)[0]!;
  expect(texts).toEqual(
    expect.arrayContaining(['µs', 'single', 'epoll', 'calm', 'crowd', '500', '1k', '1.5k']),
  );
});

it('charts of one page have no id in common', async () => {
  const draw = (id: string) =>
    barChart({
      id,
      title: id,
      description: id,
      value: { name: 'v' },
      categories: ['a'],
      groups: [
        { name: 'g', values: [{ value: 1 }] },
        { name: 'h', values: [{ value: 2 }] },
      ],
    });
  const idsOf = ({ text }: { text: string }) =>
    [...text.matchAll(/\sid="([^"]+)"/g)].map(([, id]) => id!);
  const [one, two] = [idsOf(await draw('one')), idsOf(await draw('two'))];
  expect(one.length).toBeGreaterThan(2);
  expect(one.filter((id) => two.includes(id))).toEqual([]);
});
