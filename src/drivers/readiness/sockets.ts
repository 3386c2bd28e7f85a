/**
 * The tables of the readiness family, and what its loops do when a socket is ready. A loop waits for many sockets
 * at once (select, poll, epoll) and then calls `receive` or `send` here. Each call does what it can without
 * waiting, and returns what that socket wants next. An idle connection has no entry in any table but one byte of
 * interest.
 */

import { phaseOf } from '../../lifecycle/phase.ts';
import type { Connections } from '../../lifecycle/roster.ts';
import { END_AFTER_ANSWER, LOOK } from '../../lifecycle/terms.ts';
import { addressOf } from '../../os/libc.ts';
import { HANGUP, READABLE, type Selector, WRITABLE } from '../../os/readiness.ts';
import { close, recv, send, setBlocking } from '../../os/socket.ts';
import type { Ending, LimitReached } from '../../protocol/account.ts';
import { type Conversation, isLater, type Next } from '../../protocol/conversation.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { type Accepted, isResting, refuseDescriptor, tryAccept } from '../accept.ts';
import { NodeTurns } from '../node-turns.ts';
import { AddressedOutbox } from '../outbox.ts';
import { peerAt } from '../peer.ts';
import { ACCEPT_BATCH, ROOM_INTERVAL_MS } from '../timing.ts';

/** What a socket wants next, besides `READABLE` and `WRITABLE`: no event, while its answer is not due … */
export const NOTHING = 0;
/** … or removal from the selector, and its close. */
export const CLOSED = -1;

const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);

interface Unsent {
  readonly bytes: Buffer;
  readonly address: number;
  sent: number;
}

/** A connection whose time is up, or one that the leaving worker reads once more. */
interface Overdue {
  readonly fd: number;
  readonly decision: number;
  readonly cause: Ending['cause'];
}

/** A conversation and its descriptor: the next peer may get the same number. */
interface Waiting {
  readonly fd: number;
  readonly conversation: Conversation;
}

interface SocketsOptions {
  /** Descriptors from this number on are refused: the selector has no room for them. */
  readonly limit?: number;
  /** The events that the selector watches for on the listener. */
  readonly watch?: number;
}

export class Sockets implements Connections {
  /**
   * By descriptor: the conversation with received bytes that make no question yet, or with an answer that is not
   * due.
   */
  readonly bytesReceived: (Conversation | undefined)[] = [];
  /** By descriptor: the answers that the kernel had no room for. */
  readonly bytesToSend: (Unsent | undefined)[] = [];
  /** By descriptor: what the conversation wants once those answers are sent. */
  readonly #nexts: Next[] = [];
  /** Peers that send no more, and still get answers. */
  readonly #halfClosed = new Set<number>();
  /** By descriptor: what the selector watches for; `CLOSED`: there is no connection. */
  #interest = new Int8Array(1024).fill(CLOSED);
  readonly #timers = new Timers<Waiting>();
  readonly #node: NodeTurns<Waiting>;
  /** The descriptor of Node's own epoll, once the selector watches it. */
  #nodeFd = -1;
  readonly #out = new AddressedOutbox();
  readonly #worker: Worker;
  readonly #clients: Worker['clients'];
  readonly #limit: number;
  readonly #watch: number;
  /** The connections that the last look found, and the current one. */
  readonly #overdue: Overdue[] = [];
  #atHand: Overdue | undefined;
  #isListening = false;
  #acceptsLeft = 0;
  /** When the loop finished the events of this turn; -1: not yet. */
  #turnedAt = -1;
  #hasLooked = false;
  /** Serves all idle connections, so that those need no conversation of their own. */
  #shared: Conversation;

  constructor(
    worker: Worker,
    { limit = Number.POSITIVE_INFINITY, watch = READABLE }: SocketsOptions = {},
  ) {
    this.#worker = worker;
    this.#clients = worker.clients;
    this.#limit = limit;
    this.#watch = watch;
    this.#node = new NodeTurns(worker);
    setBlocking(worker.listener, false);
    this.#shared = worker.conversation();
    worker.ready();
  }

