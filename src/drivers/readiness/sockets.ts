/**
 * The tables of the readiness family, and what its loops do when a socket is ready. A loop waits for
 * many sockets at once (select, poll, epoll) and then calls `receive` or `send` here, each of which
 * does what can be done without waiting and returns what that socket wants next. A connection with
 * nothing in flight has no entry in any table but one byte of interest.
 */

import { LAST_LOOKS } from '../../lifecycle/drain.ts';
import { ANSWER, GONE, IDLE, QUESTION, THINKING } from '../../lifecycle/phase.ts';
import { addressOf } from '../../os/libc.ts';
import { HANGUP, READABLE, type Selector, WRITABLE } from '../../os/readiness.ts';
import { close, recv, send, setBlocking } from '../../os/socket.ts';
import { accountOf, type Ending, LimitReached } from '../../protocol/account.ts';
import type { Conversation, Turn } from '../../protocol/conversation.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import { type Accepted, acceptReady, GLANCE, isResting } from '../accept.ts';
import { Backlog } from '../backlog.ts';
import { Deadlines, type Overdue } from '../deadlines.ts';
import { AddressedOutbox } from '../outbox.ts';

/** What a socket wants next, besides `READABLE` and `WRITABLE`: to be left alone while it thinks … */
export const NOTHING = 0;
/** … or to be taken out of the selector and closed. */
export const CLOSED = -1;

/** A loop that accepted without end would serve nobody: so many in one turn. */
const ACCEPT_BATCH = 64;

const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);

interface Unsent {
  readonly bytes: Buffer;
  readonly address: number;
  sent: number;
}

export class Sockets {
  /** By descriptor: the bytes received that make no question yet, and what is being thought about. */
  readonly bytesReceived: (Conversation | undefined)[] = [];
  /** By descriptor: the answers that the kernel had no room for. */
  readonly bytesToSend: (Unsent | undefined)[] = [];
  /** By descriptor: what the conversation wants once that is sent. */
  readonly #turns: Turn[] = [];
  /** By descriptor: who it is, where somebody reads the journal. */
  readonly #peers: string[] = [];
  /** Peers that will send no more, and are owed answers. */
  readonly #halfClosed = new Set<number>();
  /** By descriptor: what was last asked of the selector; `CLOSED` where there is no connection. */
  #interest = new Int8Array(1024).fill(CLOSED);
  readonly #timers = new Timers<{ fd: number; conversation: Conversation }>();
  readonly #out = new AddressedOutbox();
  readonly #worker: WorkerContext;
  readonly #limit: number;
  readonly #deadlines: Deadlines;
  /** Descriptors whose time is up, until the loop has them ended. */
  readonly #overdue = new Map<number, Overdue['cause']>();
  #connections = 0;
  #isListening = false;
  /** Whoever is at rest is ended. */
  #endsIdle = false;
  readonly #backlog: Backlog;
  /** Serves any connection that has nothing in flight, so that those need no conversation of their own. */
  #shared: Conversation;

