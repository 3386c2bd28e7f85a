/** The matrix as lines of text, with a row for each attack and a column for each architecture. */
import { tableLines } from '../report/table.ts';
import { attacks } from './attacks.ts';
import type { Cell } from './cell.ts';
import { drainRule } from './grade.ts';
import type { Report } from './siege.ts';
import { drainMark, excusesOf, mark, titleOf } from './words.ts';

/** Stands for a missing cell: the attack is not meant for the architecture, or could not run. */
const NONE = '.';

/** @param width longest line, in characters; if it is too short, columns get short names */
export function matrixLines(report: Report, width = 120): string[] {
  const { cells } = report;
  const architectures = unique(cells.map(({ architecture }) => architecture));
  const rows = attacks.map(({ name }) => name).filter((name) => cells.some(is('attack', name)));
  const modes = unique(cells.map(({ limits }) => limits));
  const find = (attack: string, architecture: string, mode: string) =>
    cells.find(
      (cell) =>
        cell.attack === attack && cell.architecture === architecture && cell.limits === mode,
    );
  const of = (text: (cell: Cell) => string) => (attack: string, architecture: string) =>
    modes
      .map((mode) => {
        const cell = find(attack, architecture, mode);
        return cell === undefined ? NONE : text(cell);
      })
      .join('>');
  const draw = (heading: string, cell: (attack: string, architecture: string) => string) =>
    grid(heading, rows, architectures, cell, width);

  const what = modes.length === 2 ? 'limits off > on' : `limits ${modes[0]}`;
  return [
    ...draw(`Attack, ${what}`, of(mark)),
    '',
    ...draw(`Drain under it, ${what}`, of(drainMark)),
    '',
    ...excuses(cells),
    ...report.rule,
    `. = not meant for it, or not run; ${drainRule}`,
  ];
}

function grid(
  heading: string,
  rows: readonly string[],
  columns: readonly string[],
  cell: (row: string, column: string) => string,
  width: number,
): string[] {
  const linesOf = (names: readonly string[]) =>
    tableLines(
      {
        head: [heading, ...names],
        rows: rows.map((row) => [titleOf(row), ...columns.map((column) => cell(row, column))]),
      },
      { gap: 1 },
    ).flat();
  const full = linesOf(columns);
  if (full.every(({ length }) => length <= width)) return full;
  const names = shortNames(columns);
  return [columns.map((name, i) => `${names[i]} ${name}`).join(', '), ...linesOf(names)];
}

/** Shortens the names to the shortest unique prefixes. */
function shortNames(names: readonly string[]): string[] {
  for (let length = 2; ; length++) {
    const short = names.map((name) => name.slice(0, length));
    if (unique(short).length === names.length || length > 12) return short;
  }
}

/** The meaning of the stars, one line for each reason. */
function excuses(cells: readonly Cell[]): string[] {
  return excusesOf(cells).map(
    ({ reason, whose }) => `*  not survivable by design (${whose.join(', ')}): ${reason}`,
  );
}

const is =
  <K extends keyof Cell>(key: K, value: Cell[K]) =>
  (cell: Cell) =>
    cell[key] === value;

const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
