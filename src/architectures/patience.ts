/**
 * The limits on time, for a thread that blocks: the socket's own timeouts (SO_RCVTIMEO, SO_SNDTIMEO,
 * socket(7)) make `recv` and `send` come back, and then it is asked here whether the time is over. So a
 * thread frees itself of a client that says nothing, drips, or does not read.
 */
import { WOULD_BLOCK } from '../os/libc.ts';
import { setReceiveTimeout, setSendTimeout } from '../os/socket.ts';
import { LimitReached } from '../protocol/account.ts';
import type { WorkerContext } from './architecture.ts';
import { HALFWAY } from './departure.ts';
import type { Reason } from './scoreboard.ts';

export class Patience {
  readonly worker: WorkerContext;
  readonly #socket: number;
  #born = performance.now();
  /** Whether it was given an answer since its worker is to leave. */
  isAnswered = false;
  /** When the question that is being received began; 0: none is. */
  #questionSince = 0;

  constructor(socket: number, worker: WorkerContext) {
    this.worker = worker;
    this.#socket = socket;
    const { idle, answerTime } = worker.limits;
    if (idle > 0) setReceiveTimeout(socket, idle);
    if (answerTime > 0) setSendTimeout(socket, answerTime);
  }

  /**
   * Throws `LimitReached` if the connection is too old: between questions, when all is answered that was
   * received, or inside one that has had the time to become whole. Else `recv` is to come back when it is.
   */
  beforeRecv(inQuestion: boolean): void {
    const { idle, questionTime, age } = this.worker.limits;
    if (age === 0) return;
    const now = performance.now();
    const most = age + (inQuestion ? HALFWAY : 0);
    if (now - this.#born >= most) {
      this.#reach('age');
      // In a dry run it begins anew: it is not to be told of again for each question.
      this.#born = now;
    }
    const left = Math.max(1, this.#born + most - now);
    // A question has its own time. Without an age this would be one system call more for each.
    if (inQuestion && questionTime > 0) return;
    setReceiveTimeout(this.#socket, inQuestion ? left : Math.min(left, idle || left));
  }

  /**
   * Throws `LimitReached` if the peer's time is over.
   *
   * @param count what `recv` gave: bytes, or `WOULD_BLOCK` after its timeout
   * @param inQuestion whether there is a part of a question now
   */
  afterRecv(count: number, inQuestion: boolean): void {
    const { idle, questionTime, age } = this.worker.limits;
    if (count === WOULD_BLOCK && !inQuestion && this.#questionSince === 0 && idle > 0) {
      // What it was woken for may be its age, of which `beforeRecv` knows.
      if (age === 0 || performance.now() - this.#born < age) this.#reach('idle');
    }
    if (questionTime === 0) return;
    if (!inQuestion) {
      if (this.#questionSince > 0) setReceiveTimeout(this.#socket, idle);
      this.#questionSince = 0;
      return;
    }
    const now = performance.now();
    if (this.#questionSince === 0) this.#questionSince = now;
    const left = this.#questionSince + questionTime - now;
    if (left <= 0) this.#reach('question-time');
    // Not after each byte that drips: the time to finish counts from the first one.
    setReceiveTimeout(this.#socket, Math.max(1, Math.ceil(left)));
  }

  /** A `send` that blocks takes less than all after its timeout, when a signal woke it, or from a peer that is gone. */
  afterShortSend(since: number): void {
    const { answerTime } = this.worker.limits;
    if (answerTime > 0 && performance.now() - since >= answerTime) this.#reach('answer-time');
  }

  /** Throws `LimitReached` if more waits to be sent than this thread's share: of others it does not know. */
  afterSending(unsent: number): void {
    if (unsent > this.worker.unsentShare) this.#reach('unsent-total');
  }

  #reach(limit: Reason): void {
    if (this.worker.exceeded(limit)) throw new LimitReached(limit);
  }
}
