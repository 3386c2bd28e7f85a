/**
 * The limits on time, for a loop with many connections. Nothing on the way of a question reads a
 * clock or starts a timer: a loop marks who was answered, and a few times in the shortest limit looks
 * at all connections, and at what each has been doing since the last look. So a limit is noticed up to
 * a quarter of the shortest one late (at most 1 s), never early; and later still by as long as an answer
 * held up the loop, which receives nothing meanwhile.
 */

import { type Departure, HALFWAY } from '../lifecycle/drain.ts';
import { ANSWER, GONE, IDLE, QUESTION, THINKING } from '../lifecycle/phase.ts';
import type { Limits } from '../limits/limits.ts';
import { LimitReached } from '../protocol/account.ts';

/** A moment from which on nothing is ever late. */
const NEVER = Number.POSITIVE_INFINITY;

const LONGEST_INTERVAL = 1000;
const SHORTEST_INTERVAL = 10;

/** How long an answer may be taken by who is too old where nothing else limits that, in ms. */
const LONGEST_GRACE = 10_000;

/** How long who is too old has to take an answer, in ms. */
export const graceOf = ({ age, answerTime }: Limits): number =>
  answerTime || Math.min(age, LONGEST_GRACE);

/** How often a worker that leaves looks whom it may end, in ms. */
const GLANCE = 10;

/** The limits on time that are told of and counted by name. */
export type TimeLimit = 'idle' | 'question-time' | 'answer-time' | 'age';

/** A connection whose time is up: for a limit, or as its worker leaves. */
export interface Overdue {
  readonly fd: number;
  readonly cause: LimitReached | 'restart' | 'stop';
}

/** The connections of a loop, by descriptor. */
export interface Connections {
  /** What it is doing now: see phases.ts. */
  phaseOf(fd: number): number;
  /** It is to be ended for that limit once it has the answer that it waits for. */
  endAfterAnswer(fd: number, limit: TimeLimit): void;
}

export class Deadlines {
  readonly #limits: Limits;
  readonly #connections: Connections;
  readonly #exceeded: (limit: TimeLimit) => boolean;
  readonly #departure: Departure | undefined;
  readonly #interval: number;
  #next = 0;
  /** Whether the last look was one more than there should have been. */
  #wasAgain = false;
  /** One past the highest descriptor that was marked. */
  #end = 0;
  /** By descriptor: what it was doing at the last look, since when, and whether it was answered after. */
  #phase = new Uint8Array(1024);
  #since = new Float64Array(1024);
  #answered = new Uint8Array(1024);
  /** By descriptor: when it was first seen, and whether its age was told of; only where age is limited. */
  #born: Float64Array | undefined;
  #isTold = new Uint8Array(1024);

  /**
   * @param exceeded counts a limit that was reached; false if nothing is to be done about it
   * @param departure from when it is due on, those are overdue as well whom it ends
   */
  constructor(
    limits: Limits,
    connections: Connections,
    exceeded: (limit: TimeLimit) => boolean,
    departure?: Departure,
  ) {
    this.#departure = departure;
    this.#limits = limits;
    this.#connections = connections;
    this.#exceeded = exceeded;
    const { idle, questionTime, answerTime, age } = limits;
    const shortest = Math.min(...[idle, questionTime, answerTime, age].filter((ms) => ms > 0));
    this.#interval = Number.isFinite(shortest)
      ? Math.max(SHORTEST_INTERVAL, Math.min(LONGEST_INTERVAL, shortest / 4))
      : Number.POSITIVE_INFINITY;
    if (age > 0) this.#born = new Float64Array(1024);
  }

  /** The connection was accepted. */
  begin(fd: number): void {
    this.mark(fd);
    // The descriptor may have been another's since the last look.
    this.#phase[fd] = GONE;
  }

