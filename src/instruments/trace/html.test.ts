import { expect, it } from 'vitest';
import { chartsIn, expectSound, tablesIn } from '../../../test/support/pages.ts';
import { htmlOf } from './html.ts';

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
  );
  expectSound(page);
  expect(tablesIn(page)).toEqual(tables);
  const [picture, ...more] = chartsIn(page);
  expect(more).toEqual([]);
  expect(picture!.texts).toEqual(
    expect.arrayContaining([
      ...['mondo trace', hostile, 'threads', 'one thread'],
      ...['asleep, waiting for any client', 'a question arrives'],
    ]),
  );
  expect(picture!.texts).not.toContain('working');
  // The bar takes half of the time axis.
  const [, left, width] =
    /class="waiting-for-any-client" x="([\d.]+)" y="[\d.]+" width="([\d.]+)" height="[\d.]+"><title>/.exec(
      picture!.svg,
    )!;
  const axis = [...picture!.svg.matchAll(/class="grid" d="M([\d.]+) /g)].map(([, x]) => Number(x));
  expect(Number(left)).toBe(axis[0]);
  expect(Number(width)).toBeCloseTo((axis.at(-1)! - axis[0]!) / 2, 0);
  expect(picture!.svg).toContain('<title>two·lines</title>');
});
