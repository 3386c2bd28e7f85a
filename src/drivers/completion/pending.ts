/**
 * The slow path of the completion model: connections that wait for something. The peer has no room for an answer, the
 * service takes time, questions came before the last answer had left, or a receive has ended and must be requested
 * again. A connection that waits for nothing has no entry here.
 */
import { phaseOf } from '../../lifecycle/phase.ts';
import { addressOf, errnoName } from '../../os/libc.ts';
import { RECEIVED, SENT, type Uring } from '../../os/uring.ts';
import type { Ending, LimitReached } from '../../protocol/account.ts';
import { type Conversation, isLater, type Next } from '../../protocol/conversation.ts';
import { Timers } from '../../protocol/timers.ts';
import type { Worker } from '../../worker/contract.ts';
import type { NodeTurns } from '../node-turns.ts';
import type { Sends } from './sends.ts';

/** The state of one connection that waits for something. */
export interface Pending {
  readonly conversation: Conversation;
  /** What the conversation wants once its answers are sent. */
  next: Next;
  /** Answers that wait for the peer to make room; the kernel took the first `sent` bytes. */
  unsent: Buffer | undefined;
  sent: number;
  /** True while the multishot receive is armed. */
  receiving: boolean;
  /** True while too many bytes wait for their answer: the worker receives no more. */
  paused: boolean;
  halfClosed: boolean;
  /** True while it waits for its time, for its promise, or for the end of the turn. */
  waiting: boolean;
}

/** A connection and its descriptor: the next peer may get the same number. */
export interface Waiting {
  readonly fd: number;
  readonly pending: Pending;
}

/** What the slow path needs from `Completions`. */
interface FastPath {
  generationOf(fd: number): number;
  /** True if this generation of the descriptor is a connection that is still open. */
  isCurrent(fd: number, generation: number): boolean;
  /** Sends the answers that stand in the outbox and does what the conversation wants. */
  sendAnswers(fd: number, conversation: Conversation, next: Next): void;
  end(fd: number, ending: Ending): void;
}

/** The worker stops receiving from a connection when more bytes than this wait for their answers. */
const HELD = 65_536;

export class PendingConnections {
  readonly #worker: Worker;
  readonly #clients: Worker['clients'];
  readonly #ring: Uring;
  readonly #sends: Sends;
  readonly #path: FastPath;
  readonly #entries: (Pending | undefined)[] = [];
  /** Serves every connection that has no entry here. */
  #shared: Conversation;
  /** Descriptors to look at again when the kernel has reported the sends of this turn. */
  #again: number[] = [];
  /** Connections whose receive has ended by itself and must be requested again. */
  readonly #unarmed: { readonly fd: number; readonly generation: number }[] = [];
  readonly #timers = new Timers<Waiting>();
  readonly #node: NodeTurns<Waiting>;
  /** Buffers of cancelled sends: the kernel reads them until the end of the turn. */
  readonly #retired: Buffer[] = [];

  constructor(worker: Worker, ring: Uring, sends: Sends, node: NodeTurns<Waiting>, path: FastPath) {
    this.#worker = worker;
    this.#clients = worker.clients;
    this.#ring = ring;
    this.#sends = sends;
    this.#node = node;
    this.#path = path;
    this.#shared = worker.conversation();
  }

  get shared(): Conversation {
    return this.#shared;
  }

  of(fd: number): Pending | undefined {
    return this.#entries[fd];
  }

  keep(fd: number, conversation: Conversation, next: Next): Pending {
    const pending: Pending = {
      conversation,
      next,
      unsent: undefined,
      sent: 0,
      receiving: true,
      paused: false,
      halfClosed: false,
      waiting: false,
    };
    this.#entries[fd] = pending;
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
    return pending;
  }

  /** The connection has ended: cancels its send, whose buffer stays until the end of the turn. */
  drop(fd: number): void {
    const pending = this.#entries[fd];
    if (pending?.unsent !== undefined) {
      this.#retired.push(pending.unsent);
      this.#ring.cancel(SENT, fd, this.#path.generationOf(fd));
    }
    this.#entries[fd] = undefined;
  }

  phaseOf(fd: number): number {
    const pending = this.#entries[fd];
    const { unsent, waiting = false, conversation } = pending ?? {};
    return phaseOf(unsent !== undefined, waiting, conversation);
  }

  /** Time until the next deadline, in ms; 0 if a connection waits for the end of this turn, -1 without one. */
  untilNext(now: number): number {
    return this.#again.length > 0 ? 0 : this.#timers.untilNext(now);
  }

  beginTurn(): void {
    this.#retired.length = 0;
  }

