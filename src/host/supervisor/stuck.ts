/** Finding workers that are stuck: with work, or stopped, and without a turn of their loop for a while. */
import { sleepsIn, stateLetter } from '../../os/task-state.ts';
import type { RowReading } from '../../worker/scoreboard.ts';

export interface Stuck {
  readonly pid: number;
  readonly tid: number;
  /** Time without a turn, in ms. */
  readonly since: number;
  /** What it was doing, by its own account and the kernel's. */
  readonly doing: string;
}

/** Number of looks at a worker in the time that makes it stuck. Node's loop reports its turns as often. */
const LOOKS = 5;
/** Longest interval of these reports, in ms. */
const LONGEST_BEAT_MS = 500;

/**
 * Interval at which a loop whose turns are invisible must report them, in ms. @param stuck as the option, in ms; 0:
 * never
 */
export const beatFor = (stuck: number): number =>
  stuck === 0 ? LONGEST_BEAT_MS : Math.max(1, Math.min(LONGEST_BEAT_MS, Math.floor(stuck / LOOKS)));

export class StuckWatch {
  readonly #seen = new Map<number, { turns: number; since: number; isReported: boolean }>();
  readonly #ms: number;
  readonly #isNode: boolean;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param ms time without a turn that makes a worker stuck
   * @param isNode true for Node's loop. It cannot report when it has work, so a worker with a client counts as
   *   having work
   */
  constructor(
    ms: number,
    isNode: boolean,
    read: () => readonly RowReading[],
    report: (stuck: Stuck) => void,
  ) {
    this.#ms = ms;
    this.#isNode = isNode;
    const look = () => {
      for (const stuck of this.look(read(), performance.now())) report(stuck);
    };
    this.#timer = setInterval(look, Math.max(10, ms / LOOKS)).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Number of workers that are stuck now. */
  get count(): number {
    return [...this.#seen.values()].filter(({ isReported }) => isReported).length;
  }

  /** The workers that are stuck and not reported yet. */
  look(rows: readonly RowReading[], now: number): Stuck[] {
    const stuck: Stuck[] = [];
    for (const row of rows) {
      const { tid, turns } = row;
      const before = this.#seen.get(tid);
      const isMoving = before?.turns !== turns || !(this.#hasWork(row) || isStopped(row));
      if (before === undefined || isMoving) {
        this.#seen.set(tid, { turns, since: now, isReported: false });
        continue;
      }
      const since = Math.round(now - before.since);
      if (before.isReported || since < this.#ms) continue;
      before.isReported = true;
      stuck.push({ pid: row.pid, tid, since, doing: doingOf(row) });
    }
    const present = new Set(rows.map(({ tid }) => tid));
    for (const tid of this.#seen.keys()) if (!present.has(tid)) this.#seen.delete(tid);
    return stuck;
  }

  /** A worker that waits for a client, in any call, is not stuck, unless a signal stopped it there. */
  #hasWork({ state, open }: RowReading): boolean {
    return state === 'answering' || (this.#isNode && open > 0);
  }
}

/**
 * True if a signal or a tracer has stopped the thread. Then it cannot report waiting clients, and there may be
 * some. Costs a read of a file for each idle thread, at each look.
 */
const isStopped = ({ pid, tid }: RowReading): boolean => /[Tt]/.test(stateLetter(pid, tid));

function doingOf({ pid, tid, state, open, accepted }: RowReading): string {
  const account = `it says: ${state}, with ${open} open of ${accepted} accepted`;
  const letter = stateLetter(pid, tid);
  if (letter === '') return account;
  if (letter === 'R') return `${account}; the kernel says: running on a processor`;
  if (letter === 'T') return `${account}; the kernel says: stopped by a signal (state T)`;
  const where = sleepsIn(pid, tid);
  const detail = where === '' ? '' : ` in ${where}`;
  return `${account}; the kernel says: asleep${detail} (state ${letter})`;
}
