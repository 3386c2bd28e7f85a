/**
 * A scheduler of coroutines. A coroutine is a generator that yields the wait it wants, as a number, and is resumed
 * when the wait is over. The value of that `yield` is what the descriptor is ready for. The `yield` throws if a
 * system call fails, or if the connection must end.
 */

import { GONE } from '../../lifecycle/phase.ts';
import type { Connections } from '../../lifecycle/roster.ts';
import { END, END_AFTER_ANSWER } from '../../lifecycle/terms.ts';
import { READABLE, type Selector, WRITABLE } from '../../os/readiness.ts';
import type { LimitReached } from '../../protocol/account.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { Ended } from '../ended.ts';
import { NodeTurns } from '../node-turns.ts';

/**
 * A wait: the descriptor times 8, plus the readiness in the three low bits, or `SETTLED` for a promise. No bit set: a
 * sleep.
 */
type Wait = number;

/** No selector uses this bit. */
const SETTLED = 2;

/** A function that waits by yielding. `yield*` runs another one as a part of it, for its result. */
export type Coroutine<Result = void> = Generator<Wait, Result, number>;

/** A number and not an object: no wait costs an allocation. */
export const readable = (fd: number): Wait => fd * 8 + READABLE;
export const writable = (fd: number): Wait => fd * 8 + WRITABLE;
export const sleep = (ms: number): Wait => Math.ceil(ms) * 8;

/** One wait for a promise: the next holder of the descriptor has another one. */
interface Awaited {
  readonly fd: number;
  coroutine?: Coroutine;
}

/** A connection that a coroutine holds. */
export interface Held {
  readonly phase: number;
  /**
   * The worker leaves. If no bytes have come when the coroutine receives next, the connection ends for this cause.
   */
  endIfNothing(cause: 'stop' | 'restart'): void;
  endAfterAnswer(limit: string): void;
}

export class Scheduler implements Connections {
  readonly #selector: Selector;
  readonly #worker: Pick<Worker, 'row' | 'clients'>;
  readonly #node: NodeTurns<Awaited>;
  #isNodeWatched = false;
  /** By descriptor: the coroutine that waits for it. */
  readonly #waiting: (Coroutine | undefined)[] = [];
  /** By descriptor: what the selector watches for; 0: it does not watch the descriptor. */
  readonly #interest: number[] = [];
  readonly #sleeping = new Timers<Coroutine>();
  /** By descriptor: the promise that its coroutine waits for. */
  readonly #awaited: (Awaited | undefined)[] = [];
  /** By descriptor: the connection. */
  readonly #held: (Held | undefined)[] = [];

  constructor(selector: Selector, worker: Pick<Worker, 'row' | 'clients' | 'awaits' | 'journal'>) {
    this.#selector = selector;
    this.#worker = worker;
    this.#node = new NodeTurns(worker);
  }

  /** Runs a coroutine up to its first wait. `run` runs the rest. */
  start(coroutine: Coroutine): void {
    this.#resume(coroutine, 0);
  }

  /** Applies the time limits to this descriptor, until `forget`. */
  hold(fd: number, connection: Held): void {
    this.#held[fd] = connection;
  }

  /** The wait to yield until the promise has settled. The coroutine that holds `fd` must yield it at once. */
  settled(fd: number, promise: Promise<void>): Wait {
    const awaited: Awaited = { fd };
    this.#awaited[fd] = awaited;
    this.#node.expect(promise, awaited);
    return fd * 8 + SETTLED;
  }

  /** Resumes each coroutine when its wait is over, until the worker has left. Then none is waiting. */
  async run(): Promise<void> {
    while (this.#runUntilNodesTurn()) {
      await this.#node.turn();
      this.#resumeSettled();
    }
    this.#endAll();
    this.#node.close();
  }

