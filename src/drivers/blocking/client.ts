/**
 * A client with a thread of its own, which sleeps in the kernel. `recv` and `sendAll` throw `Ended` when the client
 * closes, when its time is up, and when the worker leaves. The socket's time-outs (SO_RCVTIMEO, SO_SNDTIMEO,
 * socket(7)) wake the thread when it must look at the clock.
 */

import { IDLE, phaseOf } from '../../lifecycle/phase.ts';
import { END, END_AFTER_ANSWER, LOOK, restTimeout, sendTimeout } from '../../lifecycle/terms.ts';
import { addressOf, WOULD_BLOCK } from '../../os/libc.ts';
import { pause } from '../../os/pause.ts';
import {
  close,
  recv,
  send,
  setReceiveTimeout,
  setSendTimeout,
  tryRecv,
  trySend,
} from '../../os/socket.ts';
import type { LimitReached } from '../../protocol/account.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import type { Worker } from '../../worker/contract.ts';
import type { Row } from '../../worker/scoreboard.ts';
import { states } from '../../worker/states.ts';
import { type Accepted, acceptOne } from '../accept.ts';
import { causeOf, Ended, endOfStream } from '../ended.ts';
import { AddressedOutbox } from '../outbox.ts';
import { peerAt } from '../peer.ts';

/** A thread has one client at a time. */
const SLOT = 0;

/** Room for answers that a thread keeps from one client to the next, in bytes. */
const KEPT_ROOM = 65_536;

/** In bytes. */
const RECEIVE_SIZE = 65_536;
const received = Buffer.allocUnsafeSlow(RECEIVE_SIZE);
const receivedAddress = addressOf(received);
const answers = new AddressedOutbox();

/** Sleeps until a client comes. Undefined if none came: the caller then checks whether the worker must leave. */
export function acceptClient(worker: Worker): BlockingClient | undefined {
  const accepted = acceptOne(worker);
  return accepted && new BlockingClient(accepted, worker);
}

export class BlockingClient {
  readonly conversation: Conversation;
  /** Where the conversation writes its answers. */
  readonly answers = answers;
  /** The bytes from the last `recv`. */
  readonly received = received;
  readonly #socket: number;
  readonly #worker: Worker;
  readonly #row: Row;
  readonly #restTimeout: number;
  /** The time-out with which `recv` needs no preparation; -1: it always needs one, because the age is limited. */
  readonly #timeoutAtRest: number;
  /** The current SO_RCVTIMEO, in ms. */
  #receiveTimeout = 0;
  #hasSendTimeout = false;
  /** True if the client waits for nothing and the time-out is right, so that the next `recv` has nothing to prepare. */
  #isAtRest = false;
  /** True if it was answered while the worker was in service, and `clients` does not know it yet: see `#settle`. */
  #isAnswered = false;

  constructor({ socket, peer }: Accepted, worker: Worker) {
    const { clients } = worker;
    this.#socket = socket;
    this.#worker = worker;
    this.#row = worker.row;
    this.conversation = worker.conversation(() => peerAt(socket), SLOT);
    this.#restTimeout = restTimeout(clients.limits);
    this.#timeoutAtRest = clients.limits.age > 0 ? -1 : this.#restTimeout;
    clients.come(SLOT, socket, peer);
    answers.clear();
  }

