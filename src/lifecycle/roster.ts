/**
 * The times of one worker's connections, by slot, in typed arrays. Answering a question reads no clock and starts
 * no timer: the driver only marks the connection as answered (one store). A few times within the shortest limit,
 * the roster looks at what every connection is doing. So it notices a limit late by up to a quarter of the shortest
 * one (at most 1 s), and never early.
 */
import type { Limits } from '../limits/limits.ts';
import { LimitReached } from '../protocol/account.ts';
import type { Drain } from './drain.ts';
import { ANSWER, GONE, IDLE, PREAMBLE, QUESTION } from './phase.ts';
import {
  END,
  END_AFTER_ANSWER,
  endsAfterAnswer,
  LOOK,
  limitReached,
  lookInterval,
  STAY,
  type TimeLimit,
  untilLimit,
} from './terms.ts';

/** Instead of a phase: the connection came after the last look. */
const NEW = 255;

/** A start time for which no time ever passes. */
const NEVER = Number.POSITIVE_INFINITY;

/** Interval between looks while the worker leaves, in ms. */
const LEAVING_LOOK_INTERVAL_MS = 10;

// Bits of a mark: answered since the last look, answered while the worker leaves, and answered at all.
const SINCE_LOOK = 1;
const SINCE_LEAVING = 2;
const EVER = 4;

/** A driver's connections, by slot. */
export interface Connections {
  /** What the connection is doing now. Called only for slots that have one. `GONE` if its end is under way. */
  phaseOf(slot: number): number;
  /**
   * The connection must change.
   *
   * @param decision `LOOK`, `END` or `END_AFTER_ANSWER`
   */
  visit(slot: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void;
}

export class Roster {
  readonly #limits: Limits;
  readonly #random: () => number;
  readonly #drain: Drain;
  readonly #exceeded: (limit: TimeLimit) => boolean;
  /** Interval between looks, in ms. */
  readonly interval: number;
  #next = 0;
  /** True if the last look followed directly on another one. */
  #wasAgain = false;
  /** One past the highest slot that was ever used. */
  #end = 0;
  /** What a connection was doing at the last look; `GONE`: there is none. */
  #phase: Uint8Array;
  /** When that began, by the caller's clock. */
  #since: Float64Array;
  /** The bits defined above. */
  #mark: Uint8Array;
  /** When it was first looked at, less its jitter, and whether its age has been counted. */
  #born: Float64Array;
  #isAgeCounted: Uint8Array;
  #answeredMark = SINCE_LOOK | EVER;
  /** Slots that were read once more after the drain was over. */
  readonly #lastLooked = new Set<number>();
  /** Why the last decision of `lookAt` was not `STAY`. */
  cause: LimitReached | 'stop' | 'restart' = 'stop';