  /** Sleeps in the selector. False once the worker has left; then every connection is closed. */
  wait(selector: Selector): boolean {
    const now = performance.now();
    if (this.#clients.isDone(now)) {
      this.#closeAll();
      return false;
    }
    const node = this.#node;
    if (node.isOn && this.#nodeFd !== node.fd) this.#watchNode(selector);
    this.#watchListener(selector);
    this.#acceptsLeft = ACCEPT_BATCH;
    this.#turnedAt = -1;
    this.#hasLooked = false;
    const { row } = this.#worker;
    row.state = states.waiting;
    const count = selector.wait(this.#timeout(now));
    row.state = states.answering;
    if (node.isOn && count > 0) node.touch();
    return true;
  }

  /** True if the loop must await `nodesTurn` before it waits again: otherwise promises of the service do not settle. */
  get owesNode(): boolean {
    return this.#node.isOn && this.#node.isDue(performance.now());
  }

  /** Gives the thread to Node for one turn of its own loop. Answers whose promises have settled are `due` then. */
  nodesTurn(): Promise<void> {
    return this.#node.turn();
  }

  /** The next waiting client, to register with `interestOf`; -1 if no more may come in this turn. */
  accept(): number {
    while (this.#acceptsLeft-- > 0) {
      const accepted = tryAccept(this.#worker);
      if (accepted === undefined) return -1;
      if (accepted.socket >= this.#limit) refuseDescriptor(this.#worker, accepted);
      else if (this.#open(accepted) !== CLOSED) return accepted.socket;
    }
    return -1;
  }

  interestOf(fd: number): number {
    return this.#interest[fd]!;
  }

  /** Notes what the selector watches for. False if nothing changes. */
  changeInterest(fd: number, wanted: number): boolean {
    if (this.#interest[fd] === wanted) return false;
    this.#interest[fd] = wanted;
    return true;
  }

  /**
   * The socket is readable: receives once, and sends the answers to all complete questions.
   *
   * @param events the selector's events; with `HANGUP` the peer takes no more answers
   */
  receive(fd: number, events: number): number {
    if (fd === this.#nodeFd) {
      this.#node.isReady = true;
      return READABLE;
    }
    // It hung up while answers wait to be sent: `send` finds out whether that is the end.
    if (this.bytesToSend[fd] !== undefined) return this.send(fd);
    return this.#receive(fd, events, undefined);
  }

  /** The socket is writable: sends the answers that wait, and continues. */
  send(fd: number): number {
    const unsent = this.bytesToSend[fd];
    const conversation = this.bytesReceived[fd];
    if (unsent === undefined || conversation === undefined) return this.interestOf(fd);
    try {
      const count = send(fd, unsent.address + unsent.sent, unsent.bytes.length - unsent.sent);
      if (count > 0) unsent.sent += count;
    } catch (error) {
      return this.#end(fd, conversation, error as Error);
    }
    if (unsent.sent < unsent.bytes.length) return WRITABLE;
    this.bytesToSend[fd] = undefined;
    this.#clients.unsent(fd, 0);
    this.#clients.answered(fd);
    const next = this.#nexts[fd];
    // `due` returns the descriptor once the promise has settled.
    return typeof next === 'object' ? NOTHING : this.#sendAnswers(fd, conversation, next);
  }

  /** The next descriptor to resume, because its answer is due or its time is up; -1: none. */
  due(): number {
    if (this.#turnedAt < 0) this.#turnedAt = performance.now();
    this.#atHand = undefined;
    for (;;) {
      const due = this.#timers.takeDue(this.#turnedAt);
      if (due === undefined) break;
      // The peer may be gone, and another peer may have its number.
      if (this.bytesReceived[due.fd] === due.conversation) return due.fd;
    }
    const settled = this.#settled();
    if (settled >= 0) return settled;
    if (!this.#hasLooked) {
      this.#hasLooked = true;
      this.#clients.look(this.#turnedAt, this);
      // In the order of the slots, as in a turn: the connection that waits longest is usually the first.
      this.#overdue.reverse();
    }
    if (this.#overdue.length === 0) return -1;
    this.#atHand = this.#overdue.pop()!;
    return this.#atHand.fd;
  }

  /** The next descriptor whose promise has settled; -1: none. */
  #settled(): number {
    for (;;) {
      const settled = this.#node.takeSettled();
      if (settled === undefined) return -1;
      const { fd, conversation } = settled;
      if (this.bytesReceived[fd] !== conversation) continue;
      if (this.bytesToSend[fd] === undefined) return fd;
      // Earlier answers are unsent: continue after them.
      this.#nexts[fd] = 'full';
    }
  }

  /** Sends an answer that is due, and continues. Or ends a connection whose time is up. */
  resume(fd: number): number {
    this.#node.touch();
    const overdue = this.#atHand;
    if (overdue === undefined) {
      const conversation = this.bytesReceived[fd]!;
      return this.#sendAnswers(fd, conversation, conversation.resume(this.#out));
    }
    const { decision, cause } = overdue;
    if (decision === LOOK) return this.#receive(fd, 0, cause);
    return this.#end(fd, this.bytesReceived[fd], cause);
  }

  /** Closes a socket that wanted `CLOSED`. The selector must not watch it any more. */
  close(fd: number): void {
    this.bytesReceived[fd] = undefined;
    this.bytesToSend[fd] = undefined;
    this.#nexts[fd] = undefined;
    this.#halfClosed.delete(fd);
    this.#interest[fd] = CLOSED;
    close(fd);
  }

  phaseOf(fd: number): number {
    const isThinking = this.#interest[fd] === NOTHING;
    return phaseOf(this.bytesToSend[fd] !== undefined, isThinking, this.bytesReceived[fd]);
  }

  visit(fd: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void {
    if (decision === END_AFTER_ANSWER) {
      this.bytesReceived[fd]?.endAfterAnswer((cause as LimitReached).limit);
    } else this.#overdue.push({ fd, decision, cause });
  }

  /** How long the selector may sleep, in ms: until the next answer is due; -1: for ever. */
  #timeout(now: number): number {
    let wait = sooner(this.#timers.untilNext(now), this.#clients.untilLook(now));
    if (this.#node.isOn) wait = sooner(wait, this.#node.untilDue(now));
    const isFull = !this.#isListening && !this.#clients.isLeaving;
    return isFull ? sooner(wait, ROOM_INTERVAL_MS) : wait;
  }

  /** Watches the listener while there is room. Without room, clients wait in the kernel. */
  #watchListener(selector: Selector): void {
    const { admission, isLeaving, listener } = this.#worker;
    const isWanted = !isLeaving && !admission.isFull() && !isResting();
    if (isWanted === this.#isListening) return;
    this.#isListening = isWanted;
    if (isWanted) selector.register(listener, this.#watch);
    else selector.unregister(listener);
  }

  #watchNode(selector: Selector): void {
    this.#nodeFd = this.#node.fd;
    selector.register(this.#nodeFd, READABLE);
    if (this.#nodeFd >= this.#interest.length) this.#grow(this.#nodeFd);
    this.#interest[this.#nodeFd] = READABLE;
  }

  #open({ socket, peer }: Accepted): number {
    if (socket >= this.#interest.length) this.#grow(socket);
    this.#clients.come(socket, socket, peer);
    let wanted = READABLE;
    if (!this.#shared.idle || this.#clients.isProxied) {
      const conversation = this.#worker.conversation(() => peerAt(socket), socket);
      wanted = this.#sendAnswers(socket, conversation, conversation.open(this.#out));
    }
    this.#interest[socket] = wanted;
    if (wanted === CLOSED) this.close(socket);
    return wanted;
  }

  /** @param ifNothing why the connection ends if no bytes have come; undefined: it does not end */
  #receive(fd: number, events: number, ifNothing: Ending['cause'] | undefined): number {
    const conversation = this.bytesReceived[fd] ?? this.#shared;
    let count: number;
    try {
      count = recv(fd, receivedAddress, received.length);
    } catch (error) {
      return this.#end(fd, conversation, error as Error);
    }
    if (count > 0) {
      const next = conversation.receive(received, 0, count, this.#out);
      if (this.#interest[fd] === NOTHING) return NOTHING;
      return this.#sendAnswers(fd, conversation, next);
    }
    if (count === 0) return this.#endOfStream(fd, conversation, events);
    return ifNothing === undefined ? this.interestOf(fd) : this.#end(fd, conversation, ifNothing);
  }

  /** Sends the outbox and does what the conversation wants next, until it must wait for something. */
  #sendAnswers(fd: number, conversation: Conversation, first: Next): number {
    const out = this.#out;
    for (let next = first; ; next = conversation.resume(out)) {
      const hasAnswers = out.length > 0;
      if (hasAnswers) {
        try {
          const count = Math.max(0, send(fd, out.address, out.length));
          this.#clients.answered(fd);
          if (count < out.length) return this.#sendLater(fd, conversation, next, count);
        } catch (error) {
          return this.#end(fd, conversation, error as Error, out.copy());
        }
        out.clear();
      }
      if (next === undefined) {
        if (this.#halfClosed.size > 0 && this.#halfClosed.has(fd)) {
          return this.#end(fd, conversation, 'end of stream');
        }
        if (!hasAnswers && conversation.heldLength === 0) this.#clients.rested(fd);
        if (!conversation.idle) this.#keep(fd, conversation);
        else if (conversation !== this.#shared) this.bytesReceived[fd] = undefined;
        return READABLE;
      }
      if (next === 'close') return this.#end(fd, conversation, 'end of stream');
      if (isLater(next)) {
        this.#waitFor(next, fd, conversation);
        this.#keep(fd, conversation);
        return NOTHING;
      }
    }
  }

  #waitFor(next: number | Promise<void>, fd: number, conversation: Conversation): void {
    const waiting = { fd, conversation };
    if (typeof next === 'number') this.#timers.add(performance.now() + next, waiting);
    else this.#node.expect(next, waiting);
  }

  /** The kernel took `count` bytes of the outbox. The rest waits for room. */
  #sendLater(fd: number, conversation: Conversation, next: Next, count: number): number {
    this.#clients.unsent(fd, this.#out.length - count);
    const bytes = this.#out.copy(count);
    this.#out.clear();
    this.bytesToSend[fd] = { bytes, address: addressOf(bytes), sent: 0 };
    this.#nexts[fd] = next;
    if (typeof next === 'object') this.#waitFor(next, fd, conversation);
    this.#keep(fd, conversation);
    return WRITABLE;
  }

  #keep(fd: number, conversation: Conversation): void {
    this.bytesReceived[fd] = conversation;
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
  }

  #endOfStream(fd: number, conversation: Conversation, events: number): number {
    const owed = this.bytesToSend[fd] !== undefined || conversation.owed !== undefined;
    // Otherwise the selector would report a peer that is gone on every wait, until the answer is due.
    if (!owed || events & HANGUP) return this.#end(fd, conversation, 'end of stream');
    this.#halfClosed.add(fd);
    return this.interestOf(fd);
  }

  /** Records the account. The page takes the socket out of its selector and calls `close`. */
  #end(
    fd: number,
    conversation: Conversation | undefined,
    cause: Ending['cause'],
    unsentNow?: Buffer,
  ): number {
    this.#out.clear();
    const rest = this.bytesToSend[fd];
    const unsent = rest?.bytes.subarray(rest.sent) ?? unsentNow;
    this.#clients.gone(fd, this.phaseOf(fd), conversation, { cause, unsent });
    // A conversation that failed must not serve the next peer.
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
    return CLOSED;
  }

  #closeAll(): void {
    this.#node.close();
    for (let fd = 0; fd < this.#interest.length; fd++) {
      if (this.#interest[fd] === CLOSED || fd === this.#nodeFd) continue;
      this.#end(fd, this.bytesReceived[fd], this.#clients.cause);
      this.close(fd);
    }
  }

  #grow(fd: number): void {
    const larger = new Int8Array(Math.max(fd + 1, this.#interest.length * 2)).fill(CLOSED);
    larger.set(this.#interest);
    this.#interest = larger;
  }
}
