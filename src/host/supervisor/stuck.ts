/** Finding workers that are stuck: with work, or stopped, and without a turn of their loop for a while. */
import { readFileSync } from 'node:fs';
import type { RowReading } from '../../worker/scoreboard.ts';

export interface Stuck {
  readonly pid: number;
  readonly tid: number;
  /** How long it has made no turn, in ms. */
  readonly since: number;
  /** What it was doing, by its own account and the kernel's. */
  readonly doing: string;
}

/** How often in the time that makes a worker stuck it is looked at, and Node's loop says that it turns. */
const LOOKS = 5;
/** How often that loop says so at least, in ms. */
const BEAT = 500;

/** How often a loop that nobody sees turn is to say that it does, in ms. @param stuck as the option, in ms; 0 for never */
export const beatFor = (stuck: number): number =>
  stuck === 0 ? BEAT : Math.max(1, Math.min(BEAT, Math.floor(stuck / LOOKS)));

export class StuckWatch {
  readonly #seen = new Map<number, { turns: number; since: number; isTold: boolean }>();
  readonly #ms: number;
  readonly #isNode: boolean;
  readonly #timer: NodeJS.Timeout;

  /**
   * @param ms without a turn that make a worker stuck
   * @param isNode whether it is Node's loop that turns: it cannot say when it has work, so who has a client has
   */
  constructor(
    ms: number,
    isNode: boolean,
    read: () => readonly RowReading[],
    tell: (stuck: Stuck) => void,
  ) {
    this.#ms = ms;
    this.#isNode = isNode;
    const look = () => {
      for (const stuck of this.look(read(), performance.now())) tell(stuck);
    };
    this.#timer = setInterval(look, Math.max(10, ms / LOOKS)).unref();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  /** Those who are stuck and were not told of yet. */
  look(rows: readonly RowReading[], now: number): Stuck[] {
    const stuck: Stuck[] = [];
    for (const row of rows) {
      const { tid, turns } = row;
      const before = this.#seen.get(tid);
      const isMoving = before?.turns !== turns || !(this.#hasWork(row) || isStopped(row));
      if (before === undefined || isMoving) {
        this.#seen.set(tid, { turns, since: now, isTold: false });
        continue;
      }
      const since = Math.round(now - before.since);
      if (before.isTold || since < this.#ms) continue;
      before.isTold = true;
      stuck.push({ pid: row.pid, tid, since, doing: doingOf(row) });
    }
    const present = new Set(rows.map(({ tid }) => tid));
    for (const tid of this.#seen.keys()) if (!present.has(tid)) this.#seen.delete(tid);
    return stuck;
  }

  /** Whoever waits for a client, in whatever call, is not stuck, unless it was stopped there. */
  #hasWork({ state, open }: RowReading): boolean {
    return state === 'answering' || (this.#isNode && open > 0);
  }
}

const taskOf = ({ pid, tid }: RowReading) => `/proc/${pid}/task/${tid}`;

/** What the kernel says of the thread, in a letter; nothing if it is gone. proc(5) */
function stateOf(row: RowReading): string {
  try {
    // After the name, which is in brackets and may hold anything.
    return readFileSync(`${taskOf(row)}/stat`, 'latin1')
      .split(') ')
      .at(-1)!
      .charAt(0);
  } catch {
    return '';
  }
}

/**
 * By a signal, or by whoever traces it: then it cannot say that somebody waits for it, and somebody may. Costs a
 * read of a file for each that rests, at each look.
 */
const isStopped = (row: RowReading): boolean => /[Tt]/.test(stateOf(row));

function doingOf(row: RowReading): string {
  const { state, open, accepted } = row;
  const account = `it says: ${state}, with ${open} open of ${accepted} accepted`;
  const letter = stateOf(row);
  if (letter === 'R') return `${account}; the kernel says: running on a processor`;
  if (letter === 'T') return `${account}; the kernel says: stopped by a signal (state T)`;
  try {
    const where = readFileSync(`${taskOf(row)}/wchan`, 'utf8');
    const detail = where === '' || where === '0' ? '' : ` in ${where}`;
    return `${account}; the kernel says: asleep${detail} (state ${letter})`;
  } catch {
    return account;
  }
}
