/** What happens again and again to one connection after another, summed up: so that no storm of clients is one of log lines. */
import { repeated, type ServerEvent } from './server-event.ts';

/** So many of a kind are told one by one … */
const FEW = 5;
/** … and once in so many ms how many more there were. It is over when there was none in that time. */
const INTERVAL = 5000;

export interface Summary {
  /** As in "… and 7 more in 5 s KIND". */
  readonly kind: string;
  readonly more: number;
  /** In how many ms. */
  readonly ms: number;
  /** The last of them. */
  readonly like: ServerEvent;
}

interface Storm {
  since: number;
  told: number;
  more: number;
  like: ServerEvent;
}

/** Times are ms of any clock that does not go back. */
export class Repeats {
  readonly #storms = new Map<string, Storm>();

  /** Whether to tell of an event by itself; if not, it is counted. */
  tells(event: ServerEvent, now: number): boolean {
    const kind = repeated(event);
    if (kind === undefined) return true;
    let storm = this.#storms.get(kind);
    if (storm === undefined) {
      storm = { since: now, told: 0, more: 0, like: event };
      this.#storms.set(kind, storm);
    }
    if (storm.told < FEW) {
      storm.told++;
      return true;
    }
    storm.more++;
    storm.like = event;
    return false;
  }

  /** When to ask next what is due; undefined: not before another event. */
  get next(): number | undefined {
    if (this.#storms.size === 0) return undefined;
    return Math.min(...[...this.#storms.values()].map(({ since }) => since)) + INTERVAL;
  }

  /** The sums of all whose time is over. */
  due(now: number): Summary[] {
    return this.#sums(now, INTERVAL);
  }

  /** All sums, whether or not their time is over. */
  rest(now: number): Summary[] {
    return this.#sums(now, 0);
  }

  #sums(now: number, age: number): Summary[] {
    const sums: Summary[] = [];
    for (const [kind, storm] of this.#storms) {
      const { since, more, like } = storm;
      if (now - since < age) continue;
      if (more === 0) {
        this.#storms.delete(kind);
        continue;
      }
      sums.push({ kind, more, ms: now - since, like });
      storm.since = now;
      storm.more = 0;
    }
    return sums;
  }
}

export function summaryText({ kind, more, ms }: Summary): string {
  const time = ms < 1000 ? '' : ` in ${Math.round(ms / 1000)} s`;
  return `… and ${more.toLocaleString('en')} more${time} ${kind}`;
}
