/**
 * Texts for figures, conditions and verdicts, for the terminal, the report and the recommendation.
 */
import { count as counted, several } from '../report/figures.ts';
import type { Difference, FigureName, Row } from './findings.ts';
import type { Condition } from './plan.ts';
import type { Interval, Level } from './statistics.ts';
import { MIN_ROUNDS, type Verdict } from './verdict.ts';

interface Figure {
  /** Title of a table column. */
  readonly title: string;
  readonly unit: string;
  readonly text: (value: number) => string;
  /** Verdict if the figure is larger, or smaller, than the other's. */
  readonly more: string;
  readonly less: string;
}

export const figureWords: Readonly<Record<FigureName, Figure>> = {
  rate: { title: 'answers/s', unit: '', text: count, more: 'faster', less: 'slower' },
  p50: { title: 'p50', unit: ' ms', text: threeDigits, more: 'slower', less: 'faster' },
  p99: { title: 'p99', unit: ' ms', text: threeDigits, more: 'slower', less: 'faster' },
  cpu: { title: 'CPU µs', unit: ' µs', text: significant, more: 'costlier', less: 'cheaper' },
  switches: { title: 'switches', unit: '', text: small, more: 'more', less: 'fewer' },
  memory: { title: 'MiB', unit: ' MiB', text: mebibytes, more: 'larger', less: 'smaller' },
};

function count(value: number): string {
  const digits = value >= 1000 ? Math.round(value / 100) * 100 : Math.round(value);
  return digits.toLocaleString('en-US');
}

/** Keeps three digits, so that a column is aligned. */
function threeDigits(value: number): string {
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

function significant(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}

function small(value: number): string {
  return value >= 10 ? value.toFixed(0) : value.toFixed(2);
}

function mebibytes(bytes: number): string {
  return (bytes / 2 ** 20).toFixed(0);
}

/** `1.31 [1.22, 1.40]`; the ratio alone from too few rounds for an interval; a dash without a ratio. */
export function intervalText(interval: Interval | null): string {
  if (interval === null) return '–';
  const { ratio, low, high, rounds } = interval;
  if (ratio === 0) return '0';
  if (rounds < MIN_ROUNDS) return threeDigits(ratio);
  return `${threeDigits(ratio)} [${threeDigits(low)}, ${threeDigits(high)}]`;
}

export function verdictText({
  figure,
  verdict,
  interval,
}: Pick<Difference, 'figure' | 'verdict' | 'interval'>): string {
  const words: Record<Verdict, string> = {
    more: figureWords[figure].more,
    less: interval?.ratio === 0 && figure === 'rate' ? 'no answers' : figureWords[figure].less,
    alike: 'no difference',
    unclear: 'unclear',
    disturbed: 'machine busy',
    none: interval !== null && interval.rounds < MIN_ROUNDS ? 'too few rounds' : '',
  };
  return words[verdict];
}

/** The median over all rounds, with minimum and maximum. */
export function levelText(figure: FigureName, level: Level | null): string {
  if (level === null) return '–';
  const { text } = figureWords[figure];
  return `${text(level.median)} (${text(level.least)}–${text(level.most)})`;
}

export const medianText = (figure: FigureName, level: Level | null): string =>
  level === null ? '–' : figureWords[figure].text(level.median);

/** For example `64 connections, 4 silent clients, answers that take 10 ms and hold the thread`. */
export function conditionText({ connections, silent, think, thinkHow }: Condition): string {
  return [
    several(connections, 'connection'),
    ...(silent > 0 ? [several(silent, 'silent client')] : []),
    ...(think > 0 ? [thinkText({ think, thinkHow })] : []),
  ].join(', ');
}

export const thinkText = ({ think, thinkHow }: Pick<Condition, 'think' | 'thinkHow'>): string =>
  think === 0
    ? 'answers that take no time'
    : `answers that take ${think} ms${thinkHow === 'block' ? ' and hold the thread' : ' by a timer'}`;

/**
 * Connections without an answer, as `60 of 64`. A question mark means that the time was too short
 * for all.
 */
export function unansweredText({ neverAnswered, starves, variant }: Row): string {
  if (neverAnswered === null) return '–';
  const doubt = neverAnswered.median > 0 && !starves ? '?' : '';
  return `${counted(Math.round(neverAnswered.median))} of ${counted(variant.connections)}${doubt}`;
}

/** `a`, `a and b`, `a, b and c` */
export const listed = (names: readonly string[], last = 'and'): string =>
  names.length < 2 ? (names[0] ?? '') : `${names.slice(0, -1).join(', ')} ${last} ${names.at(-1)}`;

/**
 * What a busy machine means for a comparison, before it begins; undefined on a quiet machine.
 *
 * @param load processes that wanted a processor in the last minute, on average
 */
export function busyText(load: number, cores: number): string | undefined {
  if (load < cores / 2) return undefined;
  return `This machine is busy: ${load.toFixed(1)} processes wanted its ${several(cores, 'core')} in the last minute. Rounds take longer and differ more, so differences may stay unclear; end other programs first`;
}
