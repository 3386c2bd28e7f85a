/**
 * The tables of the completion model, and what is done about each completion. In the readiness family
 * a socket is ready and then something is tried; here it is done already, and the question is what to
 * ask for next. Answers go out at once from one arena per turn; only those for which a peer has no
 * room are copied and wait. A connection with nothing in pending is a few numbers in typed arrays.
 */

import { ANSWER, phaseOf } from '../../lifecycle/phase.ts';
import type { Connections } from '../../lifecycle/roster.ts';
import { END_AFTER_ANSWER, LOOK } from '../../lifecycle/terms.ts';
import { addressOf, errnoName, SystemError, viewOf, WOULD_BLOCK } from '../../os/libc.ts';
import { close, peerOf, trySend } from '../../os/socket.ts';
import { ACCEPTED, READY, RECEIVED, SENT, SENT_SHORT, type Uring } from '../../os/uring.ts';
import type { Ending, LimitReached } from '../../protocol/account.ts';
import type { Conversation, Next } from '../../protocol/conversation.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { Worker } from '../../worker/contract.ts';
import { admit } from '../accept.ts';
import { Arena } from '../outbox.ts';
import { Accepting } from './accepting.ts';

/** What there is of a connection that has something in pending. */
interface Pending {
  readonly conversation: Conversation;
  /** What the conversation wants once its answers are sent. */
  next: Next;
  /** Answers that wait for the peer to make room, all but the first `sent` bytes of them. */
  unsent: Buffer | undefined;
  sent: number;
  /** Whether the multishot receive is armed. */
  receiving: boolean;
  /** Too much is held already: no more is to be received until it is answered. */
  paused: boolean;
  halfClosed: boolean;
  /** Waits for its time, or for the end of the turn. */
  waiting: boolean;
}

const OPEN = 1;

/** Past so many bytes that wait to be answered, no more are received. */
const HELD = 65_536;

export class Completions implements Connections {
  readonly #worker: Worker;
  readonly #ring: Uring;
  /** By descriptor: counts its connections, so that what was asked for an earlier one is known as such. */
  #generation = new Int32Array(1024);
  /** By descriptor: whether there is a connection. */
  #open = new Uint8Array(1024);
  /** By descriptor: in which turn, from where and how much was last sent. */
  #sentTurn = new Int32Array(1024).fill(-1);
  #sentFrom = new Float64Array(1024);
  #sentLength = new Int32Array(1024);
  readonly #pending: (Pending | undefined)[] = [];
  readonly #clients: Worker['clients'];
  /** Descriptors to be looked at again when the sends of this turn are known to have gone out. */
  #again: number[] = [];
  /** Those whose receive has ended by itself and is to be asked for again. */
  readonly #unarmed: { readonly fd: number; readonly generation: number }[] = [];
  readonly #timers = new Timers<{ fd: number; pending: Pending }>();
  /** Serves any connection that has nothing in pending. */
  #shared: Conversation;
  #turn = 0;
  // Two arenas by turns: what was sent in one turn is read again in the next if it fell short.
  readonly #arenas: readonly [Arena, Arena] = [new Arena(262_144), new Arena(262_144)];
  #out = this.#arenas[0];
  /** Buffers of cancelled sends: the kernel lets go of them within the turn. */
  readonly #retired: Buffer[] = [];
  readonly #accepting: Accepting;
  /** True if the server was stopping when this turn began: what had been asked before is answered, so idle connections end. */
  #isStopping = false;

  /** @param acceptAll hands over the request to accept all clients that come */
  constructor(worker: Worker, ring: Uring, acceptAll: () => void) {
    this.#worker = worker;
    this.#clients = worker.clients;
    this.#ring = ring;
    this.#shared = worker.conversation();
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
    const { row } = this.#worker;
    row.state = 'waiting';
    this.#ring.enter(this.#timeout(now));
    row.state = 'answering';
    this.#beginTurn();
    return true;
  }

  /** True once the worker waits for no client any more. */
  #isDone(now: number): boolean {
    if (!this.#clients.isLeaving) return false;
    this.#accepting.close();
    this.#isStopping = this.#clients.cause === 'stop';
    // A client that the kernel accepts before the cancelling has reached it is served like the others.
    return this.#clients.isOver(now) || (this.#clients.count === 0 && this.#accepting.isDone);
  }