  /**
   * @param exceeded counts a limit that was reached; returns false in a dry run
   * @param size number of slots at the start; the arrays grow as needed
   */
  constructor(
    limits: Limits,
    drain: Drain,
    exceeded: (limit: TimeLimit) => boolean,
    { size = 16, random = Math.random } = {},
  ) {
    this.#limits = limits;
    this.#random = random;
    this.#drain = drain;
    this.#exceeded = exceeded;
    this.interval = lookInterval(limits);
    this.#phase = new Uint8Array(size);
    this.#since = new Float64Array(size);
    this.#mark = new Uint8Array(size);
    this.#born = new Float64Array(size);
    this.#isAgeCounted = new Uint8Array(size);
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

  /** The connection is between questions again without an answer: a service may give none. */
  rested(slot: number): void {
    this.#mark[slot]! |= SINCE_LOOK;
  }

  /** The connection is closed. */
  end(slot: number): void {
    this.#phase[slot] = GONE;
  }

  /** From this call on, answers count as given while the worker leaves. */
  noteLeaving(): void {
    this.#answeredMark = SINCE_LOOK | SINCE_LEAVING | EVER;
  }

  /** True if the connection was answered while the worker was leaving. */
  isAnsweredSinceLeaving(slot: number): boolean {
    return (this.#mark[slot]! & SINCE_LEAVING) !== 0;
  }

  /** Time until the next look, in ms from `now`; -1: there is nothing to look at. */
  untilNext(now: number, connections: number): number {
    if (this.#drain.isLeaving) return LEAVING_LOOK_INTERVAL_MS;
    if (connections === 0 || !Number.isFinite(this.interval)) return -1;
    return Math.max(0, Math.ceil(this.#next - now));
  }

  /** Time in ms until `lookAt` may decide something else about this connection; `Infinity`: never. */
  untilLimit(slot: number, now: number): number {
    const phase = this.#phase[slot]!;
    return untilLimit(this.#limits, phase, now - this.#since[slot]!, this.#ageOf(slot, now));
  }

  /**
   * Looks at one connection.
   *
   * @param waited ms that a thread has just slept in this phase
   * @returns the decision; `cause` then says why
   */
  lookAt(slot: number, phase: number, now: number, waited = 0): number {
    const leaving = this.#decideDrain(slot, phase, now);
    if (leaving === STAY) return this.#lookAtTime(slot, phase, now, waited);
    this.cause = this.#drain.cause;
    return leaving;
  }

  /** Looks at all connections, if it is time to, and visits those that must change. */
  look(now: number, connections: Connections): void {
    if (this.#drain.isLeaving) this.#lookForDrain(now, connections);
    if (now >= this.#next) this.#lookForLimits(now, connections);
  }

  #lookForDrain(now: number, connections: Connections): void {
    for (let slot = 0; slot < this.#end; slot++) {
      if (this.#phase[slot] === GONE) continue;
      const phase = connections.phaseOf(slot);
      const decision = phase === GONE ? STAY : this.#decideDrain(slot, phase, now);
      if (decision !== STAY) connections.visit(slot, decision, this.#drain.cause);
    }
  }

  /**
   * A worker that was held up in an answer may notice the order only when the drain is over. A question may have come
   * in time and be unread, so a connection between questions is read once more, and no more often.
   */
  #decideDrain(slot: number, phase: number, now: number): number {
    const isNewcomer = phase === IDLE && (this.#mark[slot]! & EVER) === 0;
    const owed = isNewcomer && this.#drain.sparesNewcomers ? QUESTION : phase;
    const decision = this.#drain.decide(owed, now);
    if (decision !== END || phase !== IDLE || this.#lastLooked.has(slot)) return decision;
    this.#lastLooked.add(slot);
    return LOOK;
  }

  #lookForLimits(now: number, connections: Connections): void {
    // While the loop was held up it received nothing, so this time does not count against the peers.
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
    // A client that asks without a pause was answered in this turn, and may be idle in the next.
    this.#wasAgain = owesOld && !this.#wasAgain;
    if (this.#wasAgain) this.#next = now;
  }

  #lookAtTime(slot: number, phase: number, now: number, waited = 0): number {
    if (this.#phase[slot] === NEW) {
      this.#born[slot] = now - this.#random() * Math.min(this.#limits.ageJitter, this.#limits.age);
      this.#isAgeCounted[slot] = 0;
    }
    // A preamble has one time from its beginning: further bytes do not extend it.
    const hasMark = phase !== PREAMBLE && (this.#mark[slot]! & SINCE_LOOK) !== 0;
    if (phase !== this.#phase[slot] || hasMark) {
      this.#phase[slot] = phase;
      this.#since[slot] = now - waited;
      this.#mark[slot]! &= ~SINCE_LOOK;
    }
    const spent = now - this.#since[slot]!;
    const limit = limitReached(this.#limits, phase, spent, this.#ageOf(slot, now));
    if (limit === undefined) return STAY;
    if (!this.#ends(slot, phase, limit, now)) return STAY;
    this.cause = new LimitReached(limit);
    return endsAfterAnswer(phase) ? END_AFTER_ANSWER : END;
  }

  /** Counts a limit once each time that it is reached. False if nothing follows. */
  #ends(slot: number, phase: number, limit: TimeLimit, now: number): boolean {
    if (limit !== 'age') {
      // In a dry run it counts once, until the connection does something else.
      const isEnded = this.#exceeded(limit);
      this.#since[slot] = isEnded ? now : NEVER;
      return isEnded;
    }
    const isAgeCounted = this.#isAgeCounted[slot] === 1;
    // It will end after its answer, and does not have it yet.
    if (isAgeCounted && endsAfterAnswer(phase)) return false;
    this.#isAgeCounted[slot] = 1;
    if (isAgeCounted || this.#exceeded(limit)) return true;
    this.#born[slot] = NEVER;
    return false;
  }

  #ageOf(slot: number, now: number): number {
    return now - this.#born[slot]!;
  }

  /** True if it would be too old once it is between questions. */
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
    this.#isAgeCounted = copy(new Uint8Array(size), this.#isAgeCounted);
  }
}
