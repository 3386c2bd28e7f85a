/**
 * The limits on time, for a thread that blocks: the socket's own timeouts (SO_RCVTIMEO, SO_SNDTIMEO,
 * socket(7)) make `recv` and `send` come back, and then it is asked here whether the time is over. So a
 * thread frees itself of a client that says nothing, drips, or does not read. In a dry run each limit is
 * counted once where it would have ended somebody.
 */

import { HALFWAY } from '../../lifecycle/drain.ts';
import { WOULD_BLOCK } from '../../os/libc.ts';
import { setReceiveTimeout, setSendTimeout } from '../../os/socket.ts';
import { LimitReached } from '../../protocol/account.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import type { Reason } from '../../worker/scoreboard.ts';
import { Backlog } from '../backlog.ts';
import { graceOf } from '../deadlines.ts';

/** How often a thread looks, that sends without a limit on that, whether the connection is too old, in ms. */
const LOOK = 1000;

/**
 * The part of all that may be unsent up to which an answer is sent in one call and does not count: to know what
 * the kernel has no room for takes a call more. Of so many threads as a server has rows that makes an eighth.
 */
const SMALL = 1 / 4096;

/** Of a question or an answer whose time is counted already. */
const COUNTED = Number.POSITIVE_INFINITY;

export class Patience {
  readonly worker: WorkerContext;
  readonly #socket: number;
  readonly #born = performance.now();
  /** Whether it was given an answer since its worker is to leave. */
  isAnswered = false;
  /** Since when the rest of a question is waited for; 0: it is not. */
  #questionSince = 0;
  /** Whether what is held of a question is of another than that. */
  #isNextQuestion = false;
  #sendingSince = 0;
  readonly #backlog: Backlog;
  /** What of it counts there. */
  #unsent = 0;
  #isIdleCounted = false;
  /** Whether its age is to end it; undefined until that is counted. */
  #isTooOld: boolean | undefined;

  constructor(socket: number, worker: WorkerContext) {
    this.worker = worker;
    this.#socket = socket;
    this.#backlog = new Backlog(worker);
    const { idle, answerTime, age } = worker.limits;
    if (idle > 0) setReceiveTimeout(socket, idle);
    if (answerTime > 0) setSendTimeout(socket, answerTime);
    else if (age > 0) setSendTimeout(socket, Math.min(LOOK, graceOf(worker.limits)));
  }

  /**
   * Throws `LimitReached` if the connection is too old: between questions, when all is answered that was
   * received, or inside one that has had the time to become whole. Else `recv` is to come back when it is.
   */
  beforeRecv(inQuestion: boolean): void {
    const { idle, questionTime, age } = this.worker.limits;
    if (questionTime > 0) this.#timeQuestion(inQuestion);
    if (!this.#mayAge) return;
    const most = age + (inQuestion ? HALFWAY : 0);
    const left = this.#born + most - performance.now();
    if (left <= 0 && this.#endsForAge()) throw new LimitReached('age');
    // A question has its own time. Without an age this would be one system call more for each.
    if (inQuestion && questionTime > 0) return;
    const other = inQuestion ? 0 : idle;
    if (left <= 0) setReceiveTimeout(this.#socket, other);
    else setReceiveTimeout(this.#socket, Math.max(1, Math.min(left, other || left)));
  }

  /**
   * Throws `LimitReached` if the peer's time is over.
   *
   * @param count what `recv` gave: bytes, or `WOULD_BLOCK` after its timeout
   * @param inQuestion whether there is a part of a question now
   * @param isWhole whether this `recv` made a question whole: what is there now is of another
   */
  afterRecv(count: number, inQuestion: boolean, isWhole: boolean): void {
    const { idle, questionTime } = this.worker.limits;
    if (count > 0) this.#isIdleCounted = false;
    if (count === WOULD_BLOCK && !inQuestion && idle > 0) {
      // What it was woken for may be its age, of which `beforeRecv` knows.
      if (!this.#isOlderThan(0) && !this.#isIdleCounted) {
        this.#reach('idle');
        this.#isIdleCounted = true;
      }
    }
    if (isWhole) this.#isNextQuestion = true;
    if (!inQuestion || isWhole) return;
    if (this.#questionSince === 0 || this.#questionSince === COUNTED) return;
    const left = this.#questionSince + questionTime - performance.now();
    if (left > 0) {
      // Not after each byte that drips: the time to finish counts from the first one.
      setReceiveTimeout(this.#socket, Math.max(1, Math.ceil(left)));
      return;
    }
    this.#reach('question-time');
    this.#questionSince = COUNTED;
    setReceiveTimeout(this.#socket, 0);
  }

  /** True if it is too old to be given more than the answer that it waits for. */
  endsAfterAnswer(): boolean {
    return this.#isOlderThan(0) && this.#endsForAge();
  }

  beforeSending(): void {
    this.#sendingSince = performance.now();
  }

  /** A `send` that blocks takes less than all after its timeout, when a signal woke it, or from a peer that is gone. */
  afterShortSend(): void {
    const { limits } = this.worker;
    const { answerTime } = limits;
    if (answerTime > 0 && performance.now() - this.#sendingSince >= answerTime) {
      this.#reach('answer-time');
      this.#sendingSince = COUNTED;
    }
    if (this.#isOlderThan(graceOf(limits)) && this.#endsForAge()) throw new LimitReached('age');
  }

  /** Whether an answer of so many bytes is to be counted while it waits for room. */
  counts(bytes: number): boolean {
    const { unsentTotal } = this.worker.limits;
    return unsentTotal > 0 && bytes > unsentTotal * SMALL;
  }

  /** So many bytes wait to be sent now. Throws `LimitReached` if that makes it too much in all. */
  noteUnsent(bytes: number): void {
    this.#backlog.note(this.#unsent, bytes);
    this.#unsent = bytes;
  }

  /** Begins here, not when its first byte came: until now the peer may have waited for answers. */
  #timeQuestion(inQuestion: boolean): void {
    const { idle, questionTime } = this.worker.limits;
    if (!inQuestion) {
      if (this.#questionSince > 0) setReceiveTimeout(this.#socket, idle);
      this.#questionSince = 0;
    } else if (this.#questionSince === 0 || this.#isNextQuestion) {
      this.#questionSince = performance.now();
      setReceiveTimeout(this.#socket, questionTime);
    }
    this.#isNextQuestion = false;
  }

  /** Whether there is an age that it may come to, or has come to and is to end for. */
  get #mayAge(): boolean {
    return this.worker.limits.age > 0 && this.#isTooOld !== false;
  }

  #isOlderThan(grace: number): boolean {
    return this.#mayAge && performance.now() - this.#born >= this.worker.limits.age + grace;
  }

  #endsForAge(): boolean {
    this.#isTooOld ??= this.worker.exceeded('age');
    return this.#isTooOld;
  }

  #reach(limit: Reason): void {
    if (this.worker.exceeded(limit)) throw new LimitReached(limit);
  }
}
