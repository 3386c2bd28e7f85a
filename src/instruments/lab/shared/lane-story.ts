/** What a thread of a server has done for its clients, line by line. No Node and no DOM in here. */

import type { Lane } from './model.ts';
import {
  ENDS,
  EVENT,
  type EventKind,
  type FrameRecord,
  type LabRecord,
  PLACE,
  WIDTH,
} from './records.ts';
import { isEvent, stepsOf } from './steps.ts';
import { newestOf, type StoryLine, type TimedLine, textOf } from './story.ts';
import { clientsText } from './words.ts';

/** Of a client that no thread has yet. */
const before: ReadonlySet<EventKind> = new Set([EVENT.connecting, EVENT.connected, EVENT.queued]);

/**
 * The story of one thread of a stage, in order of time: its clients come, ask, are answered, and go. Another thread in
 * its row, or another server, begins it anew.
 *
 * @param records in order, such as those of `History.records`
 * @param isOnly the server has no other thread: clients without a row are with this one
 */
export function laneStoryOf(
  records: Iterable<LabRecord>,
  s: number,
  { row, tid }: Pick<Lane, 'row' | 'tid'>,
  isOnly: boolean,
): readonly StoryLine[] {
  let lines: TimedLine[] = [];
  const own = new Set<number>();
  const forget = () => {
    lines = [];
    own.clear();
  };
  const isHere = (lane: number) => lane === row || (isOnly && lane < 0);
  for (const record of records) {
    if (record.k === 's' && (record.s === s || record.s === -1)) forget();
    if (record.k !== 'f' || record.s !== s) continue;
    if (threadsIn(record, row).some((one) => one !== tid)) forget();
    for (const step of stepsOf(record).toSorted((one, other) => one.at - other.at)) {
      if (!isEvent(step) || before.has(step.kind)) continue;
      const { at, client, kind, lane, extra } = step;
      if (kind === EVENT.accepted) {
        if (isHere(lane)) own.add(client);
        else own.delete(client);
      }
      if (!own.has(client)) continue;
      const name = clientsText([client]);
      const text =
        kind === EVENT.accepted ? `accepts ${name}` : `${name} ${textOf(kind, lane, extra)}`;
      lines.push({ at, text });
      if (ENDS.has(kind)) own.delete(client);
    }
    for (const [client, isServed, lane] of rosterOf(record)) {
      if (isServed && isHere(lane)) own.add(client);
      else own.delete(client);
    }
  }
  return newestOf(lines);
}

/** The threads that a frame names in a row; 0: the row is free. */
const threadsIn = ({ l = [] }: FrameRecord, row: number): readonly number[] =>
  l.filter((_, index) => index % WIDTH.l === 1 && l[index - 1] === row);

function* rosterOf({
  r = [],
}: FrameRecord): Generator<readonly [client: number, isServed: boolean, lane: number]> {
  for (let at = 0; at + WIDTH.r <= r.length; at += WIDTH.r) {
    yield [r[at]!, r[at + 1] === PLACE.served, r[at + 2]!];
  }
}
