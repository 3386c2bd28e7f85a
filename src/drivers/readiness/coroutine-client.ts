/** A listener and a client for coroutines: their calls never wait; the coroutine yields the waits between them. */

import { phaseOf } from '../../lifecycle/phase.ts';
import { addressOf } from '../../os/libc.ts';
import { close, recv, send, setBlocking } from '../../os/socket.ts';
import type { Conversation, Next } from '../../protocol/conversation.ts';
import type { Worker } from '../../worker/contract.ts';
import { type Accepted, isResting, tryAccept } from '../accept.ts';
import { causeOf, Ended, endOfStream } from '../ended.ts';
import { AddressedOutbox } from '../outbox.ts';
import { peerAt } from '../peer.ts';
import { ACCEPT_BATCH, ROOM_INTERVAL_MS } from '../timing.ts';
import { type Held, readable, type Scheduler, sleep, writable } from './scheduler.ts';

// Shared by all clients, whose coroutines must leave both empty whenever they yield.
const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);
const answers = new AddressedOutbox();

export class CoroutineListener {
  readonly #worker: Worker;
  readonly #scheduler: Scheduler;
  #acceptsLeft = 0;

  constructor(worker: Worker, scheduler: Scheduler) {
    this.#worker = worker;
    this.#scheduler = scheduler;
    setBlocking(worker.listener, false);
    worker.ready();
  }

  /** The wait to yield before `accept`: until a client waits or, without room for one, a short sleep. */
  get wanted(): number {
    this.#acceptsLeft = ACCEPT_BATCH;
    const { admission, listener } = this.#worker;
    return admission.isFull() || isResting() ? sleep(ROOM_INTERVAL_MS) : readable(listener);
  }

  /** The next waiting client; undefined if there is none, or if other coroutines must have their turn first. */
  accept(): CoroutineClient | undefined {
    if (this.#worker.isLeaving || this.#acceptsLeft-- <= 0) return undefined;
    const accepted = tryAccept(this.#worker);
    return accepted && new CoroutineClient(accepted, this.#worker, this.#scheduler);
  }

  /** Stops watching the listener, and leaves it open. */
  close(): void {
    this.#scheduler.forget(this.#worker.listener);
  }
}

export class CoroutineClient implements Held {
  readonly conversation: Conversation;
  /** Where the conversation writes its answers. */
  readonly answers = answers;
  /** The wait to yield before `receive`. */
  readonly readable: number;
  readonly writable: number;
  readonly #socket: number;
  readonly #worker: Worker;
  readonly #scheduler: Scheduler;
  /** Answers that the kernel had no room for. */
  #unsent: Buffer | undefined;
  #causeIfNothing: 'stop' | 'restart' | undefined;

  constructor({ socket, peer }: Accepted, worker: Worker, scheduler: Scheduler) {
    this.#socket = socket;
    this.#worker = worker;
    this.#scheduler = scheduler;
    this.readable = readable(socket);
    this.writable = writable(socket);
    this.conversation = worker.conversation(() => peerAt(socket), socket);
    worker.clients.come(socket, socket, peer);
    scheduler.hold(socket, this);
  }

  /**
   * Hands the received bytes to the conversation, if there are any. Never waits.
   *
   * @returns what the conversation wants next
   * @throws Ended
   */
  receive(): Next {
    const count = recv(this.#socket, receivedAddress, received.length);
    if (count === 0) throw endOfStream;
    if (count < 0) {
      if (this.#causeIfNothing !== undefined) throw new Ended(this.#causeIfNothing);
      return undefined;
    }
    this.#causeIfNothing = undefined;
    const next = this.conversation.receive(received, 0, count, answers);
    if (answers.length === 0 && this.conversation.heldLength === 0) this.#rested();
    return next;
  }

  /** The wait to yield before `resume`: for a time in ms, or for a promise. */
  until(next: number | Promise<void>): number {
    return typeof next === 'number' ? sleep(next) : this.#scheduler.settled(this.#socket, next);
  }

  /**
   * Sends as much of the answers, or of their rest, as the kernel takes. Never waits.
   *
   * @returns false if some are left: the caller must yield `writable` and call `send` again
   * @throws LimitReached if too many bytes are unsent in the whole server
   */
  send(): boolean {
    if (this.#unsent === undefined && answers.length === 0) return true;
    const { clients } = this.#worker;
    const rest = this.#unsent;
    const length = rest?.length ?? answers.length;
    const address = rest === undefined ? answers.address : addressOf(rest);
    const count = Math.max(0, send(this.#socket, address, length));
    // Do not call this for each piece: the time limit is for the whole answer.
    if (rest === undefined || count === length) clients.answered(this.#socket);
    if (count === length && rest === undefined) {
      answers.clear();
      return true;
    }
    clients.unsent(this.#socket, length - count);
    const left = rest?.subarray(count) ?? answers.copy(count);
    if (rest === undefined) answers.clear();
    this.#unsent = count < length ? left : undefined;
    return this.#unsent === undefined;
  }

  /**
   * Records the account of the client and closes the socket. @param reason what was thrown into, or out of, its
   * coroutine
   */
  end(reason: unknown): void {
    const ending = { cause: causeOf(reason), unsent: this.#unsent ?? answers.copy() };
    this.#worker.clients.gone(this.#socket, this.phase, this.conversation, ending);
    answers.clear();
    this.#scheduler.forget(this.#socket);
    close(this.#socket);
  }

  get phase(): number {
    return phaseOf(this.#unsent !== undefined, this.conversation.isThinking, this.conversation);
  }

  endIfNothing(cause: 'stop' | 'restart'): void {
    this.#causeIfNothing = cause;
  }

  endAfterAnswer(limit: string): void {
    this.conversation.endAfterAnswer(limit);
  }

  #rested(): void {
    this.#worker.clients.rested(this.#socket);
  }
}