  /** Returns true when Node must have a turn, and false once the worker has left. */
  #runUntilNodesTurn(): boolean {
    const { clients, row } = this.#worker;
    const node = this.#node;
    for (;;) {
      const now = performance.now();
      if (clients.isDone(now)) return false;
      let wait = sooner(this.#sleeping.untilNext(now), clients.untilLook(now));
      if (node.isOn) {
        if (node.isDue(now)) return true;
        if (!this.#isNodeWatched) this.#watchNode();
        wait = sooner(wait, node.untilDue(now));
      }
      row.state = states.waiting;
      const count = this.#selector.wait(wait);
      row.state = states.answering;
      if (node.isOn && count > 0) node.touch();
      for (let fd = this.#selector.next(); fd >= 0; fd = this.#selector.next()) {
        const coroutine = this.#waiting[fd];
        this.#waiting[fd] = undefined;
        if (coroutine !== undefined) this.#resume(coroutine, this.#selector.events);
        // Its coroutine sleeps, so the selector would report this again and again.
        else this.#unwatch(fd);
      }
      this.#wake(performance.now());
      clients.look(performance.now(), this);
    }
  }

  #watchNode(): void {
    this.#isNodeWatched = true;
    if (this.#node.fd >= 0) this.start(this.#noteNode(this.#node.fd));
  }

  *#noteNode(fd: number): Coroutine {
    for (;;) {
      yield readable(fd);
      this.#node.isReady = true;
    }
  }

  #resumeSettled(): void {
    const node = this.#node;
    for (let awaited = node.takeSettled(); awaited; awaited = node.takeSettled()) {
      const { fd, coroutine } = awaited;
      if (this.#awaited[fd] !== awaited) continue;
      this.#awaited[fd] = undefined;
      if (coroutine !== undefined) this.#resume(coroutine, 0);
    }
  }

  /** Call it before a coroutine closes a descriptor that it waited for: the next peer may get that number. */
  forget(fd: number): void {
    this.#held[fd] = undefined;
    this.#awaited[fd] = undefined;
    this.#unwatch(fd);
  }

  phaseOf(fd: number): number {
    return this.#held[fd]?.phase ?? GONE;
  }

  visit(fd: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void {
    this.#node.touch();
    const connection = this.#held[fd];
    if (decision === END_AFTER_ANSWER) connection?.endAfterAnswer((cause as LimitReached).limit);
    const coroutine = this.#waiting[fd];
    if (decision === END_AFTER_ANSWER || coroutine === undefined) return;
    this.#waiting[fd] = undefined;
    if (decision === END) {
      this.#advance(coroutine, coroutine.throw(new Ended(cause)));
      return;
    }
    connection?.endIfNothing(cause as 'stop' | 'restart');
    this.#resume(coroutine, 0);
  }

  #unwatch(fd: number): void {
    if (!this.#interest[fd]) return;
    this.#interest[fd] = 0;
    this.#selector.unregister(fd);
  }

  #resume(coroutine: Coroutine, value: number): void {
    this.#advance(coroutine, coroutine.next(value));
  }

  #advance(coroutine: Coroutine, first: IteratorResult<Wait, void>): void {
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
    if (wanted === SETTLED) {
      this.#awaited[fd]!.coroutine = coroutine;
      return;
    }
    const asked = this.#interest[fd];
    // A descriptor stays registered from one wait to the next, so most waits cost no system call.
    if (asked !== wanted) {
      if (asked) this.#selector.modify(fd, wanted);
      else this.#selector.register(fd, wanted);
      this.#interest[fd] = wanted;
    }
    this.#waiting[fd] = coroutine;
  }

  #wake(now: number): void {
    const sleeping = this.#sleeping;
    for (let next = sleeping.takeDue(now); next; next = sleeping.takeDue(now)) {
      this.#node.touch();
      this.#resume(next, 0);
    }
  }

  /** Lets every coroutine clean up. */
  #endAll(): void {
    const ended = new Ended(this.#worker.clients.cause);
    for (const coroutine of this.#waiting) if (coroutine !== undefined) end(coroutine, ended);
    for (const awaited of this.#awaited) {
      if (awaited?.coroutine !== undefined) end(awaited.coroutine, ended);
    }
    const sleeping = this.#sleeping;
    const last = Number.POSITIVE_INFINITY;
    for (let next = sleeping.takeDue(last); next; next = sleeping.takeDue(last)) end(next, ended);
  }
}

/** A coroutine that yields another wait here is never resumed. */
function end(coroutine: Coroutine, reason: Ended): void {
  try {
    coroutine.throw(reason);
  } catch (error) {
    if (error !== reason) throw error;
  }
}