  /** One of its questions was answered. */
  mark(fd: number): void {
    if (fd >= this.#end) this.#reach(fd);
    this.#answered[fd] = 1;
  }

  /** How long until the next look, in ms from `now`; -1 if there is nobody to look at. */
  untilNext(now: number, connections: number): number {
    if (this.#departure?.isDue) return GLANCE;
    if (connections === 0 || !Number.isFinite(this.#interval)) return -1;
    return Math.max(0, Math.ceil(this.#next - now));
  }

  /** Looks at all connections, if it is time to; yields the descriptors of those to be ended, and why. */
  *overdue(now: number): Generator<Overdue> {
    if (this.#departure?.isDue) yield* this.#leaving(this.#departure);
    if (now < this.#next) return;
    // While the loop was held up it received nothing: that time is not the peers'.
    const heldUp = this.#next > 0 ? now - this.#next : 0;
    this.#next = now + this.#interval;
    let owesOld = false;
    for (let fd = 0; fd < this.#end; fd++) {
      const phase = this.#connections.phaseOf(fd);
      if (phase === GONE) {
        this.#phase[fd] = GONE;
        continue;
      }
      if (this.#born !== undefined && this.#phase[fd] === GONE) {
        this.#born[fd] = now;
        this.#isTold[fd] = 0;
      }
      this.#since[fd]! += heldUp;
      const limit = this.#look(fd, phase, now);
      if (limit === undefined) {
        owesOld ||= phase === ANSWER && this.#isOld(fd, IDLE, this.#over(fd, now));
        continue;
      }
      const isAge = limit === 'age';
      const isEnded = (isAge && this.#isTold[fd] === 1) || this.#exceeded(limit);
      if (isAge) this.#isTold[fd] = 1;
      else this.#since[fd] = now;
      if (!isEnded) {
        // It is told once: the next look must not tell it again, until the connection does something else.
        if (isAge) this.#born![fd] = NEVER;
        else this.#since[fd] = NEVER;
        continue;
      }
      if (phase === THINKING) this.#connections.endAfterAnswer(fd, limit);
      else yield { fd, cause: new LimitReached(limit) };
    }
    // Who asks on and on was answered in this very turn, and may be at rest in the next: one look more.
    this.#wasAgain = owesOld && !this.#wasAgain;
    if (this.#wasAgain) this.#next = now;
  }

  *#leaving(departure: Departure): Generator<Overdue> {
    for (let fd = 0; fd < this.#end; fd++) {
      const phase = this.#connections.phaseOf(fd);
      if (phase !== GONE && departure.ends(phase)) yield { fd, cause: departure.cause };
    }
  }

  #look(fd: number, phase: number, now: number): TimeLimit | undefined {
    if (phase !== this.#phase[fd] || this.#answered[fd] === 1) {
      this.#phase[fd] = phase;
      this.#since[fd] = now;
      this.#answered[fd] = 0;
    }
    const { idle, questionTime, answerTime } = this.#limits;
    if (this.#isOld(fd, phase, this.#over(fd, now))) return 'age';
    const spent = now - this.#since[fd]!;
    if (phase === IDLE) return idle > 0 && spent >= idle ? 'idle' : undefined;
    if (phase === QUESTION)
      return questionTime > 0 && spent >= questionTime ? 'question-time' : undefined;
    if (phase === ANSWER) return answerTime > 0 && spent >= answerTime ? 'answer-time' : undefined;
    return undefined;
  }

  /** By how much it is too old; negative if it is not. */
  #over(fd: number, now: number): number {
    return this.#born === undefined ? -1 : now - this.#born[fd]! - this.#limits.age;
  }

  /**
   * Between questions at once. Whoever pipelines never is: then inside a question, or an answer that it has
   * had the time to take, or with the answer that it waits for.
   */
  #isOld(fd: number, phase: number, over: number): boolean {
    if (phase === IDLE) return over >= 0;
    if (phase === QUESTION) return over >= HALFWAY;
    if (phase === THINKING) return over >= 0 && this.#isTold[fd] === 0;
    return phase === ANSWER && over >= graceOf(this.#limits);
  }

  #reach(fd: number): void {
    this.#end = fd + 1;
    if (fd < this.#phase.length) return;
    const size = Math.max(fd + 1, this.#phase.length * 2);
    const copy = <T extends { set(from: T): void }>(larger: T, old: T): T => {
      larger.set(old);
      return larger;
    };
    this.#phase = copy(new Uint8Array(size), this.#phase);
    this.#since = copy(new Float64Array(size), this.#since);
    this.#answered = copy(new Uint8Array(size), this.#answered);
    if (this.#born === undefined) return;
    this.#born = copy(new Float64Array(size), this.#born);
    this.#isTold = copy(new Uint8Array(size), this.#isTold);
  }
}
