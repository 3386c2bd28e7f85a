/** Puts the records of several processes into one order of time. */

import type { LabRecord } from '../shared/records.ts';

/** Records with a time of their own: all but the header. */
type Timed = Exclude<LabRecord, { readonly k: 'h' }>;

/**
 * The same record at a later time. What it says of times before its own stays true to 1 µs.
 */
export function retimed(record: Timed, t: number): Timed {
  const later = Math.round((t - record.t) * 1000);
  if (record.k === 'x') {
    const { x, y } = record;
    const asides = y === undefined ? {} : { y: shifted(y, 5, [0], -later) };
    return { ...record, t, x: shifted(x, 5, [0], -later), ...asides };
  }
  if (record.k !== 'f') return { ...record, t };
  const { e, r, v } = record;
  return {
    ...record,
    t,
    ...(e === undefined ? {} : { e: shifted(e, 5, [0], -later) }),
    ...(r === undefined ? {} : { r: shifted(r, 6, [3, 4], later) }),
    ...(v === undefined ? {} : { v: shifted(v, 2, [1], later) }),
  };
}

/** Rows with `by` added in some columns. A negative time of a client means that there is none. */
const shifted = (
  rows: readonly number[],
  width: number,
  columns: readonly number[],
  by: number,
): number[] =>
  rows.map((value, index) => {
    const column = index % width;
    if (!columns.includes(column) || (column > 0 && value < 0)) return value;
    return value + by;
  });

/** Collects records, and gives them out in order of time. */
export class Ordering {
  #waiting: Timed[] = [];
  #last = 0;

  /**
   * A header is left out: no process has one of its own.
   * @param earliest the time that the record gets if its own is before
   */
  add(record: LabRecord, earliest = 0): void {
    if (record.k === 'h') return;
    this.#waiting.push(record.t < earliest ? retimed(record, earliest) : record);
  }

  /** All records since the last call. One that came too late for its time gets the time of the one before it. */
  take(): Timed[] {
    const taken = this.#waiting.toSorted((one, other) => one.t - other.t);
    this.#waiting = [];
    return taken.map((record) => {
      const ordered = record.t < this.#last ? retimed(record, this.#last) : record;
      this.#last = ordered.t;
      return ordered;
    });
  }
}
