/** The lanes of a stage: its threads, sampled on the scoreboard, as the rows of frames. */

import type { RowReading } from '../../../worker/scoreboard.ts';
import { type KernelState, LANE, type LaneState, MOST } from '../shared/records.ts';
import type { Task } from './kernel.ts';

interface Lane extends RowReading {
  /** Samples since the last frame, by state. */
  readonly samples: number[];
  /** The thread counted this many turns when it was reported as stuck. */
  stuckAt: number | undefined;
}

/** What has changed from one sample to the next. */
export interface Changes {
  /** Threads that have accepted or taken clients, and how many. */
  readonly risen: readonly { readonly tid: number; readonly count: number }[];
  /** Threads that are there no longer. */
  readonly gone: readonly Task[];
}

export class Lanes {
  readonly #lanes = new Map<number, Lane>();
  readonly #rowOf = new Map<number, number>();
  readonly #sent = new Map<number, string>();
  readonly #clientOf: (tid: number) => number;
  readonly #kernelOf: (tid: number) => KernelState;

  /**
   * @param clientOf the client that a thread serves; -1: none, or several
   * @param kernelOf what the kernel says of a thread
   */
  constructor(clientOf: (tid: number) => number, kernelOf: (tid: number) => KernelState) {
    this.#clientOf = clientOf;
    this.#kernelOf = kernelOf;
  }

  /** The thread's row; -1: it has none. */
  rowOf(tid: number): number {
    return this.#rowOf.get(tid) ?? -1;
  }

  /** Threads that have not ended. */
  get tasks(): RowReading[] {
    return [...this.#lanes.values()].filter(({ state }) => state !== 'ended');
  }

  /** Connections of all lanes. */
  get open(): number {
    return [...this.#lanes.values()].reduce((sum, { open }) => sum + Math.max(0, open), 0);
  }

  /** The server has reported a thread as stuck: it is, until it makes a turn. */
  stuck(tid: number): void {
    const lane = this.#lanes.get(this.rowOf(tid));
    if (lane !== undefined) lane.stuckAt = lane.turns;
  }

  sample(rows: readonly RowReading[]): Changes {
    const risen: { tid: number; count: number }[] = [];
    const gone: Task[] = [];
    const present = new Set<number>();
    for (const reading of rows) {
      if (reading.row >= MOST.lanes) continue;
      present.add(reading.row);
      const before = this.#lanes.get(reading.row);
      const isSame = before?.tid === reading.tid && before.pid === reading.pid;
      if (before !== undefined && !isSame) this.#forget(before, gone);
      const count = reading.accepted - (isSame ? before.accepted : 0);
      if (count > 0) risen.push({ tid: reading.tid, count });
      const samples = isSame ? before.samples : [];
      const state = LANE[reading.state];
      samples[state] = (samples[state] ?? 0) + 1;
      const stuckAt = isSame && before.stuckAt === reading.turns ? before.stuckAt : undefined;
      this.#lanes.set(reading.row, { ...reading, samples, stuckAt });
      this.#rowOf.set(reading.tid, reading.row);
    }
    for (const lane of this.#lanes.values()) {
      if (!present.has(lane.row)) this.#forget(lane, gone);
    }
    return { risen, gone };
  }

  #forget(lane: Lane, gone: Task[]): void {
    gone.push({ pid: lane.pid, tid: lane.tid });
    this.#lanes.delete(lane.row);
    if (this.#rowOf.get(lane.tid) === lane.row) this.#rowOf.delete(lane.tid);
  }

  /** The rows of the lanes that have changed since the last frame: see `FrameRecord.l`. */
  frame(): number[] {
    const changed: number[] = [];
    for (const lane of this.#lanes.values()) {
      const row = this.#rowFor(lane);
      lane.samples.length = 0;
      const text = row.join();
      if (this.#sent.get(lane.row) === text) continue;
      this.#sent.set(lane.row, text);
      changed.push(...row);
    }
    for (const row of this.#sent.keys()) {
      if (this.#lanes.has(row)) continue;
      this.#sent.delete(row);
      changed.push(row, 0, 0, LANE.free, 100, 0, -1, 0);
    }
    return changed;
  }

  #rowFor({ row, tid, pid, state: last, open, samples, stuckAt }: Lane): number[] {
    const { state, share } = stuckAt === undefined ? largest(samples, LANE[last]) : stuck;
    const client = open > 0 ? this.#clientOf(tid) : -1;
    return [row, tid, pid, state, share, Math.max(0, open), client, this.#kernelOf(tid)];
  }
}

const stuck = { state: LANE.stuck, share: 100 } as const;

/** The state of most samples, and its share in %. @param last the newest: it wins a draw, and counts if it is alone */
function largest(samples: readonly number[], last: LaneState) {
  let [state, most, all] = [last as number, samples[last] ?? 0, 0];
  samples.forEach((count, index) => {
    all += count;
    if (count > most) [state, most] = [index, count];
  });
  return { state, share: all === 0 ? 100 : Math.round((100 * most) / all) };
}
