/** What a client did and what became of it, line by line. No Node and no DOM in here. */

import { reasons } from '../../../worker/reasons.ts';
import { EVENT, type LabRecord } from './records.ts';
import { isEvent, stepsOf } from './steps.ts';
import { durationText } from './words.ts';

export interface StoryLine {
  /** ms since the recording began. */
  readonly t: number;
  readonly text: string;
}

/** A line with its time in µs. */
export interface TimedLine {
  readonly at: number;
  readonly text: string;
}

/** Lines that a story has at most: the newest. */
const MOST = 200;

/**
 * The story of one client of a stage, in order of time. Another server in its place begins it anew.
 *
 * @param records in order, such as those of `History.records`
 */
export function storyOf(
  records: Iterable<LabRecord>,
  s: number,
  client: number,
): readonly StoryLine[] {
  let lines: TimedLine[] = [];
  for (const record of records) {
    if (record.k === 's' && (record.s === s || record.s === -1)) lines = [];
    if (record.k !== 'f' || record.s !== s || record.e === undefined) continue;
    for (const step of stepsOf(record)) {
      if (!isEvent(step) || step.client !== client) continue;
      const { at, kind, lane, extra } = step;
      lines.push({ at, text: textOf(kind, lane, extra) });
    }
  }
  return newestOf(lines);
}

/** The newest lines, in order of time. */
export const newestOf = (lines: readonly TimedLine[]): readonly StoryLine[] =>
  lines
    .toSorted((one, other) => one.at - other.at)
    .slice(-MOST)
    .map(({ at, text }) => ({ t: at / 1000, text }));

/** What happened to a client, in words that follow its name. */
export function textOf(kind: number, lane: number, extra: number): string {
  switch (kind) {
    case EVENT.connecting:
      return 'connects';
    case EVENT.connected:
      return 'is connected, and waits until the server accepts it';
    case EVENT.queued:
      return 'is in the server’s own queue';
    case EVENT.accepted:
      return lane < 0 ? 'is accepted' : `is accepted, by the thread of row ${lane}`;
    case EVENT.asked:
      return `has asked, with ${extra} bytes`;
    case EVENT.answered:
      return `has its answer, after ${durationText(extra / 1000)}`;
    case EVENT.wrong:
      return 'has got a wrong answer';
    case EVENT.left:
      return 'leaves';
    case EVENT.hungUp:
      return 'leaves inside a question';
    case EVENT.limited:
      return `is ended by the limit ${reasons[extra] ?? ''}`;
    case EVENT.refused:
      return extra < 0 ? 'is refused' : `is refused, by the limit ${reasons[extra] ?? ''}`;
    case EVENT.reset:
      return 'has its connection reset';
    default:
      return 'is cut off by the server';
  }
}
