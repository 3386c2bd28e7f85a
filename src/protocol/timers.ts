/** Timers in a binary heap, so that the next one is found at once. It has no clock; the caller passes the time. */

interface Timer<T> {
  readonly due: number;
  readonly value: T;
}

/** The shorter of two waits in ms; -1 means for ever. */
export const sooner = (one: number, other: number): number =>
  one < 0 || other < 0 ? Math.max(one, other) : Math.min(one, other);

export class Timers<T> {
  readonly #heap: Timer<T>[] = [];

  add(due: number, value: T): void {
    const heap = this.#heap;
    let at = heap.push({ due, value }) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (heap[parent]!.due <= heap[at]!.due) return;
      [heap[parent], heap[at]] = [heap[at]!, heap[parent]!];
      at = parent;
    }
  }

  /** Time of the next timer; `Infinity` if there is none. */
  get next(): number {
    return this.#heap[0]?.due ?? Number.POSITIVE_INFINITY;
  }

  /** Time from `now` until the next timer, in whole ms rounded up; -1 if there is none. */
  untilNext(now: number): number {
    const next = this.#heap[0];
    return next === undefined ? -1 : Math.max(0, Math.ceil(next.due - now));
  }

  /** Takes out one timer that is due at `now`, the earliest first. */
  takeDue(now: number): T | undefined {
    const heap = this.#heap;
    const first = heap[0];
    if (first === undefined || first.due > now) return undefined;
    const last = heap.pop()!;
    if (heap.length > 0) {
      heap[0] = last;
      this.#sink();
    }
    return first.value;
  }

  #sink(): void {
    const heap = this.#heap;
    let at = 0;
    for (;;) {
      let least = at;
      for (const child of [2 * at + 1, 2 * at + 2]) {
        if (child < heap.length && heap[child]!.due < heap[least]!.due) least = child;
      }
      if (least === at) return;
      [heap[least], heap[at]] = [heap[at]!, heap[least]!];
      at = least;
    }
  }
}