  /**
   * Sleeps until bytes have come.
   *
   * @returns their number; they stand at the beginning of `received`
   * @throws Ended
   */
  recv(): number {
    const row = this.#row;
    if (this.#isAtRest) this.#isAtRest = false;
    else this.#beforeRecv();
    for (;;) {
      const isLast = !row.isInService && this.#isLeaving && this.#look() === LOOK;
      row.state = states.receiving;
      const call = isLast ? tryRecv : recv;
      const count = call(this.#socket, receivedAddress, RECEIVE_SIZE);
      row.state = states.answering;
      if (count > 0) return count;
      if (count === 0) throw endOfStream;
      if (isLast) throw new Ended(this.#worker.clients.reason);
      if (count === WOULD_BLOCK) {
        this.#look(this.#receiveTimeout);
        this.#sleepUntilLimit();
      }
    }
  }

  /**
   * Sends all answers. Sleeps while the kernel has no room for them.
   *
   * @throws Ended
   */
  sendAll(): void {
    const { length } = answers;
    if (length === 0) return;
    // Usually the kernel takes all bytes at once. Then none counts as unsent, and no time-out is needed.
    const sent = trySend(this.#socket, answers.address, length);
    if (sent < length) this.#sendRest(Math.max(0, sent));
    answers.clear();
    if (this.#row.isInService) this.#isAnswered = true;
    else this.#noteAnswer();
    this.#isAtRest = this.#receiveTimeout === this.#timeoutAtRest && this.conversation.isAtRest;
  }

  /** Sleeps until the kernel has taken all answers. @param sent how many bytes it has taken already */
  #sendRest(sent: number): void {
    const { length } = answers;
    this.#row.state = states.sending;
    try {
      this.#beforeBlockingSend(length - sent);
      while (sent < length) {
        const count = send(this.#socket, answers.address + sent, length - sent);
        if (count > 0) sent += count;
        // The time-out is over, or a signal woke the thread.
        if (sent < length) this.#look();
      }
    } finally {
      if (sent < length) answers.drop(sent);
    }
    this.#worker.clients.unsent(SLOT, 0);
    this.#row.state = states.answering;
  }

  /**
   * The answer is not due for `ms`. This thread sleeps until it is, and serves no other client.
   *
   * @throws Ended if the worker leaves and has no time left
   */
  pause(ms: number): void {
    if (ms > 0) pause(ms);
    const { clients, row } = this.#worker;
    if (clients.limits.age > 0 || this.#isLeaving) {
      if (this.#look() === END_AFTER_ANSWER) {
        this.conversation.endAfterAnswer((clients.reason as LimitReached).limit);
      }
    }
    row.state = states.answering;
  }

  /** Records the account of the client and closes the socket. @param reason what `recv` or `sendAll` has thrown */
  end(reason: unknown): void {
    const { clients } = this.#worker;
    this.#settle();
    const unsent = answers.length > 0 ? answers.buffer.subarray(0, answers.length) : undefined;
    clients.gone(SLOT, this.#phase, this.conversation, { cause: causeOf(reason), unsent });
    close(this.#socket);
    if (answers.buffer.length > KEPT_ROOM) answers.renew();
  }

  get #isLeaving(): boolean {
    this.#settle();
    return this.#worker.clients.isLeaving;
  }

  /** The worker may be leaving: the log counts the clients that are answered after that. */
  #noteAnswer(): void {
    void this.#isLeaving;
    this.#worker.clients.answered(SLOT);
  }

  /** Notes the answer that it got while the worker was in service. Must come before `clients` notes that it leaves. */
  #settle(): void {
    if (!this.#isAnswered) return;
    this.#isAnswered = false;
    this.#worker.clients.answered(SLOT);
  }

  get #phase(): number {
    return phaseOf(answers.length > 0, this.conversation.isThinking, this.conversation);
  }

  /** Makes `recv` return when the client's time may be up. Usually the time-out is already right. */
  #beforeRecv(): void {
    const { clients } = this.#worker;
    const isIdle = this.#phase === IDLE;
    if (isIdle) clients.rested(SLOT);
    // The time for a question starts here, not with its first byte: before, the client may have waited for answers.
    if (!isIdle || clients.limits.age > 0) this.#look();
    if (isIdle) this.#sleepAtMost(this.#restTimeout);
    else this.#sleepUntilLimit();
  }

  #sleepUntilLimit(): void {
    const ms = this.#worker.clients.untilLimit(SLOT, performance.now());
    // SO_RCVTIMEO takes whole ms; 0 means for ever.
    this.#sleepAtMost(Number.isFinite(ms) ? Math.max(1, Math.ceil(ms)) : 0);
  }

  /** Counts the bytes for which the kernel had no room, and limits the next sleep in `send`. */
  #beforeBlockingSend(bytes: number): void {
    const { clients } = this.#worker;
    clients.unsent(SLOT, bytes);
    if (this.#hasSendTimeout) return;
    this.#hasSendTimeout = true;
    const ms = sendTimeout(clients.limits);
    if (ms > 0) setSendTimeout(this.#socket, ms);
  }

  #sleepAtMost(ms: number): void {
    if (ms === this.#receiveTimeout) return;
    setReceiveTimeout(this.#socket, ms);
    this.#receiveTimeout = ms;
  }

  /** @param waited ms that the thread has slept just now @throws Ended if its time is up */
  #look(waited = 0): number {
    this.#settle();
    const { clients } = this.#worker;
    const decision = clients.lookAt(SLOT, this.#phase, performance.now(), waited);
    if (decision === END) throw new Ended(clients.reason);
    return decision;
  }
}