  /** @param limit descriptors from this number on are refused: the selector has no room for them */
  constructor(worker: WorkerContext, limit = Number.POSITIVE_INFINITY) {
    this.#worker = worker;
    this.#limit = limit;
    this.#backlog = new Backlog(worker);
    this.#deadlines = new Deadlines(
      worker.limits,
      {
        phaseOf: (fd) => this.#phaseOf(fd),
        endAfterAnswer: (fd, limit) => this.bytesReceived[fd]?.endAfterAnswer(limit),
      },
      (limit) => worker.exceeded(limit),
      worker.departure,
    );
    setBlocking(worker.listener, false);
    this.#shared = worker.conversation();
  }

  /** True once the worker is to leave, and nobody is left whom it has to wait for. */
  get isDone(): boolean {
    this.#endsIdle = this.#worker.departure.endsIdle;
    return this.#worker.stopping && (this.#connections === 0 || this.#worker.departure.isOver);
  }

  /** Has the selector watch the listener as long as there is room: else those who come wait in the kernel. */
  listen(selector: Selector, events = READABLE): void {
    const { admission, listener, stopping } = this.#worker;
    const isWanted = !stopping && !admission.isFull() && !isResting();
    if (isWanted === this.#isListening) return;
    this.#isListening = isWanted;
    if (isWanted) selector.register(listener, events);
    else selector.unregister(listener);
  }

  /** Takes the peers that are waiting; of those it returns, each is to be registered as `interestOf` says. */
  *accept(): Generator<number> {
    for (let i = 0; i < ACCEPT_BATCH; i++) {
      const accepted = acceptReady(this.#worker);
      if (accepted === undefined) return;
      if (accepted.socket >= this.#limit) this.#refuse(accepted);
      else if (this.#open(accepted) !== CLOSED) yield accepted.socket;
    }
  }

  interestOf(fd: number): number {
    return this.#interest[fd]!;
  }

  /** Notes what was asked of the selector; false if it was that already. */
  changeInterest(fd: number, wanted: number): boolean {
    if (this.#interest[fd] === wanted) return false;
    this.#interest[fd] = wanted;
    return true;
  }

  /**
   * The socket is readable: receives once, and sends the answers to all questions that are whole.
   *
   * @param events as the selector told them: with `HANGUP` nobody is left to take an answer
   */
  receive(fd: number, events: number): number {
    // Hung up while answers wait to be sent: whether that is the end, the sending will tell.
    if (this.bytesToSend[fd] !== undefined) return this.send(fd);
    const conversation = this.bytesReceived[fd] ?? this.#shared;
    try {
      const count = recv(fd, receivedAddress, received.length);
      if (count < 0) return this.interestOf(fd);
      if (count === 0) return this.#endOfStream(fd, conversation, events);
      const turn = conversation.receive(received, 0, count, this.#out);
      if (this.#interest[fd] === NOTHING) return NOTHING;
      return this.#goOn(fd, conversation, turn);
    } catch (error) {
      return this.#end(fd, conversation, { cause: error as Error });
    }
  }

  /** The socket is writable: sends what it had no room for, and goes on from there. */
  send(fd: number): number {
    const unsent = this.bytesToSend[fd];
    const conversation = this.bytesReceived[fd];
    if (unsent === undefined || conversation === undefined) return this.interestOf(fd);
    try {
      const count = send(fd, unsent.address + unsent.sent, unsent.bytes.length - unsent.sent);
      if (count > 0) unsent.sent += count;
      if (unsent.sent < unsent.bytes.length) return WRITABLE;
      this.bytesToSend[fd] = undefined;
      this.#backlog.note(unsent.bytes.length, 0);
      return this.#goOn(fd, conversation, this.#turns[fd], true);
    } catch (error) {
      return this.#end(fd, conversation, { cause: error as Error });
    }
  }

  /** How long the selector may sleep, in ms: until the next answer is due, or -1 for ever. */
  timeout(): number {
    const now = performance.now();
    const answer = this.#timers.untilNext(now);
    const look = this.#deadlines.untilNext(now, this.#connections);
    const isFull = !this.#isListening && !this.#worker.stopping;
    return sooner(sooner(answer, look), isFull ? GLANCE : -1);
  }

  /** The descriptors of those whose answer is due now, or whose time is up; each is to be resumed. */
  *due(): Generator<number> {
    const now = performance.now();
    for (;;) {
      const due = this.#timers.takeDue(now);
      if (due === undefined) break;
      // The peer may be gone, and its number be another peer's.
      if (this.bytesReceived[due.fd] === due.conversation) yield due.fd;
    }
    for (const { fd, cause } of this.#deadlines.overdue(now)) {
      this.#overdue.set(fd, cause);
      yield fd;
    }
  }

  /** Its answer is due: sends it, and goes on from there. Or its time is up. */
  resume(fd: number): number {
    const cause = this.#overdue.get(fd);
    if (cause !== undefined) {
      this.#overdue.delete(fd);
      const conversation = this.bytesReceived[fd] ?? this.#shared;
      if (cause instanceof LimitReached) return this.#end(fd, conversation, { cause });
      const phase = this.#phaseOf(fd);
      if (phase === IDLE) {
        // It may have been told to leave since this turn began, and the peer have asked since.
        this.#endsIdle = true;
        return this.#goOn(fd, conversation, undefined);
      }
      this.#worker.departure.note(phase, false);
      return this.#end(fd, conversation, { cause });
    }
    const conversation = this.bytesReceived[fd]!;
    return this.#goOn(fd, conversation, conversation.resume(this.#out));
  }

  /** Closes a socket that wanted `CLOSED`; the selector must have let go of it. */
  close(fd: number): void {
    this.bytesReceived[fd] = undefined;
    this.#backlog.note(this.bytesToSend[fd]?.bytes.length ?? 0, 0);
    this.bytesToSend[fd] = undefined;
    this.#connections--;
    this.#turns[fd] = undefined;
    this.#halfClosed.delete(fd);
    this.#interest[fd] = CLOSED;
    this.#worker.row.ended();
    this.#worker.admission.leave(fd);
    close(fd);
  }

  closeAll(): void {
    for (let fd = 0; fd < this.#interest.length; fd++) {
      if (this.#interest[fd] === CLOSED) continue;
      const { departure } = this.#worker;
      departure.note(this.#phaseOf(fd), false);
      this.#end(fd, this.bytesReceived[fd], { cause: departure.cause });
      this.close(fd);
    }
  }

  #refuse({ socket, peer }: Accepted): void {
    this.#worker.admission.leave(socket);
    close(socket);
    // In a dry run as well: there is nowhere to put it.
    this.#worker.exceeded('descriptor');
    this.#worker.journal.record({ type: 'refused', peer, reason: 'descriptor' });
  }

  #open({ socket, peer }: Accepted): number {
    this.#worker.row.accepted();
    this.#connections++;
    if (socket >= this.#interest.length) this.#grow(socket);
    this.#deadlines.begin(socket);
    if (this.#worker.journal.on) this.#peers[socket] = peer;
    let wanted = READABLE;
    if (!this.#shared.idle) {
      const conversation = this.#worker.conversation();
      wanted = this.#goOn(socket, conversation, conversation.open(this.#out));
    }
    this.#interest[socket] = wanted;
    if (wanted === CLOSED) this.close(socket);
    return wanted;
  }

  /** Sends the outbox and does what the conversation wants, until that is to wait for something. */
  #goOn(fd: number, conversation: Conversation, first: Turn, hasSent = false): number {
    const out = this.#out;
    let turn = first;
    let looks = 0;
    let isAnswered = hasSent;
    for (;;) {
      if (out.length > 0) {
        isAnswered = true;
        let count: number;
        try {
          count = Math.max(0, send(fd, out.address, out.length));
          this.#backlog.note(0, out.length - count);
        } catch (error) {
          return this.#end(fd, conversation, { cause: error as Error, unsent: out.copy() });
        }
        this.#deadlines.mark(fd);
        if (count < out.length) {
          const bytes = out.copy(count);
          out.clear();
          this.bytesToSend[fd] = { bytes, address: addressOf(bytes), sent: 0 };
          this.#turns[fd] = turn;
          this.#keep(fd, conversation);
          return WRITABLE;
        }
        out.clear();
      }
      if (turn === undefined) {
        if (this.#halfClosed.size > 0 && this.#halfClosed.has(fd)) {
          return this.#end(fd, conversation, { cause: 'end of stream' });
        }
        if (this.#endsIdle && conversation.heldLength === 0 && looks++ < LAST_LOOKS) {
          const cause = this.#lastLook(fd);
          if (typeof cause !== 'number') {
            if (typeof cause === 'string') this.#worker.departure.note(IDLE, isAnswered);
            return this.#end(fd, conversation, { cause });
          }
          turn = conversation.receive(received, 0, cause, out);
          continue;
        }
        if (conversation.heldLength === 0) this.#deadlines.mark(fd);
        if (!conversation.idle) this.#keep(fd, conversation);
        else if (conversation !== this.#shared) this.bytesReceived[fd] = undefined;
        return READABLE;
      }
      if (turn === 'close') return this.#end(fd, conversation, { cause: 'end of stream' });
      if (typeof turn === 'number') {
        this.#timers.add(performance.now() + turn, { fd, conversation });
        this.#keep(fd, conversation);
        return NOTHING;
      }
      turn = conversation.resume(out);
    }
  }

  /** What has come from a peer that is at rest as the worker leaves: so many bytes, or why it ends. */
  #lastLook(fd: number): number | Ending['cause'] {
    try {
      const count = recv(fd, receivedAddress, received.length);
      if (count > 0) return count;
      return count === 0 ? 'end of stream' : this.#worker.departure.cause;
    } catch (error) {
      return error as Error;
    }
  }

  #phaseOf(fd: number): number {
    if (this.#interest[fd] === CLOSED) return GONE;
    if (this.bytesToSend[fd] !== undefined) return ANSWER;
    if (this.#interest[fd] === NOTHING) return THINKING;
    return (this.bytesReceived[fd]?.heldLength ?? 0) > 0 ? QUESTION : IDLE;
  }

  #keep(fd: number, conversation: Conversation): void {
    this.bytesReceived[fd] = conversation;
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
  }

  #endOfStream(fd: number, conversation: Conversation, events: number): number {
    const owed = this.bytesToSend[fd] !== undefined || conversation.owed !== undefined;
    // A peer that is gone would be told again on every wait, until the answer is due.
    if (!owed || events & HANGUP) return this.#end(fd, conversation, { cause: 'end of stream' });
    this.#halfClosed.add(fd);
    return this.interestOf(fd);
  }

  #end(fd: number, conversation: Conversation | undefined, ending: Ending): number {
    this.#out.clear();
    if (this.#worker.journal.on) {
      const rest = this.bytesToSend[fd];
      const unsent = rest === undefined ? ending.unsent : rest.bytes.subarray(rest.sent);
      const account = accountOf(this.#peers[fd]!, conversation, { cause: ending.cause, unsent });
      this.#worker.journal.record(account);
    }
    // A conversation that failed is not to serve the next peer.
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
    return CLOSED;
  }

  #grow(fd: number): void {
    const larger = new Int8Array(Math.max(fd + 1, this.#interest.length * 2)).fill(CLOSED);
    larger.set(this.#interest);
    this.#interest = larger;
  }
}
