/** Finding workers that are stuck: with work, and without a turn of their loop for a while. */
import { readFileSync } from 'node:fs';
import type { RowReading } from '../architectures/scoreboard.ts';

export interface Stuck {
  readonly pid: number;
  readonly tid: number;
  /** How long it has made no turn, in ms. */
  readonly since: number;
  /** What it was doing, by its own account and the kernel's. */
  readonly doing: string;
}

/** How often in the time that makes a worker stuck it is looked at. */
const LOOKS = 5;

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
      if (before === undefined || before.turns !== turns || !this.#hasWork(row)) {
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

  /** Whoever waits for a client, in whatever call, is not stuck. */
  #hasWork({ state, open }: RowReading): boolean {
    return state === 'answering' || (this.#isNode && open > 0);
  }
}

function doingOf({ pid, tid, state, open, accepted }: RowReading): string {
  const account = `it says: ${state}, with ${open} open of ${accepted} accepted`;
  const task = `/proc/${pid}/task/${tid}`;
  try {
    // After the name, which is in brackets and may hold anything. proc(5)
    const letter = readFileSync(`${task}/stat`, 'utf8').split(') ').at(-1)!.charAt(0);
    if (letter === 'R') return `${account}; the kernel says: running on a processor`;
    const where = readFileSync(`${task}/wchan`, 'utf8');
    const detail = where === '' || where === '0' ? '' : ` in ${where}`;
    return `${account}; the kernel says: asleep${detail} (state ${letter})`;
  } catch {
    return account;
  }
}
