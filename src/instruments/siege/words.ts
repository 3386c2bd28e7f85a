/** Texts about cells, for the terminal and the page. */
import { mebibytes, minutes, percent } from '../report/figures.ts';
import { attacks } from './attacks.ts';
import type { Cell } from './cell.ts';
import { intensityText } from './grade.ts';
import type { Missing } from './siege.ts';

const titles = new Map(attacks.map(({ name, title }) => [name, title]));
export const titleOf = (attack: string): string => titles.get(attack) ?? attack;

type Graded = Pick<Cell, 'grade' | 'byDesign'>;

/** True if a cell did not survive and could not: the reason must be shown. */
const isExcused = ({ grade, byDesign }: Graded): boolean =>
  byDesign !== undefined && grade !== 'A' && grade !== 'B';

/** Why some cells could not survive: each reason once, with the architectures. */
export function excusesOf(cells: readonly Cell[]) {
  const excused = cells.flatMap(({ architecture, drain, ...cell }) =>
    [cell, ...(drain === undefined ? [] : [drain])]
      .filter(isExcused)
      .map(({ byDesign }) => ({ architecture, byDesign })),
  );
  return [...new Set(excused.map(({ byDesign }) => byDesign!))].map((reason) => ({
    reason,
    whose: [
      ...new Set(
        excused
          .filter(({ byDesign }) => byDesign === reason)
          .map(({ architecture }) => architecture),
      ),
    ],
  }));
}

/** A grade for the matrix, with a star if a better one is impossible by design. */
export const mark = (graded: Graded): string =>
  `${graded.grade ?? '-'}${isExcused(graded) ? '*' : ''}`;

export const drainMark = ({ drain }: Cell): string => (drain === undefined ? '-' : mark(drain));

/** Connections that limits closed or refused, most frequent first. */
export const endedText = (ended: Readonly<Record<string, number>>): string =>
  Object.entries(ended)
    .sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => `${reason} ${count}`)
    .join(', ');

export function drainText({ drain }: Cell): string {
  if (drain === undefined) return 'no drain: it was dead';
  const { ms, answered, cut, reasons } = drain;
  const how = ms === undefined ? 'killed' : `drained in ${ms} ms, ${answered} answered, ${cut} cut`;
  return reasons.length === 0 ? how : `${how} (${reasons.join('; ')})`;
}

/** One line for a cell. */
export function lineOf(what: Cell | Missing): string {
  const which = `${what.architecture}, ${titleOf(what.attack)}, limits ${what.limits}`;
  if ('error' in what) return `${which}: not run: ${what.error}`;
  const { intensity, probes, recovery } = what;
  const parts = [
    `${percent(what.availability)} of ${probes.sent} honest clients`,
    recovery === undefined ? 'not recovered' : `recovered after ${recovery} ms`,
    `${mebibytes(what.peakMemory)}, ${what.peakDescriptors} descriptors, ${what.peakThreads} threads, ${what.cores.toFixed(2)} processors`,
    `${what.lines} log lines`,
    `attacked by ${intensityText(intensity)}`,
    ...(Object.keys(what.ended).length > 0 ? [`ended for ${endedText(what.ended)}`] : []),
    drainText(what),
  ];
  const why = what.reasons.length > 0 ? ` (${what.reasons.join('; ')})` : '';
  return `${which}: ${mark(what)}${why}. ${parts.join('; ')}`;
}

/** Longest line of progress, in characters. */
const PROGRESS_WIDTH = 100;

/**
 * The line of progress when a cell has ended.
 *
 * @param left estimated time until the end of the siege, in s
 */
export function progressLine(
  what: Cell | Missing,
  done: number,
  all: number,
  left: number,
): string {
  const which = `[${done}/${all}] ${what.architecture}, ${titleOf(what.attack)}, limits ${what.limits}`;
  const end = done < all ? `; ${minutes(left)} left` : '';
  const result =
    'error' in what
      ? `not run: ${what.error}`
      : `${mark(what)}${what.reasons.length > 0 ? ` (${what.reasons[0]})` : ''}`;
  const room = PROGRESS_WIDTH - which.length - 2 - end.length;
  const shown = result.length <= room ? result : `${result.slice(0, Math.max(1, room - 1))}…`;
  return `${which}: ${shown}${end}`;
}