  /** How long to wait for completions, in ms; -1 for as long as it takes. */
  #timeout(now: number): number {
    if (this.#again.length > 0) return 0;
    const look = this.#clients.untilLook(now);
    return sooner(sooner(this.#timers.untilNext(now), look), this.#accepting.untilNext(now));
  }

  #beginTurn(): void {
    this.#turn = (this.#turn + 1) & 0x3fffffff;
    const arena = (this.#turn & 1) as 0 | 1;
    this.#out = this.#arenas[arena];
    this.#out.clear();
    this.#retired.length = 0;
  }

  /** Goes on with those whose answers have left, and with those whose time has come. */
  endTurn(): void {
    this.#advanceAll();
    this.#armAgain();
  }

  #advanceAll(): void {
    if (this.#again.length > 0) {
      const again = this.#again;
      this.#again = [];
      for (const fd of again) this.#lookAgain(fd);
    }
    const now = performance.now();
    this.#clients.look(now, this);
    for (;;) {
      const due = this.#timers.takeDue(now);
      if (due === undefined) break;
      if (this.#pending[due.fd] === due.pending) this.#thought(due.fd, due.pending);
    }
    this.#accepting.turn(now);
  }

  /**
   * A client was accepted.
   *
   * @returns its socket, for which all receives must be requested now; -1: none, or not now
   */
  accepted(): number {
    const socket = this.#accepting.accepted();
    return socket >= 0 && this.#start(socket) ? socket : -1;
  }

  generationOf(fd: number): number {
    return this.#generation[fd]!;
  }

  /**
   * Bytes were received: answers all questions that are whole.
   *
   * @returns how many bytes of answers, from `answersAt` on, must be sent now
   */
  answer(): number {
    const { fd, result, offset, more } = this.#ring;
    const isCurrent = this.#isCurrent();
    let length = 0;
    if (result > 0) {
      if (isCurrent) length = this.#answer(fd, offset, result);
      this.#ring.recycle();
    }
    if (!isCurrent || this.#open[fd] === 0) return 0;
    if (result === 0) this.#endOfStream(fd);
    else if (result < 0) this.#receiveFailed(fd, -result);
    else if (!more) this.#rearm(fd);
    return length;
  }

  /** What is done seldom: an answer had no room, or has left since; a client waits at the full door. */
  other(): void {
    const { purpose } = this.#ring;
    if (purpose === READY) this.#accepting.ready();
    else if (purpose === SENT_SHORT) this.#sentShort();
    else if (purpose === SENT) this.#sent();
  }

  /** What was sent at once did not all find room, or failed. */
  #sentShort(): void {
    if (!this.#isCurrent()) return;
    const { fd, result } = this.#ring;
    const sent = Math.max(result, 0);
    const unsent = this.#lastSent(fd, sent);
    if (result < 0 && result !== WOULD_BLOCK) {
      this.#end(fd, { cause: new SystemError('send', -result), unsent });
      return;
    }
    const pending = this.#pending[fd] ?? this.#keep(fd, this.#worker.conversation(), undefined);
    this.#sendRest(fd, pending, unsent);
  }

  /** Answers for which the peer has no room: sent as it makes some. */
  #sendRest(fd: number, pending: Pending, unsent: Buffer): void {
    try {
      this.#clients.unsent(fd, unsent.length);
    } catch (error) {
      this.#end(fd, { cause: error as LimitReached, unsent });
      return;
    }
    pending.unsent = unsent;
    pending.sent = 0;
    this.#ring.send(fd, this.#generation[fd]!, addressOf(unsent), unsent.length);
  }

  /** Answers that waited for room have left, or some of them, or the peer is gone. */
  #sent(): void {
    if (!this.#isCurrent()) return;
    const { fd, result } = this.#ring;
    const pending = this.#pending[fd]!;
    const { unsent } = pending;
    if (unsent === undefined) return;
    if (result < 0) {
      this.#end(fd, { cause: new SystemError('send', -result) });
      return;
    }
    pending.sent += result;
    if (pending.sent < unsent.length) {
      const from = addressOf(unsent) + pending.sent;
      this.#ring.send(fd, this.#generation[fd]!, from, unsent.length - pending.sent);
      return;
    }
    pending.unsent = undefined;
    this.#clients.unsent(fd, 0);
    this.#clients.answered(fd);
    this.#advance(fd, pending);
  }

  /** Ends every conversation that is left and takes back what was asked for. */
  #closeAll(): void {
    const { cause } = this.#clients;
    for (let fd = 0; fd < this.#open.length; fd++) {
      if (this.#open[fd] === OPEN) this.#end(fd, { cause });
    }
    this.#accepting.close();
    // Peers accepted meanwhile have their sockets in completions that nobody else will read.
    let tries = 0;
    do {
      // The first hands over the closing of those above, even where nothing is left to be waited for.
      this.#ring.enter(tries === 0 ? 0 : 10);
      while (this.#ring.next()) {
        if (this.#ring.purpose === READY) this.#accepting.ready();
        if (this.#ring.purpose !== ACCEPTED) continue;
        const socket = this.#accepting.accepted();
        if (socket >= 0) close(socket);
      }
    } while (++tries < 100 && !this.#accepting.isDone);
  }

  #isCurrent(): boolean {
    const { fd, generation } = this.#ring;
    return this.#open[fd] === OPEN && this.#generation[fd] === generation;
  }

  /** @returns true if its receives must be requested now */
  #start(fd: number): boolean {
    if (!admit(this.#worker, fd)) return false;
    if (fd >= this.#open.length) this.#grow(fd);
    this.#open[fd] = OPEN;
    this.#sentTurn[fd] = -1;
    const { journal } = this.#worker;
    // A multishot accept does not say who it is.
    const peer = journal.on ? peerOf(fd) : '';
    this.#clients.come(fd, fd, peer);
    if (journal.on) journal.record({ type: 'accepted', peer });
    if (this.#shared.idle) return true;
    // Behind the greeting, for the reason that `#armAgain` gives.
    this.#unarmed.push({ fd, generation: this.#generation[fd]! });
    const conversation = this.#worker.conversation();
    this.#sendAnswers(fd, conversation, conversation.open(this.#out));
    return false;
  }

  #answer(fd: number, offset: number, length: number): number {
    const pending = this.#pending[fd];
    const { buffers } = this.#ring;
    const isBusy =
      this.#sentTurn[fd] === this.#turn ||
      (pending !== undefined && (pending.unsent !== undefined || pending.waiting));
    if (!isBusy) {
      const conversation = pending?.conversation ?? this.#shared;
      const next = conversation.receive(buffers, offset, offset + length, this.#out);
      return this.#stage(fd, conversation, next);
    }
    // Answers must leave in order: what came meanwhile is kept until the last ones are known to have left.
    const kept = pending ?? this.#keep(fd, this.#worker.conversation(), undefined);
    kept.conversation.hold(buffers, offset, offset + length);
    if (pending === undefined || !(pending.unsent !== undefined || pending.waiting)) {
      this.#waitForTurn(fd, kept);
    }
    if (kept.receiving && !kept.paused && kept.conversation.heldLength > HELD) {
      kept.paused = true;
      this.#ring.cancel(RECEIVED, fd, this.#generation[fd]!);
    }
    return 0;
  }

  /** Where the answers stand that must be sent now. */
  answersAt = 0;

  /** Sends the answers that stand in the outbox and does what the conversation wants. */
  #sendAnswers(fd: number, conversation: Conversation, next: Next): void {
    const length = this.#stage(fd, conversation, next);
    if (length > 0) this.#ring.sendNow(fd, this.#generation[fd]!, this.answersAt, length);
  }

  /**
   * Does what the conversation wants besides sending the answers that stand in the outbox.
   *
   * @returns how many bytes, from `answersAt` on, must be sent now
   */
  #stage(fd: number, conversation: Conversation, next: Next): number {
    const out = this.#out;
    const length = out.length - out.start;
    const pending = this.#pending[fd];
    let toSend = 0;
    if (length > 0 && this.#isStopping) {
      if (!this.#sendDirectly(fd, conversation, next)) {
        const left = this.#pending[fd];
        if (left !== undefined && typeof next === 'number') this.#think(fd, left, next);
        return 0;
      }
    } else if (length > 0) {
      const from = out.address + out.start;
      this.#clients.answered(fd);
      this.#sentTurn[fd] = this.#turn;
      this.#sentFrom[fd] = from;
      this.#sentLength[fd] = length;
      out.start = out.length;
      this.answersAt = from;
      toSend = length;
    } else if (next === undefined && conversation.heldLength === 0) this.#clients.rested(fd);
    if (next === undefined && pending === undefined) {
      if (!conversation.idle) this.#keep(fd, conversation, undefined);
      return toSend;
    }
    const kept = pending ?? this.#keep(fd, conversation, next);
    kept.next = next;
    if (typeof next === 'number') this.#think(fd, kept, next);
    else if (next !== undefined || kept.halfClosed) {
      this.#waitForTurn(fd, kept);
    } else if (kept.paused) {
      kept.paused = false;
      if (!kept.receiving) this.#rearm(fd);
    } else if (conversation.idle && kept.receiving) {
      this.#pending[fd] = undefined;
    }
    return toSend;
  }

  #think(fd: number, pending: Pending, ms: number): void {
    pending.waiting = true;
    this.#timers.add(performance.now() + ms, { fd, pending });
  }

  /**
   * As the worker leaves: whoever has its answer is ended at the end of this very turn, before it asks
   * again, so whether the kernel took all of it must be known at once. False if it did not, and more is to
   * be done when it has.
   */
  #sendDirectly(fd: number, conversation: Conversation, next: Next): boolean {
    const out = this.#out;
    const bytes = out.buffer.subarray(out.start, out.length);
    const address = out.address + out.start;
    out.start = out.length;
    try {
      const count = Math.max(0, trySend(fd, address, bytes.length));
      this.#clients.answered(fd);
      if (count === bytes.length) return true;
      const pending = this.#pending[fd] ?? this.#keep(fd, conversation, next);
      pending.next = next;
      this.#sendRest(fd, pending, Buffer.from(bytes.subarray(count)));
    } catch (error) {
      this.#end(fd, { cause: error as Error, unsent: Buffer.from(bytes) });
    }
    return false;
  }

  /** Whether this turn's send fell short is known when the next turn's completions have been seen. */
  #waitForTurn(fd: number, pending: Pending): void {
    pending.waiting = true;
    this.#again.push(fd);
  }

  #lookAgain(fd: number): void {
    const pending = this.#pending[fd];
    if (pending === undefined || !pending.waiting) return;
    if (this.#sentTurn[fd] === this.#turn) this.#again.push(fd);
    else {
      pending.waiting = false;
      if (pending.unsent === undefined) this.#advance(fd, pending);
    }
  }

  #advance(fd: number, pending: Pending): void {
    if (pending.next === 'close') this.#end(fd, { cause: 'end of stream' });
    else if (typeof pending.next === 'number') return;
    else this.#resume(fd, pending);
  }

  /** An answer is due; it may have to wait until those before it are known to have left. */
  #thought(fd: number, pending: Pending): void {
    pending.next = undefined;
    if (pending.unsent !== undefined) pending.waiting = false;
    else if (this.#sentTurn[fd] === this.#turn) this.#waitForTurn(fd, pending);
    else this.#resume(fd, pending);
  }

  #resume(fd: number, pending: Pending): void {
    pending.waiting = false;
    const { conversation } = pending;
    const next = conversation.resume(this.#out);
    const isSilent = this.#out.length === this.#out.start;
    if (next === undefined && isSilent && pending.halfClosed) {
      this.#end(fd, { cause: 'end of stream' });
    } else {
      this.#sendAnswers(fd, conversation, next);
    }
  }

  phaseOf(fd: number): number {
    // Whether it left is known in the next turn.
    if (this.#sentTurn[fd] === this.#turn) return ANSWER;
    const pending = this.#pending[fd];
    const held = pending?.conversation.heldLength ?? 0;
    return phaseOf(pending?.unsent !== undefined, pending?.waiting === true, held);
  }

  visit(fd: number, decision: number, cause: LimitReached | 'stop' | 'restart'): void {
    if (decision === END_AFTER_ANSWER) {
      this.#pending[fd]?.conversation.endAfterAnswer((cause as LimitReached).limit);
      return;
    }
    // All that had come is answered only if the whole turn was one of a stopping server.
    if (decision === LOOK && !this.#isStopping) return;
    this.#end(fd, { cause });
  }

  #keep(fd: number, conversation: Conversation, next: Next): Pending {
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
    this.#pending[fd] = pending;
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
    return pending;
  }

  #endOfStream(fd: number): void {
    const pending = this.#pending[fd];
    const hasSentNow = this.#sentTurn[fd] === this.#turn;
    const isOwed =
      pending !== undefined &&
      (pending.unsent !== undefined || pending.waiting || pending.conversation.owed !== undefined);
    if (!isOwed && !hasSentNow) {
      if (pending !== undefined) pending.receiving = false;
      this.#end(fd, { cause: 'end of stream' });
      return;
    }
    const kept = pending ?? this.#keep(fd, this.#worker.conversation(), undefined);
    kept.receiving = false;
    kept.halfClosed = true;
    if (!kept.waiting && kept.unsent === undefined) this.#waitForTurn(fd, kept);
  }

  #receiveFailed(fd: number, errno: number): void {
    const pending = this.#pending[fd];
    const code = errnoName(errno);
    if (code !== 'ENOBUFS' && code !== 'ECANCELED') {
      if (pending !== undefined) pending.receiving = false;
      // What was handed over in this very turn will find nobody there.
      const unsent = this.#sentTurn[fd] === this.#turn ? this.#lastSent(fd, 0) : undefined;
      this.#end(fd, { cause: new SystemError('recv', errno), unsent });
      return;
    }
    if (code === 'ENOBUFS') this.#ring.addBuffers();
    this.#rearm(fd);
  }