  /** Goes on with the connections that waited for the end of a turn. */
  lookAgain(): void {
    if (this.#again.length === 0) return;
    const again = this.#again;
    this.#again = [];
    for (const fd of again) {
      const pending = this.#entries[fd];
      if (pending === undefined || !pending.waiting) continue;
      if (this.#sends.isUnderWay(fd)) this.#again.push(fd);
      else {
        pending.waiting = false;
        if (pending.unsent === undefined) this.#advance(fd, pending);
      }
    }
  }

  /** Goes on with the connections whose answer is due. */
  wake(now: number): void {
    for (;;) {
      const due = this.#timers.takeDue(now) ?? this.#node.takeSettled();
      if (due === undefined) break;
      if (this.#entries[due.fd] === due.pending) this.#wakeOne(due.fd, due.pending);
    }
  }

  /** The answer may have to wait until the kernel has taken those before it. */
  #wakeOne(fd: number, pending: Pending): void {
    this.#node.touch();
    pending.next = undefined;
    if (pending.unsent !== undefined) pending.waiting = false;
    else if (this.#sends.isUnderWay(fd)) this.#waitForTurn(fd, pending);
    else this.#resume(fd, pending);
  }

  /** Answers must leave in order: holds these bytes until the kernel has taken the last answers. */
  hold(fd: number, offset: number, length: number): void {
    const before = this.#entries[fd];
    const pending = before ?? this.keep(fd, this.#worker.conversation(), undefined);
    pending.conversation.hold(this.#ring.buffers, offset, offset + length);
    if (before === undefined || !(before.unsent !== undefined || before.waiting)) {
      this.#waitForTurn(fd, pending);
    }
    if (pending.receiving && !pending.paused && pending.conversation.heldLength > HELD) {
      pending.paused = true;
      this.#ring.cancel(RECEIVED, fd, this.#path.generationOf(fd));
    }
  }

  /** The answers have been handed over: does what the conversation wants next. */
  settle(fd: number, conversation: Conversation, next: Next): void {
    const pending = this.#entries[fd];
    if (next === undefined && pending === undefined) {
      if (!conversation.idle) this.keep(fd, conversation, undefined);
      return;
    }
    const kept = pending ?? this.keep(fd, conversation, next);
    kept.next = next;
    if (isLater(next)) this.wakeLater(fd, kept, next);
    else if (next !== undefined || kept.halfClosed) this.#waitForTurn(fd, kept);
    else if (kept.paused) {
      kept.paused = false;
      if (!kept.receiving) this.rearm(fd);
    } else if (conversation.idle && kept.receiving) this.#entries[fd] = undefined;
  }

  /** @param next the time in ms, or the promise */
  wakeLater(fd: number, pending: Pending, next: number | Promise<void>): void {
    pending.waiting = true;
    const waiting = { fd, pending };
    if (typeof next === 'number') this.#timers.add(performance.now() + next, waiting);
    else this.#node.expect(next, waiting);
  }

  /** Requests a send of the rest: the ring completes it when the peer has made room. */
  sendRest(fd: number, pending: Pending, unsent: Buffer): void {
    try {
      this.#clients.unsent(fd, unsent.length);
    } catch (error) {
      this.#path.end(fd, { cause: error as LimitReached, unsent });
      return;
    }
    pending.unsent = unsent;
    pending.sent = 0;
    this.#ring.send(fd, this.#path.generationOf(fd), addressOf(unsent), unsent.length);
  }

  /** The peer has made room: the kernel took `count` bytes of the rest. */
  sentRest(fd: number, count: number): void {
    const pending = this.#entries[fd]!;
    const unsent = pending.unsent!;
    pending.sent += count;
    if (pending.sent < unsent.length) {
      const from = addressOf(unsent) + pending.sent;
      this.#ring.send(fd, this.#path.generationOf(fd), from, unsent.length - pending.sent);
      return;
    }
    pending.unsent = undefined;
    this.#clients.unsent(fd, 0);
    this.#clients.answered(fd);
    this.#advance(fd, pending);
  }

  /** The peer will send no more. Its connection ends now, or when its last answer has left. */
  endOfStream(fd: number): void {
    const pending = this.#entries[fd];
    const isOwed =
      pending !== undefined &&
      (pending.unsent !== undefined || pending.waiting || pending.conversation.owed !== undefined);
    if (!isOwed && !this.#sends.isUnderWay(fd)) {
      if (pending !== undefined) pending.receiving = false;
      this.#path.end(fd, { cause: 'end of stream' });
      return;
    }
    const kept = pending ?? this.keep(fd, this.#worker.conversation(), undefined);
    kept.receiving = false;
    kept.halfClosed = true;
    if (!kept.waiting && kept.unsent === undefined) this.#waitForTurn(fd, kept);
  }

  /** True if the receive only has to be requested again: no buffers, a full ring, or cancelled. */
  mayReceiveAgain(errno: number): boolean {
    const code = errnoName(errno);
    if (code === 'ENOBUFS') this.#ring.addBuffers();
    return code === 'ENOBUFS' || code === 'ECANCELED';
  }

  /** The receive has ended: requests it again at the end of the turn, if the connection wants it. */
  rearm(fd: number): void {
    const pending = this.#entries[fd];
    if (pending !== undefined) {
      pending.receiving = !pending.paused && !pending.halfClosed;
      if (!pending.receiving) return;
    }
    this.armLater(fd);
  }

  armLater(fd: number): void {
    this.#unarmed.push({ fd, generation: this.#path.generationOf(fd) });
  }

  /**
   * Last of all in a turn. A receive that finds bytes completes as soon as it is handed over. Its completion must come
   * behind those of this turn's sends, since answers leave in order.
   */
  armAgain(): void {
    if (this.#unarmed.length === 0) return;
    for (const { fd, generation } of this.#unarmed) {
      if (this.#path.isCurrent(fd, generation)) this.#ring.recv(fd, generation);
    }
    this.#unarmed.length = 0;
  }

  /** The next turn knows whether this turn's send fell short. */
  #waitForTurn(fd: number, pending: Pending): void {
    pending.waiting = true;
    this.#again.push(fd);
  }

  #advance(fd: number, pending: Pending): void {
    if (pending.next === 'close') this.#path.end(fd, { cause: 'end of stream' });
    else if (isLater(pending.next)) return;
    else this.#resume(fd, pending);
  }

  #resume(fd: number, pending: Pending): void {
    pending.waiting = false;
    const { conversation } = pending;
    const { out } = this.#sends;
    const next = conversation.resume(out);
    const isSilent = out.length === out.start;
    if (next === undefined && isSilent && pending.halfClosed) {
      this.#path.end(fd, { cause: 'end of stream' });
    } else this.#path.sendAnswers(fd, conversation, next);
  }
}
