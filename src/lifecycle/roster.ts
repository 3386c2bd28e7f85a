/**
 * The times of one worker's connections, by slot, in typed arrays. Nothing on the path of a question reads
 * a clock or starts a timer: a driver marks a connection that was answered (one store), and a few times in
 * the shortest limit the roster looks at what every connection has been doing. So a limit is noticed up to a
 * quarter of the shortest one late (at most 1 s), and never early.
 */
import type { Limits } from '../limits/limits.ts';
import { LimitReached } from '../protocol/account.ts';
import type { Drain } from './drain.ts';
import { ANSWER, GONE, IDLE } from './phase.ts';
import {
  END,
  END_AFTER_ANSWER,
  endsAfterAnswer,
  limitReached,
  lookInterval,
  STAY,
  type TimeLimit,
  untilLimit,
} from './terms.ts';

/** In place of a phase: the connection came after the last look. */
const NEW = 255;

/** A moment since which no time ever passes. */
const NEVER = Number.POSITIVE_INFINITY;

/** Interval between looks while the worker leaves, in ms. */
const LEAVING_LOOK_INTERVAL_MS = 10;

// Bits of a mark: answered since the last look, and since the worker leaves.
const SINCE_LOOK = 1;
const SINCE_LEAVING = 2;

/** A driver's connections, by slot. */
export interface Connections {
  /** What the connection is doing now. Only called for slots that have one; `GONE` if its end is under way. */
  phaseOf(slot: number): number;
  /**
   * The connection may not stay as it is.
   *
   * @param decision `LOOK`, `END` or `END_AFTER_ANSWER`
   */
  visit(slot: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void;
}

export class Roster {
  readonly #limits: Limits;
  readonly #drain: Drain;
  readonly #exceeded: (limit: TimeLimit) => boolean;
  /** Interval between looks, in ms. */
  readonly interval: number;
  #next = 0;
  /** True if the last look was the second in a row. */
  #wasAgain = false;
  /** One past the highest slot that was ever taken. */
  #end = 0;
  /** What a connection was doing at the last look; `GONE` where there is none. */
  #phase: Uint8Array;
  /** Since when, by the caller's clock. */
  #since: Float64Array;
  /** See the bits above. */
  #mark: Uint8Array;
  /** When it was first looked at, and whether its age was counted. */
  #born: Float64Array;
  #isTold: Uint8Array;
  #answeredMark = SINCE_LOOK;
  /** Why the last decision of `lookAt` was not `STAY`. */
  cause: LimitReached | 'stop' | 'restart' = 'stop';

  /**
   * @param exceeded counts a limit that was reached; false in a dry run
   * @param size how many slots to begin with; there is room for any
   */
  constructor(limits: Limits, drain: Drain, exceeded: (limit: TimeLimit) => boolean, size = 16) {
    this.#limits = limits;
    this.#drain = drain;
    this.#exceeded = exceeded;
    this.interval = lookInterval(limits);
    this.#phase = new Uint8Array(size);
    this.#since = new Float64Array(size);
    this.#mark = new Uint8Array(size);
    this.#born = new Float64Array(size);
    this.#isTold = new Uint8Array(size);
  }