  /** The receive has ended by itself (no buffers, a full ring) or was cancelled: asks for it again, if it is wanted. */
  #rearm(fd: number): void {
    const pending = this.#pending[fd];
    if (pending !== undefined) {
      pending.receiving = !pending.paused && !pending.halfClosed;
      if (!pending.receiving) return;
    }
    this.#unarmed.push({ fd, generation: this.#generation[fd]! });
  }

  /**
   * Last of all in a turn: a receive that finds bytes is done as soon as it is handed over, and what it
   * received must not be told before what became of this turn's answers, which are to leave in order.
   */
  #armAgain(): void {
    if (this.#unarmed.length === 0) return;
    for (const { fd, generation } of this.#unarmed) {
      const isCurrent = this.#open[fd] === OPEN && this.#generation[fd] === generation;
      if (isCurrent) this.#ring.recv(fd, generation);
    }
    this.#unarmed.length = 0;
  }

  /** A copy of what was last sent at once on this socket, from its byte `start` on. */
  #lastSent(fd: number, start: number): Buffer {
    const bytes = viewOf(this.#sentFrom[fd]! + start, this.#sentLength[fd]! - start);
    return Buffer.concat([Buffer.from(bytes)]);
  }

  #end(fd: number, ending: Ending): void {
    const pending = this.#pending[fd];
    const unsent = ending.unsent ?? pending?.unsent?.subarray(pending.sent);
    const { cause } = ending;
    this.#clients.gone(fd, this.phaseOf(fd), pending?.conversation, { cause, unsent });
    if (pending?.unsent !== undefined) {
      this.#retired.push(pending.unsent);
      this.#ring.cancel(SENT, fd, this.#generation[fd]!);
    }
    this.#ring.cancel(RECEIVED, fd, this.#generation[fd]!);
    this.#ring.closeSocket(fd);
    this.#pending[fd] = undefined;
    this.#open[fd] = 0;
    this.#generation[fd]! += 1;
  }

  #grow(fd: number): void {
    const size = Math.max(fd + 1, this.#open.length * 2);
    const copy = <T extends { set(from: T): void }>(larger: T, old: T): T => {
      larger.set(old);
      return larger;
    };
    this.#generation = copy(new Int32Array(size), this.#generation);
    this.#open = copy(new Uint8Array(size), this.#open);
    this.#sentTurn = copy(new Int32Array(size), this.#sentTurn);
    this.#sentFrom = copy(new Float64Array(size), this.#sentFrom);
    this.#sentLength = copy(new Int32Array(size), this.#sentLength);
  }
}
