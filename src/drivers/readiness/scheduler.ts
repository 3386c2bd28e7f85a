/**
 * A scheduler of coroutines: generators that yield the wait they want, as a number, and are resumed
 * when it is over. What the descriptor is ready for is sent into them as the value of that `yield`; a
 * system call that fails, or the server's stop, is thrown into them there.
 */
import { READABLE, type Selector, WRITABLE } from '../../os/readiness.ts';
import { LimitReached } from '../../protocol/account.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import type { Deadlines } from '../deadlines.ts';

/** A wait: the descriptor in units of 8 and the readiness in the three bits below; none of them: a sleep. */
type Wait = number;

/** A function that waits by yielding. `yield*` runs another one as a part of it, for its result. */
export type Coroutine<Result = void> = Generator<Wait, Result, number>;

/** A number and not an object, so that no wait costs an allocation. */
export const readable = (fd: number): Wait => fd * 8 + READABLE;
export const writable = (fd: number): Wait => fd * 8 + WRITABLE;
export const sleep = (ms: number): Wait => Math.ceil(ms) * 8;

/** Thrown into every coroutine that waits when the server stops. One for all: it has no story of its own. */
export const stopped = new Error('the server is stopping');

export class Scheduler {
  readonly #selector: Selector;
  readonly #worker: Pick<WorkerContext, 'row' | 'stopping' | 'departure'>;
  /** By descriptor: the coroutine that waits for it. */
  readonly #waiting: (Coroutine | undefined)[] = [];
  /** By descriptor: what the selector was last asked to tell of it; 0 where it does not have it. */
  readonly #interest: number[] = [];
  readonly #sleeping = new Timers<Coroutine>();

  constructor(selector: Selector, worker: Pick<WorkerContext, 'row' | 'stopping' | 'departure'>) {
    this.#selector = selector;
    this.#worker = worker;
  }

  /** Runs a coroutine up to its first wait; the rest of it runs in `run`. */
  start(coroutine: Coroutine): void {
    this.#resume(coroutine, 0);
  }

  /**
   * Resumes each coroutine when its wait is over, until the server stops; then none is left waiting.
   *
   * @param deadlines whoever is overdue has `LimitReached` thrown in at its wait
   * @param connections how many there are that deadlines apply to
   */
  run(deadlines?: Deadlines, connections: () => number = () => 0): void {
    const { row, departure } = this.#worker;
    while (!(this.#worker.stopping && (connections() === 0 || departure.isOver))) {
      row.state = 'waiting';
      const now = performance.now();
      const due = this.#sleeping.untilNext(now);
      const look = deadlines?.untilNext(now, connections()) ?? -1;
      this.#selector.wait(sooner(due, look));
      row.state = 'answering';
      for (let fd = this.#selector.take(); fd >= 0; fd = this.#selector.take()) {
        const coroutine = this.#waiting[fd];
        this.#waiting[fd] = undefined;
        if (coroutine !== undefined) this.#resume(coroutine, this.#selector.events);
        // Its coroutine sleeps, and the selector would tell this again and again.
        else this.forget(fd);
      }
      this.#wake(performance.now());
      if (deadlines !== undefined) this.#end(deadlines);
    }
    this.#stop();
  }

  /** Before a coroutine closes a descriptor it waited for: the next peer may get that number. */
  forget(fd: number): void {
    if (!this.#interest[fd]) return;
    this.#interest[fd] = 0;
    this.#selector.unregister(fd);
  }

  #end(deadlines: Deadlines): void {
    for (const { fd, cause } of deadlines.overdue(performance.now())) {
      const coroutine = this.#waiting[fd];
      if (coroutine === undefined) continue;
      this.#waiting[fd] = undefined;
      if (cause instanceof LimitReached) this.#goOn(coroutine, coroutine.throw(cause));
      // It looks by itself what has come and whether it is to leave.
      else this.#resume(coroutine, 0);
    }
  }

  #resume(coroutine: Coroutine, value: number): void {
    this.#goOn(coroutine, coroutine.next(value));
  }

  #goOn(coroutine: Coroutine, first: IteratorResult<Wait, void>): void {
    let step = first;
    while (step.done !== true) {
      try {
        this.#wait(coroutine, step.value);
        return;
      } catch (error) {
        step = coroutine.throw(error);
      }
    }
  }

  #wait(coroutine: Coroutine, wait: Wait): void {
    const wanted = wait & 7;
    if (wanted === 0) {
      this.#sleeping.add(performance.now() + wait / 8, coroutine);
      return;
    }
    const fd = wait >> 3;
    const asked = this.#interest[fd];
    // A descriptor stays registered from one wait to the next: the usual wait costs no system call.
    if (asked !== wanted) {
      if (asked) this.#selector.modify(fd, wanted);
      else this.#selector.register(fd, wanted);
      this.#interest[fd] = wanted;
    }
    this.#waiting[fd] = coroutine;
  }

  #wake(now: number): void {
    const sleeping = this.#sleeping;
    for (let next = sleeping.takeDue(now); next; next = sleeping.takeDue(now))
      this.#resume(next, 0);
  }

  #stop(): void {
    for (const coroutine of this.#waiting) if (coroutine !== undefined) cancel(coroutine);
    const sleeping = this.#sleeping;
    const end = Number.POSITIVE_INFINITY;
    for (let next = sleeping.takeDue(end); next; next = sleeping.takeDue(end)) cancel(next);
  }
}

/** Lets a coroutine clean up; if it yields another wait, nobody waits for it. */
function cancel(coroutine: Coroutine): void {
  try {
    coroutine.throw(stopped);
  } catch (error) {
    if (error !== stopped) throw error;
  }
}