  /** A connection came. */
  begin(slot: number): void {
    if (slot >= this.#phase.length) this.#grow(slot);
    if (slot >= this.#end) this.#end = slot + 1;
    this.#phase[slot] = NEW;
    this.#mark[slot] = 0;
  }

  /** One of its questions was answered. The only call on the path of a question. */
  answered(slot: number): void {
    this.#mark[slot] = this.#answeredMark;
  }

  /** It is between questions without having been given an answer: a service may have none. */
  rested(slot: number): void {
    this.#mark[slot]! |= SINCE_LOOK;
  }

  /** The connection has gone. */
  end(slot: number): void {
    this.#phase[slot] = GONE;
  }

  /** From now on, answers count as given while the worker leaves. */
  noteLeaving(): void {
    this.#answeredMark = SINCE_LOOK | SINCE_LEAVING;
  }

  /** True if the connection was answered since the worker leaves. */
  isAnsweredSinceLeaving(slot: number): boolean {
    return (this.#mark[slot]! & SINCE_LEAVING) !== 0;
  }

  /** How long until the next look, in ms from `now`; -1: there is nothing to look at. */
  untilNext(now: number, connections: number): number {
    if (this.#drain.isLeaving) return LEAVING_LOOK_INTERVAL_MS;
    if (connections === 0 || !Number.isFinite(this.interval)) return -1;
    return Math.max(0, Math.ceil(this.#next - now));
  }

  /** In how many ms `lookAt` may decide something else about this connection; `Infinity`: never. */
  untilLimit(slot: number, now: number): number {
    const phase = this.#phase[slot]!;
    return untilLimit(this.#limits, phase, now - this.#since[slot]!, this.#ageOf(slot, now));
  }

  /**
   * Looks at one connection.
   *
   * @param waited ms that a thread has slept in this phase just now
   * @returns what follows for it; `cause` then says why
   */
  lookAt(slot: number, phase: number, now: number, waited = 0): number {
    const leaving = this.#drain.decide(phase, now);
    if (leaving === STAY) return this.#lookAtTime(slot, phase, now, waited);
    this.cause = this.#drain.cause;
    return leaving;
  }

  /** Looks at all connections, if it is time to, and visits those that may not stay as they are. */
  look(now: number, connections: Connections): void {
    if (this.#drain.isLeaving) this.#lookForDrain(now, connections);
    if (now >= this.#next) this.#lookForLimits(now, connections);
  }

  #lookForDrain(now: number, connections: Connections): void {
    for (let slot = 0; slot < this.#end; slot++) {
      if (this.#phase[slot] === GONE) continue;
      const phase = connections.phaseOf(slot);
      const decision = phase === GONE ? STAY : this.#drain.decide(phase, now);
      if (decision !== STAY) connections.visit(slot, decision, this.#drain.cause);
    }
  }

  #lookForLimits(now: number, connections: Connections): void {
    // A loop that was held up has received nothing: that time is not the peers'.
    const heldUp = this.#next > 0 ? now - this.#next : 0;
    this.#next = now + this.interval;
    let owesOld = false;
    for (let slot = 0; slot < this.#end; slot++) {
      if (this.#phase[slot] === GONE) continue;
      this.#since[slot]! += heldUp;
      const phase = connections.phaseOf(slot);
      if (phase === GONE) continue;
      const decision = this.#lookAtTime(slot, phase, now);
      if (decision !== STAY) connections.visit(slot, decision, this.cause);
      else owesOld ||= phase === ANSWER && this.#isTooOld(slot, now);
    }
    // A client that asks without a pause was answered in this very turn, and may be at rest in the next.
    this.#wasAgain = owesOld && !this.#wasAgain;
    if (this.#wasAgain) this.#next = now;
  }

  #lookAtTime(slot: number, phase: number, now: number, waited = 0): number {
    if (this.#phase[slot] === NEW) {
      this.#born[slot] = now;
      this.#isTold[slot] = 0;
    }
    if (phase !== this.#phase[slot] || (this.#mark[slot]! & SINCE_LOOK) !== 0) {
      this.#phase[slot] = phase;
      this.#since[slot] = now - waited;
      this.#mark[slot]! &= SINCE_LEAVING;
    }
    const spent = now - this.#since[slot]!;
    const limit = limitReached(this.#limits, phase, spent, this.#ageOf(slot, now));
    if (limit === undefined) return STAY;
    if (!this.#ends(slot, phase, limit, now)) return STAY;
    this.cause = new LimitReached(limit);
    return endsAfterAnswer(phase) ? END_AFTER_ANSWER : END;
  }

  /** Counts a limit once for each time that it is reached; false if nothing follows from it. */
  #ends(slot: number, phase: number, limit: TimeLimit, now: number): boolean {
    if (limit !== 'age') {
      // In a dry run it is counted once, until the connection does something else.
      const isEnded = this.#exceeded(limit);
      this.#since[slot] = isEnded ? now : NEVER;
      return isEnded;
    }
    const isTold = this.#isTold[slot] === 1;
    // It has been told to end after its answer, which it does not have yet.
    if (isTold && endsAfterAnswer(phase)) return false;
    this.#isTold[slot] = 1;
    if (isTold || this.#exceeded(limit)) return true;
    this.#born[slot] = NEVER;
    return false;
  }

  #ageOf(slot: number, now: number): number {
    return now - this.#born[slot]!;
  }

  /** True if it would be too old between questions. */
  #isTooOld(slot: number, now: number): boolean {
    const age = this.#ageOf(slot, now);
    return limitReached(this.#limits, IDLE, 0, age) === 'age';
  }

  #grow(slot: number): void {
    const size = Math.max(slot + 1, this.#phase.length * 2);
    const copy = <T extends { set(from: T): void }>(larger: T, old: T): T => {
      larger.set(old);
      return larger;
    };
    this.#phase = copy(new Uint8Array(size), this.#phase);
    this.#since = copy(new Float64Array(size), this.#since);
    this.#mark = copy(new Uint8Array(size), this.#mark);
    this.#born = copy(new Float64Array(size), this.#born);
    this.#isTold = copy(new Uint8Array(size), this.#isTold);
  }
}
