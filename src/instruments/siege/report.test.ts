import { expect, it } from 'vitest';
import { expectSound, tableIn } from '../../../test/support/pages.ts';
import { siegeCell as cell } from '../../../test/support/siege-cells.ts';
import { rule } from './grade.ts';
import { htmlPage } from './html.ts';
import { matrixLines } from './matrix.ts';
import { fallen, type Report } from './siege.ts';
import { lineOf, mark, progressLine } from './words.ts';

const excused = cell({ architecture: 'single', grade: 'E', byDesign: 'one <b>at a time' });
const report: Report = {
  at: '2026-01-01T00:00:00.000Z',
  machine: { cpus: 2, kernel: '6.0', node: 'v26', load: [0, 1] },
  duration: 2500,
  drainDeadline: 1000,
  rule,
  limits: {
    epoll: { idle: 1000, connectionsPerAddress: 32, allow: [] },
    single: { idle: 1000, connectionsPerAddress: 1, allow: [] },
  },
  planned: 8,
  cells: [
    cell({ limits: 'off', grade: 'B' }),
    cell({}),
    cell({ architecture: 'single', limits: 'off', grade: 'E' }),
    excused,
    cell({ attack: 'churn', limits: 'off' }),
    cell({
      attack: 'churn',
      grade: undefined,
      reasons: ['the attack reached 1 of 400 connections at once'],
    }),
  ],
  missing: [
    { architecture: 'single', attack: 'churn', limits: 'on', error: 'Cannot start single: port' },
  ],
};

it('the matrix has a row for each attack, a column for each architecture, and says what a star means', () => {
  const lines = matrixLines(report);
  expect(lines[0]).toMatch(/^Attack, limits off > on +epoll single$/);
  expect(lines[1]).toMatch(/^idle crowd +B>A +E>E\*$/);
  expect(lines[2]).toMatch(/^reconnect churn +A>- +\.>\.$/);
  expect(lines).toContain('*  not survivable by design (single): one <b>at a time');
  expect(lines).toEqual(expect.arrayContaining([...rule]));
});

it('on a short line, the columns have short names, which a line above explains', () => {
  const lines = matrixLines(report, 30);
  expect(lines[0]).toBe('ep epoll, si single');
  expect(lines[1]).toMatch(/ ep +si$/);
});

it('cells that fail with limits on are reported: void cells, bad drains, and cells that were not run', () => {
  expect(fallen({ cells: [cell({}), cell({ grade: 'B' }), excused], missing: [] })).toEqual([]);
  expect(fallen({ cells: [cell({ limits: 'off', grade: 'F' })], missing: [] })).toEqual([]);
  const drain = {
    grade: 'F',
    reasons: ['it had to be killed'],
    ms: undefined,
    answered: 0,
    cut: 0,
  } as const;
  for (const bad of [{ grade: 'C' }, { grade: undefined }, { drain }] as const) {
    expect(fallen({ cells: [cell(bad)], missing: [] })).toHaveLength(1);
  }
  expect(
    fallen({ cells: [cell({ drain: { ...drain, byDesign: 'one thread' } })], missing: [] }),
  ).toEqual([]);
  expect(
    fallen({ cells: [cell({ drain: { ...drain, grade: undefined } })], missing: [] }),
  ).toHaveLength(1);
  expect(fallen({ cells: [cell({ limits: 'off', drain })], missing: [] })).toEqual([]);
  expect(fallen(report)).toHaveLength(2);
});

it('a drain that cannot be survived by design has a star too, and a void one a dash', () => {
  const drain = { reasons: [], ms: 900, answered: 0, cut: 1 };
  const lines = matrixLines({
    ...report,
    cells: [
      cell({ limits: 'off', drain: { ...drain, grade: undefined } }),
      cell({ drain: { ...drain, grade: 'F', byDesign: 'one thread' } }),
    ],
  });
  expect(lines.filter((line) => line.startsWith('idle crowd')).at(-1)).toMatch(
    /^idle crowd +->F\*$/,
  );
  expect(lines).toContain('*  not survivable by design (epoll): one thread');
});

it('a line shows the measurements of a cell', () => {
  expect(lineOf(excused)).toBe(
    'single, idle crowd, limits on: E*. 100 % of 25 honest clients; recovered after 3 ms; 60 MiB, 80 descriptors, 14 threads, 0.10 processors; 90 log lines; attacked by 400 of 400 connections at once; ended for accepts-per-second 40, idle 3; drained in 40 ms, 0 answered, 0 cut',
  );
  expect(lineOf(report.missing[0]!)).toBe(
    'single, reconnect churn, limits on: not run: Cannot start single: port',
  );
});

it('a line of progress has at most 100 characters, and the time left', () => {
  const cell = report.cells.find(({ architecture }) => architecture === 'single');
  expect(progressLine(cell!, 1, 34, 90)).toMatch(
    /^\[1\/34\] single, idle crowd, limits o\w+: [A-F]\*?.*; 1 min 30 s left$/,
  );
  expect(progressLine(report.missing[0]!, 34, 34, 0)).toBe(
    '[34/34] single, reconnect churn, limits on: not run: Cannot start single: port',
  );
  const long = { ...cell!, reasons: ['x'.repeat(200)] };
  expect(progressLine(long, 1, 34, 90)).toHaveLength(100);
  expect(progressLine(long, 1, 34, 90)).toMatch(/x…; 1 min 30 s left$/);
});

it('the page is self-contained, and its letters say what its colours show', () => {
  const page = htmlPage(report);
  expectSound(page);
  expect(page).toMatch(/<a class="grade-E" href="#single-idle-crowd-on"[^>]*>E\*<\/a>/);
  expect(page).toMatch(/<a class="void" href="#epoll-churn-on"[^>]*>-<\/a>/);
  expect(page).toContain('id="single-idle-crowd-on"');
  expect(page).toContain('cannot survive it by design (single): one &lt;b&gt;at a time');
  // The key stands above the first matrix, and the drain behind a fold.
  const order = [
    '<h2>The key</h2>',
    '<table class="matrix">',
    '<details>',
    '<table class="matrix">',
  ];
  let at = 0;
  for (const part of order) at = page.indexOf(part, at) + 1 || Number.NaN;
  expect(at).toBeGreaterThan(0);
  for (const grade of 'ABCDEF') {
    expect(page).toMatch(
      new RegExp(`<dt class="grade-${grade}">${grade}</dt><dd>[A-Z\\d][^<]*\\.</dd>`),
    );
  }
  expect(page).toMatch(/<dt>At most C<\/dt><dd>[A-Z\d].*\.<\/dd>/);
  expect(page).toMatch(/<dt>Void \(-\)<\/dt><dd>[A-Z].*\.<\/dd>/);
  const some = report.cells.filter((_, i) => i !== 1);
  expect(htmlPage({ ...report, cells: some })).toContain('</a><span class="gap">·</span></td>');
  expect(page).toContain(
    'all: idle 1000\nepoll: connectionsPerAddress 32\nsingle: connectionsPerAddress 1',
  );
  expect(page).toContain('Cannot start single: port');
  const { head, rows } = tableIn(page, 'Answered: ');
  expect(rows.map(([architecture, , limits, grade]) => [architecture, limits, grade])).toEqual(
    report.cells.map((one) => [one.architecture, one.limits, mark(one)]),
  );
  expect(rows[0]![head.indexOf('memory')]).toBe('60 MiB (55 MiB)');
});
