/**
 * The completion model: the kernel has already done what was requested, and the driver decides what to request next. A
 * readiness driver learns that a socket is ready and then tries. This is the fast path, a few numbers in typed arrays
 * per connection: accept, receive, answer at once, close. `pending.ts` holds the connections that wait for something.
 */

import { ANSWER } from '../../lifecycle/phase.ts';
import type { Connections } from '../../lifecycle/roster.ts';
import { END_AFTER_ANSWER, LOOK } from '../../lifecycle/terms.ts';
import { SystemError, WOULD_BLOCK } from '../../os/libc.ts';
import { close, peerOf, trySend } from '../../os/socket.ts';
import { ACCEPTED, READY, RECEIVED, SENT, SENT_SHORT, type Uring } from '../../os/uring.ts';
import type { Ending, LimitReached } from '../../protocol/account.ts';
import { type Conversation, isLater, type Next } from '../../protocol/conversation.ts';
import { sooner } from '../../protocol/timers.ts';
import type { Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { admit } from '../accept.ts';
import { NodeTurns } from '../node-turns.ts';
import { peerAt } from '../peer.ts';
import { Accepting } from './accepting.ts';
import { PendingConnections, type Waiting } from './pending.ts';
import { Sends } from './sends.ts';

const OPEN = 1;

export class Completions implements Connections {
  readonly #worker: Worker;
  readonly #clients: Worker['clients'];
  readonly #ring: Uring;
  readonly #accepting: Accepting;
  readonly #sends = new Sends();
  readonly #pending: PendingConnections;
  readonly #node: NodeTurns<Waiting>;
  /** True while the ring watches Node's own epoll. */
  #isNodeWatched = false;
  /** By descriptor: counts its connections, so that a completion for an earlier connection is recognised. */
  #generation = new Int32Array(1024);
  /** By descriptor: OPEN while there is a connection. */
  #open = new Uint8Array(1024);
  /** True if the server was stopping when this turn began: questions from before are answered, so idle connections end. */
  #isStopping = false;
  /** Address of the answers that the page must send now. */
  answersAt = 0;

  /** @param acceptAll hands over the request to accept all clients that come */
  constructor(worker: Worker, ring: Uring, acceptAll: () => void) {
    this.#worker = worker;
    this.#clients = worker.clients;
    this.#ring = ring;
    this.#node = new NodeTurns(worker);
    this.#pending = new PendingConnections(worker, ring, this.#sends, this.#node, this);
    this.#accepting = new Accepting(worker, ring, acceptAll);
    this.#accepting.open();
    worker.ready();
  }

  /**
   * Hands over the requests of the last turn and sleeps until something is done. False once the worker has left; then
   * every connection is closed.
   */
  wait(): boolean {
    const now = performance.now();
    if (this.#isDone(now)) {
      this.#closeAll();
      return false;
    }
    const node = this.#node;
    if (node.isOn) this.#watchNode();
    const { row } = this.#worker;
    row.state = states.waiting;
    this.#ring.enter(this.#timeout(now));
    row.state = states.answering;
    if (node.isOn && this.#ring.hasCompletions) node.touch();
    this.#sends.beginTurn();
    this.#pending.beginTurn();
    return true;
  }

  /** True if the loop must await `nodesTurn` before it waits again: otherwise promises of the service do not settle. */
  get owesNode(): boolean {
    return this.#node.isOn && this.#node.isDue(performance.now());
  }

  /** Gives the thread to Node for one turn of its own loop, and goes on with the promises that have settled. */
  async nodesTurn(): Promise<void> {
    await this.#node.turn();
    this.#pending.wake(performance.now());
    this.#pending.armAgain();
  }

  #watchNode(): void {
    if (this.#isNodeWatched || this.#node.fd < 0) return;
    this.#isNodeWatched = true;
    this.#ring.watch(this.#node.fd);
  }

  /** True once the worker waits for no client any more. */
  #isDone(now: number): boolean {
    if (!this.#clients.isLeaving) return false;
    this.#accepting.close();
    this.#isStopping = this.#clients.cause === 'stop';
    if (this.#clients.count > 0) return this.#clients.isDone(now);
    // The kernel may accept a client before the cancel reaches it: that client is served like the others.
    return this.#accepting.isDone || this.#clients.isOver(now);
  }

  /** How long to wait for completions, in ms; -1 without a deadline. */
  #timeout(now: number): number {
    const look = this.#clients.untilLook(now);
    const wait = sooner(sooner(this.#pending.untilNext(now), look), this.#accepting.untilNext(now));
    return this.#node.isOn ? sooner(wait, this.#node.untilDue(now)) : wait;
  }

  /** Goes on with connections whose answers have left, and with those whose time has come. */
  endTurn(): void {
    this.#pending.lookAgain();
    const now = performance.now();
    this.#clients.look(now, this);
    this.#pending.wake(now);
    this.#accepting.turn(now);
    this.#pending.armAgain();
  }

  /**
   * A client was accepted.
   *
   * @returns its socket, for which all receives must be requested now; -1: none, or not now
   */
  accepted(): number {
    const fd = this.#accepting.accepted();
    if (fd < 0 || !admit(this.#worker, fd)) return -1;
    if (fd >= this.#open.length) this.#grow(fd);
    this.#open[fd] = OPEN;
    this.#sends.start(fd);
    const { journal } = this.#worker;
    // A multishot accept does not give the peer's address.
    const peer = journal.on ? peerOf(fd) : '';
    this.#clients.come(fd, fd, peer);
    if (journal.on) this.#clients.accepted(peer);
    if (this.#pending.shared.idle && !this.#clients.isProxied) return fd;
    // Behind the greeting, for the reason that `armAgain` gives.
    this.#pending.armLater(fd);
    const conversation = this.#worker.conversation(() => peerAt(fd), fd);
    this.sendAnswers(fd, conversation, conversation.open(this.#sends.out));
    return -1;
  }

  generationOf(fd: number): number {
    return this.#generation[fd]!;
  }

  /** True if this generation of the descriptor is a connection that is still open. */
  isCurrent(fd: number, generation: number): boolean {
    return this.#open[fd] === OPEN && this.#generation[fd] === generation;
  }

  /**
   * Bytes were received: answers all questions that are whole.
   *
   * @returns how many bytes of answers, from `answersAt` on, must be sent now
   */
  answer(): number {
    const { fd, generation, result, offset, more } = this.#ring;
    const isCurrent = this.isCurrent(fd, generation);
    let length = 0;
    if (result > 0) {
      if (isCurrent) length = this.#answer(fd, offset, result);
      this.#ring.recycle();
    }
    if (!isCurrent || this.#open[fd] === 0) return 0;
    if (result === 0) this.#pending.endOfStream(fd);
    else if (result < 0) this.#receiveFailed(fd, -result);
    else if (!more) this.#pending.rearm(fd);
    return length;
  }

  #answer(fd: number, offset: number, length: number): number {
    const pending = this.#pending.of(fd);
    const isBusy =
      this.#sends.isUnderWay(fd) ||
      (pending !== undefined && (pending.unsent !== undefined || pending.waiting));
    if (isBusy) {
      this.#pending.hold(fd, offset, length);
      return 0;
    }
    const conversation = pending?.conversation ?? this.#pending.shared;
    const { buffers } = this.#ring;
    const next = conversation.receive(buffers, offset, offset + length, this.#sends.out);
    return this.#stage(fd, conversation, next);
  }

  /** Sends the answers that stand in the outbox and does what the conversation wants. */
  sendAnswers(fd: number, conversation: Conversation, next: Next): void {
    const length = this.#stage(fd, conversation, next);
    if (length > 0) this.#ring.sendNow(fd, this.#generation[fd]!, this.answersAt, length);
  }

  /**
   * Does what the conversation wants besides sending the answers that stand in the outbox.
   *
   * @returns how many bytes, from `answersAt` on, must be sent now
   */
  #stage(fd: number, conversation: Conversation, next: Next): number {
    const { out } = this.#sends;
    let length = out.length - out.start;
    if (length > 0 && this.#isStopping) {
      if (!this.#sendDirectly(fd, conversation, next)) return 0;
      length = 0;
    } else if (length > 0) {
      this.#clients.answered(fd);
      this.answersAt = this.#sends.take(fd, length);
    } else if (next === undefined && conversation.heldLength === 0) this.#clients.rested(fd);
    this.#pending.settle(fd, conversation, next);
    return length;
  }

  /**
   * Sends with send(2) instead of the ring. A leaving worker closes a connection in the turn in which it answers it, so
   * it must know at once whether the kernel took the whole answer.
   *
   * @returns false if part of the answer is unsent, or the connection has ended
   */
  #sendDirectly(fd: number, conversation: Conversation, next: Next): boolean {
    const { out } = this.#sends;
    const bytes = out.buffer.subarray(out.start, out.length);
    const address = out.address + out.start;
    out.start = out.length;
    try {
      const count = Math.max(0, trySend(fd, address, bytes.length));
      this.#clients.answered(fd);
      if (count === bytes.length) return true;
      const pending = this.#pending.of(fd) ?? this.#pending.keep(fd, conversation, next);
      pending.next = next;
      this.#pending.sendRest(fd, pending, Buffer.from(bytes.subarray(count)));
      if (this.#pending.of(fd) === pending && isLater(next)) {
        this.#pending.wakeLater(fd, pending, next);
      }
    } catch (error) {
      this.end(fd, { cause: error as Error, unsent: Buffer.from(bytes) });
    }
    return false;
  }

  #receiveFailed(fd: number, errno: number): void {
    if (this.#pending.mayReceiveAgain(errno)) {
      this.#pending.rearm(fd);
      return;
    }
    const pending = this.#pending.of(fd);
    if (pending !== undefined) pending.receiving = false;
    // The peer is gone, so it will not receive the answers of this turn.
    const unsent = this.#sends.isUnderWay(fd) ? this.#sends.last(fd, 0) : undefined;
    this.end(fd, { cause: new SystemError('recv', errno), unsent });
  }

  /**
   * Rare completions: a send fell short, the rest of an answer has left, a client waits while the server is full, or
   * Node has something to do.
   */
  other(): void {
    const { purpose, fd, generation } = this.#ring;
    if (purpose === READY) this.#ready(fd);
    else if (!this.isCurrent(fd, generation)) return;
    else if (purpose === SENT_SHORT) this.#sentShort(fd);
    else if (purpose === SENT) this.#sentRest(fd);
  }

  #ready(fd: number): void {
    if (fd !== this.#node.fd) {
      this.#accepting.ready();
      return;
    }
    this.#isNodeWatched = false;
    this.#node.isReady = true;
  }

  /** The peer had no room for all answers, or it is gone. */
  #sentShort(fd: number): void {
    const { result } = this.#ring;
    const unsent = this.#sends.last(fd, Math.max(result, 0));
    if (result < 0 && result !== WOULD_BLOCK) {
      this.end(fd, { cause: new SystemError('send', -result), unsent });
      return;
    }
    const pending =
      this.#pending.of(fd) ?? this.#pending.keep(fd, this.#worker.conversation(), undefined);
    this.#pending.sendRest(fd, pending, unsent);
  }

  /** The peer has made room for the rest of an answer, or it is gone. */
  #sentRest(fd: number): void {
    const { result } = this.#ring;
    if (this.#pending.of(fd)?.unsent === undefined) return;
    if (result < 0) this.end(fd, { cause: new SystemError('send', -result) });
    else this.#pending.sentRest(fd, result);
  }

  phaseOf(fd: number): number {
    // The next turn knows whether the answer has left.
    return this.#sends.isUnderWay(fd) ? ANSWER : this.#pending.phaseOf(fd);
  }

  visit(fd: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void {
    this.#node.touch();
    if (decision === END_AFTER_ANSWER) {
      this.#pending.of(fd)?.conversation.endAfterAnswer((cause as LimitReached).limit);
      return;
    }
    // All questions that had come are answered only if the server was stopping for the whole turn.
    if (decision === LOOK && !this.#isStopping) return;
    this.end(fd, { cause });
  }

  end(fd: number, ending: Ending): void {
    const pending = this.#pending.of(fd);
    const unsent = ending.unsent ?? pending?.unsent?.subarray(pending.sent);
    const { cause } = ending;
    this.#clients.gone(fd, this.phaseOf(fd), pending?.conversation, { cause, unsent });
    this.#pending.drop(fd);
    this.#ring.cancel(RECEIVED, fd, this.#generation[fd]!);
    this.#ring.closeSocket(fd);
    this.#open[fd] = 0;
    this.#generation[fd]! += 1;
  }

  /** Ends every conversation that is left and cancels all requests. */
  #closeAll(): void {
    this.#node.close();
    const { cause } = this.#clients;
    for (let fd = 0; fd < this.#open.length; fd++) {
      if (this.#open[fd] === OPEN) this.end(fd, { cause });
    }
    this.#accepting.close();
    // The kernel may have accepted more clients: their sockets are in completions that only this loop will read.
    let tries = 0;
    do {
      // The first call hands over the closes, even if there is nothing to wait for.
      this.#ring.enter(tries === 0 ? 0 : 10);
      while (this.#ring.next()) {
        if (this.#ring.purpose === READY) this.#ready(this.#ring.fd);
        if (this.#ring.purpose !== ACCEPTED) continue;
        const socket = this.#accepting.accepted();
        if (socket >= 0) close(socket);
      }
    } while (++tries < 100 && !this.#accepting.isDone);
  }

  #grow(fd: number): void {
    const size = Math.max(fd + 1, this.#open.length * 2);
    const generation = new Int32Array(size);
    const open = new Uint8Array(size);
    generation.set(this.#generation);
    open.set(this.#open);
    this.#generation = generation;
    this.#open = open;
  }
}
