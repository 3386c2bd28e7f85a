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
import { type Accepted, acceptOne } from '../accept.ts';
import { causeOf, Ended, endOfStream } from '../ended.ts';
import { AddressedOutbox } from '../outbox.ts';
import { peerAt } from '../peer.ts';

/** A thread has one client at a time. */
const SLOT = 0;

/** Room for answers that a thread keeps from one client to the next, in bytes. */
const KEPT_ROOM = 65_536;

const received = Buffer.allocUnsafeSlow(65_536);
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
  readonly #restTimeout: number;
  /** The current SO_RCVTIMEO, in ms. */
  #receiveTimeout = 0;
  #hasSendTimeout = false;

  constructor({ socket, peer }: Accepted, worker: Worker) {
    const { clients } = worker;
    this.#socket = socket;
    this.#worker = worker;
    this.conversation = worker.conversation(() => peerAt(socket), SLOT);
    this.#restTimeout = restTimeout(clients.limits);
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
    const { clients, row } = this.#worker;
    this.#beforeRecv();
    for (;;) {
      const isLast = clients.isLeaving && this.#look() === LOOK;
      row.state = 'receiving';
      const call = isLast ? tryRecv : recv;
      const count = call(this.#socket, receivedAddress, received.length);
      row.state = 'answering';
      if (count > 0) return count;
      if (count === 0) throw endOfStream;
      if (isLast) throw new Ended(clients.reason);
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
    if (answers.length === 0) return;
    const { clients, row } = this.#worker;
    const { length } = answers;
    let sent = 0;
    try {
      row.state = 'sending';
      // Usually the kernel takes all bytes at once. Then none counts as unsent, and no time-out is needed.
      sent = Math.max(0, trySend(this.#socket, answers.address, length));
      if (sent < length) this.#beforeBlockingSend(length - sent);
      while (sent < length) {
        const count = send(this.#socket, answers.address + sent, length - sent);
        if (count > 0) sent += count;
        // The time-out is over, or a signal woke the thread.
        if (sent < length) this.#look();
      }
    } finally {
      if (sent < length) answers.drop(sent);
    }
    clients.unsent(SLOT, 0);
    answers.clear();
    // The call notes that the worker is leaving: the log counts the clients that are answered after that.
    void clients.isLeaving;
    clients.answered(SLOT);
  }

  /**
   * The answer is not due for `ms`. This thread sleeps until it is, and serves no other client.
   *
   * @throws Ended if the worker leaves and has no time left
   */
  pause(ms: number): void {
    if (ms > 0) pause(ms);
    const { clients, row } = this.#worker;
    if (clients.limits.age > 0 || clients.isLeaving) {
      if (this.#look() === END_AFTER_ANSWER) {
        this.conversation.endAfterAnswer((clients.reason as LimitReached).limit);
      }
    }
    row.state = 'answering';
  }

  /** Records the account of the client and closes the socket. @param reason what `recv` or `sendAll` has thrown */
  end(reason: unknown): void {
    const { clients } = this.#worker;
    const unsent = answers.length > 0 ? answers.buffer.subarray(0, answers.length) : undefined;
    clients.gone(SLOT, this.#phase, this.conversation, { cause: causeOf(reason), unsent });
    close(this.#socket);
    if (answers.buffer.length > KEPT_ROOM) answers.renew();
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
    const { clients } = this.#worker;
    const decision = clients.lookAt(SLOT, this.#phase, performance.now(), waited);
    if (decision === END) throw new Ended(clients.reason);
    return decision;
  }
}
