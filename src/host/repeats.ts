/**
 * Sums up events that repeat for one connection after another, so that a storm of clients is not a storm of log
 * lines.
 */
import { grouped } from '../protocol/shown.ts';
import { NO_HEADER, repeated, type ServerEvent } from './server-event.ts';

/** The first events of a kind, reported one by one … */
const REPORTED_EACH = 5;
/** … and the interval, in ms, at which the number of further ones is reported. Without any, the series ends. */
const INTERVAL_MS = 5000;

/** A balancer sends its wrong header with each connection and each health check, so one line says it. */
const mostReported = (kind: string): number => (kind === NO_HEADER ? 1 : REPORTED_EACH);

export interface Summary {
  /** As in "… and 7 more in 5 s KIND". */
  readonly kind: string;
  readonly more: number;
  /** The period, in ms. */
  readonly ms: number;
  /** The last of these events. */
  readonly like: ServerEvent;
}

interface Storm {
  since: number;
  reported: number;
  more: number;
  like: ServerEvent;
}

/** Times are in ms, of any clock that does not go back. */
export class Repeats {
  readonly #storms = new Map<string, Storm>();

  /** True if an event must be reported by itself; otherwise it is counted. */
  isReportedAlone(event: ServerEvent, now: number): boolean {
    const kind = repeated(event);
    if (kind === undefined) return true;
    let storm = this.#storms.get(kind);
    if (storm === undefined) {
      storm = { since: now, reported: 0, more: 0, like: event };
      this.#storms.set(kind, storm);
    }
    if (storm.reported < mostReported(kind)) {
      storm.reported++;
      return true;
    }
    storm.more++;
    storm.like = event;
    return false;
  }

  /** The time of the next call of `due`; undefined: not before another event. */
  get next(): number | undefined {
    if (this.#storms.size === 0) return undefined;
    return Math.min(...[...this.#storms.values()].map(({ since }) => since)) + INTERVAL_MS;
  }

  /** The sums of all series whose interval is over. */
  due(now: number): Summary[] {
    return this.#sums(now, INTERVAL_MS);
  }

  /** The sums of all series, even if their interval is not over. */
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
  return `… and ${grouped(more)} more${time} ${kind}`;
}
