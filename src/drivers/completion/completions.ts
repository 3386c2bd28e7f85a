/**
 * The tables of the completion model, and what is done about each completion. In the readiness family
 * a socket is ready and then something is tried; here it is done already, and the question is what to
 * ask for next. Answers go out at once from one arena per turn; only those for which a peer has no
 * room are copied and wait. A connection with nothing in flight is a few numbers in typed arrays.
 */

import { ANSWER, GONE, IDLE, QUESTION, THINKING } from '../../lifecycle/phase.ts';
import { addressOf, errnoName, SystemError, viewOf, WOULD_BLOCK } from '../../os/libc.ts';
import { close, peerOf, sendReady } from '../../os/socket.ts';
import { ACCEPTED, READY, RECEIVED, SENT, type Uring } from '../../os/uring.ts';
import { accountOf, type Ending, type LimitReached } from '../../protocol/account.ts';
import type { Conversation, Turn } from '../../protocol/conversation.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import { admit } from '../accept.ts';
import { Backlog } from '../backlog.ts';
import { Deadlines } from '../deadlines.ts';
import { Arena } from '../outbox.ts';
import { Reception } from './accepting.ts';

/** What there is of a connection that has something in flight. */
interface Flight {
  readonly conversation: Conversation;
  /** What the conversation wants once its answers are sent. */
  turn: Turn;
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

export class Completions {
  readonly #worker: WorkerContext;
  readonly #ring: Uring;
  /** By descriptor: counts its connections, so that what was asked for an earlier one is known as such. */
  #generation = new Int32Array(1024);
  /** By descriptor: whether there is a connection. */
  #open = new Uint8Array(1024);
  /** By descriptor: in which turn, from where and how much was last sent. */
  #sentTurn = new Int32Array(1024).fill(-1);
  #sentFrom = new Float64Array(1024);
  #sentLength = new Int32Array(1024);
  readonly #flights: (Flight | undefined)[] = [];
  readonly #peers: string[] = [];
  readonly #deadlines: Deadlines;
  #connections = 0;
  readonly #backlog: Backlog;
  /** Descriptors to be looked at again when the sends of this turn are known to have gone out. */
  #again: number[] = [];
  /** Those whose receive has ended by itself and is to be asked for again. */
  readonly #unarmed: { readonly fd: number; readonly generation: number }[] = [];
  readonly #timers = new Timers<{ fd: number; flight: Flight }>();
  /** Serves any connection that has nothing in flight. */
  #shared: Conversation;
  #turn = 0;
  // Two arenas by turns: what was sent in one turn is read again in the next if it fell short.
  readonly #arenas: readonly [Arena, Arena] = [new Arena(262_144), new Arena(262_144)];
  #out = this.#arenas[0];
  /** Buffers of cancelled sends: the kernel lets go of them within the turn. */
  readonly #retired: Buffer[] = [];
  readonly #reception: Reception;
  /** Whoever is at rest is ended, and who was answered since. */
  #endsIdle = false;
  readonly #answered = new Set<number>();

  constructor(worker: WorkerContext, ring: Uring) {
    this.#worker = worker;
    this.#ring = ring;
    this.#backlog = new Backlog(worker);
    this.#deadlines = new Deadlines(
      worker.limits,
      {
        phaseOf: (fd) => this.#phaseOf(fd),
        endAfterAnswer: (fd, limit) => this.#flights[fd]?.conversation?.endAfterAnswer(limit),
      },
      (limit) => worker.exceeded(limit),
      worker.departure,
    );
    this.#shared = worker.conversation();
    this.#reception = new Reception(worker, ring);
    this.#reception.open();
  }

  /** True once the worker is to leave, and nobody is left whom it has to wait for. */
  get isDone(): boolean {
    const { stopping, departure } = this.#worker;
    if (!stopping) return false;
    this.#reception.close();
    this.#endsIdle = departure.endsIdle;
    if (departure.isOver) return true;
    // Whom the kernel accepts before the cancelling has reached it is served like the others.
    return this.#connections === 0 && this.#reception.isDone;
  }

  /** How long to wait for completions, in ms; -1 for as long as it takes. */
  timeout(): number {
    if (this.#again.length > 0) return 0;
    const now = performance.now();
    const answer = this.#timers.untilNext(now);
    const look = this.#deadlines.untilNext(now, this.#connections);
    return sooner(sooner(answer, look), this.#reception.untilNext(now));
  }

  beginTurn(): void {
    this.#turn = (this.#turn + 1) & 0x3fffffff;
    const arena = (this.#turn & 1) as 0 | 1;
    this.#out = this.#arenas[arena];
    this.#out.clear();
    this.#retired.length = 0;
  }

  /** Goes on with those whose answers have left, and with those whose time has come. */
  endTurn(): void {
    this.#goOnWithRest();
    this.#armAgain();
  }

  #goOnWithRest(): void {
    if (this.#again.length > 0) {
      const again = this.#again;
      this.#again = [];
      for (const fd of again) this.#lookAgain(fd);
    }
    const now = performance.now();
    for (const { fd, cause } of this.#deadlines.overdue(now)) {
      // Told to leave since this turn began: what was asked meanwhile is seen in the next.
      if (typeof cause === 'string' && !this.#endsIdle && this.#phaseOf(fd) === IDLE) continue;
      this.#end(fd, { cause });
    }
    for (;;) {
      const due = this.#timers.takeDue(now);
      if (due === undefined) break;
      if (this.#flights[due.fd] === due.flight) this.#thought(due.fd, due.flight);
    }
    this.#reception.turn(now);
  }

  /** Somebody waits at the listener. */
  ready(): void {
    this.#reception.ready();
  }

  accepted(): void {
    const socket = this.#reception.accepted();
    if (socket >= 0) this.#start(socket);
  }

  received(): void {
    const { fd, result, offset } = this.#ring;
    const isCurrent = this.#isCurrent();
    const more = this.#ring.more;
    if (result > 0) {
      if (isCurrent) this.#take(fd, offset, result);
      this.#ring.recycle();
    }
    if (!isCurrent || this.#open[fd] === 0) return;
    if (result === 0) this.#endOfStream(fd);
    else if (result < 0) this.#receiveFailed(fd, -result);
    else if (!more) this.#rearm(fd);
  }

  /** What was sent at once did not all find room, or failed. */
  sentShort(): void {
    if (!this.#isCurrent()) return;
    const { fd, result } = this.#ring;
    const sent = Math.max(result, 0);
    const unsent = this.#lastSent(fd, sent);
    if (result < 0 && result !== WOULD_BLOCK) {
      this.#end(fd, { cause: new SystemError('send', -result), unsent });
      return;
    }
    const flight = this.#flights[fd] ?? this.#keep(fd, this.#worker.conversation(), undefined);
    this.#sendRest(fd, flight, unsent);
  }

  /** Answers for which the peer has no room: sent as it makes some. */
  #sendRest(fd: number, flight: Flight, unsent: Buffer): void {
    try {
      this.#backlog.note(0, unsent.length);
    } catch (error) {
      this.#end(fd, { cause: error as LimitReached, unsent });
      return;
    }
    flight.unsent = unsent;
    flight.sent = 0;
    this.#ring.send(fd, this.#generation[fd]!, addressOf(unsent), unsent.length);
  }

  /** Answers that waited for room have left, or some of them, or the peer is gone. */
  sent(): void {
    if (!this.#isCurrent()) return;
    const { fd, result } = this.#ring;
    const flight = this.#flights[fd]!;
    const { unsent } = flight;
    if (unsent === undefined) return;
    if (result < 0) {
      this.#end(fd, { cause: new SystemError('send', -result) });
      return;
    }
    flight.sent += result;
    if (flight.sent < unsent.length) {
      const from = addressOf(unsent) + flight.sent;
      this.#ring.send(fd, this.#generation[fd]!, from, unsent.length - flight.sent);
      return;
    }
    flight.unsent = undefined;
    this.#backlog.note(unsent.length, 0);
    if (this.#endsIdle) this.#answered.add(fd);
    this.#goOnWith(fd, flight);
  }

  /** Ends every conversation that is left and takes back what was asked for. */
  closeAll(): void {
    const { cause } = this.#worker.departure;
    for (let fd = 0; fd < this.#open.length; fd++) {
      if (this.#open[fd] === OPEN) this.#end(fd, { cause });
    }
    this.#reception.close();
    // Peers accepted meanwhile have their sockets in completions that nobody else will read.
    let tries = 0;
    do {
      // The first hands over the closing of those above, even where nothing is left to be waited for.
      this.#ring.enter(tries === 0 ? 0 : 10);
      while (this.#ring.next()) {
        if (this.#ring.purpose === READY) this.#reception.ready();
        if (this.#ring.purpose !== ACCEPTED) continue;
        const socket = this.#reception.accepted();
        if (socket >= 0) close(socket);
      }
    } while (++tries < 100 && !this.#reception.isDone);
  }

  #isCurrent(): boolean {
    const { fd, generation } = this.#ring;
    return this.#open[fd] === OPEN && this.#generation[fd] === generation;
  }

  #start(fd: number): void {
    if (!admit(this.#worker, fd)) return;
    const { journal, row } = this.#worker;
    row.accepted();
    if (fd >= this.#open.length) this.#grow(fd);
    this.#open[fd] = OPEN;
    this.#connections++;
    this.#deadlines.begin(fd);
    this.#sentTurn[fd] = -1;
    if (journal.on) {
      // A multishot accept does not say who it is.
      const peer = peerOf(fd);
      this.#peers[fd] = peer;
      journal.record({ type: 'accepted', peer });
    }
    if (this.#shared.idle) {
      this.#ring.recv(fd, this.#generation[fd]!);
      return;
    }
    // Behind the greeting, for the reason that `#armAgain` gives.
    this.#unarmed.push({ fd, generation: this.#generation[fd]! });
    const conversation = this.#worker.conversation();
    this.#goOn(fd, conversation, conversation.open(this.#out));
  }

  #take(fd: number, offset: number, length: number): void {
    const flight = this.#flights[fd];
    const { buffers } = this.#ring;
    const isBusy =
      this.#sentTurn[fd] === this.#turn ||
      (flight !== undefined && (flight.unsent !== undefined || flight.waiting));
    if (!isBusy) {
      const conversation = flight?.conversation ?? this.#shared;
      const turn = conversation.receive(buffers, offset, offset + length, this.#out);
      this.#goOn(fd, conversation, turn);
      return;
    }
    // Answers must leave in order: what came meanwhile is kept until the last ones are known to have left.
    const kept = flight ?? this.#keep(fd, this.#worker.conversation(), undefined);
    kept.conversation.hold(buffers, offset, offset + length);
    if (flight === undefined || !(flight.unsent !== undefined || flight.waiting)) {
      this.#waitForTurn(fd, kept);
    }
    if (kept.receiving && !kept.paused && kept.conversation.heldLength > HELD) {
      kept.paused = true;
      this.#ring.cancel(RECEIVED, fd, this.#generation[fd]!);
    }
  }

  /** Sends the answers that stand in the outbox and does what the conversation wants. */
  #goOn(fd: number, conversation: Conversation, turn: Turn): void {
    const out = this.#out;
    const length = out.length - out.start;
    const flight = this.#flights[fd];
    if (length > 0 && this.#endsIdle) {
      if (!this.#sendDirectly(fd, conversation, turn)) {
        const left = this.#flights[fd];
        if (left !== undefined && typeof turn === 'number') this.#think(fd, left, turn);
        return;
      }
    } else if (length > 0) {
      const from = out.address + out.start;
      this.#ring.sendNow(fd, this.#generation[fd]!, from, length);
      this.#deadlines.mark(fd);
      this.#sentTurn[fd] = this.#turn;
      this.#sentFrom[fd] = from;
      this.#sentLength[fd] = length;
      out.start = out.length;
    } else if (turn === undefined && conversation.heldLength === 0) this.#deadlines.mark(fd);
    if (turn === undefined && flight === undefined) {
      if (!conversation.idle) this.#keep(fd, conversation, undefined);
      return;
    }
    const kept = flight ?? this.#keep(fd, conversation, turn);
    kept.turn = turn;
    if (typeof turn === 'number') this.#think(fd, kept, turn);
    else if (turn !== undefined || kept.halfClosed) {
      this.#waitForTurn(fd, kept);
    } else if (kept.paused) {
      kept.paused = false;
      if (!kept.receiving) this.#rearm(fd);
    } else if (conversation.idle && kept.receiving) {
      this.#flights[fd] = undefined;
    }
  }

  #think(fd: number, flight: Flight, ms: number): void {
    flight.waiting = true;
    this.#timers.add(performance.now() + ms, { fd, flight });
  }

  /**
   * As the worker leaves: whoever has its answer is ended at the end of this very turn, before it asks
   * again, so whether the kernel took all of it must be known at once. False if it did not, and more is to
   * be done when it has.
   */
  #sendDirectly(fd: number, conversation: Conversation, turn: Turn): boolean {
    const out = this.#out;
    const bytes = out.buffer.subarray(out.start, out.length);
    const address = out.address + out.start;
    out.start = out.length;
    try {
      const count = Math.max(0, sendReady(fd, address, bytes.length));
      this.#answered.add(fd);
      if (count === bytes.length) return true;
      const flight = this.#flights[fd] ?? this.#keep(fd, conversation, turn);
      flight.turn = turn;
      this.#sendRest(fd, flight, Buffer.from(bytes.subarray(count)));
    } catch (error) {
      this.#end(fd, { cause: error as Error, unsent: Buffer.from(bytes) });
    }
    return false;
  }

  /** Whether this turn's send fell short is known when the next turn's completions have been seen. */
  #waitForTurn(fd: number, flight: Flight): void {
    flight.waiting = true;
    this.#again.push(fd);
  }

  #lookAgain(fd: number): void {
    const flight = this.#flights[fd];
    if (flight === undefined || !flight.waiting) return;
    if (this.#sentTurn[fd] === this.#turn) this.#again.push(fd);
    else {
      flight.waiting = false;
      if (flight.unsent === undefined) this.#goOnWith(fd, flight);
    }
  }

  #goOnWith(fd: number, flight: Flight): void {
    if (flight.turn === 'close') this.#end(fd, { cause: 'end of stream' });
    else if (typeof flight.turn === 'number') return;
    else this.#resume(fd, flight);
  }

  /** An answer is due; it may have to wait until those before it are known to have left. */
  #thought(fd: number, flight: Flight): void {
    flight.turn = undefined;
    if (flight.unsent !== undefined) flight.waiting = false;
    else if (this.#sentTurn[fd] === this.#turn) this.#waitForTurn(fd, flight);
    else this.#resume(fd, flight);
  }

  #resume(fd: number, flight: Flight): void {
    flight.waiting = false;
    const { conversation } = flight;
    const turn = conversation.resume(this.#out);
    const isSilent = this.#out.length === this.#out.start;
    if (turn === undefined && isSilent && flight.halfClosed) {
      this.#end(fd, { cause: 'end of stream' });
    } else {
      this.#goOn(fd, conversation, turn);
    }
  }

  #phaseOf(fd: number): number {
    if (this.#open[fd] !== OPEN) return GONE;
    const flight = this.#flights[fd];
    // Whether it left is known in the next turn.
    if (this.#sentTurn[fd] === this.#turn) return ANSWER;
    if (flight === undefined) return IDLE;
    if (flight.unsent !== undefined) return ANSWER;
    if (flight.waiting) return THINKING;
    return flight.conversation.heldLength > 0 ? QUESTION : IDLE;
  }

  #keep(fd: number, conversation: Conversation, turn: Turn): Flight {
    const flight: Flight = {
      conversation,
      turn,
      unsent: undefined,
      sent: 0,
      receiving: true,
      paused: false,
      halfClosed: false,
      waiting: false,
    };
    this.#flights[fd] = flight;
    if (conversation === this.#shared) this.#shared = this.#worker.conversation();
    return flight;
  }

  #endOfStream(fd: number): void {
    const flight = this.#flights[fd];
    const hasSentNow = this.#sentTurn[fd] === this.#turn;
    const isOwed =
      flight !== undefined &&
      (flight.unsent !== undefined || flight.waiting || flight.conversation.owed !== undefined);
    if (!isOwed && !hasSentNow) {
      if (flight !== undefined) flight.receiving = false;
      this.#end(fd, { cause: 'end of stream' });
      return;
    }
    const kept = flight ?? this.#keep(fd, this.#worker.conversation(), undefined);
    kept.receiving = false;
    kept.halfClosed = true;
    if (!kept.waiting && kept.unsent === undefined) this.#waitForTurn(fd, kept);
  }

  #receiveFailed(fd: number, errno: number): void {
    const flight = this.#flights[fd];
    const code = errnoName(errno);
    if (code !== 'ENOBUFS' && code !== 'ECANCELED') {
      if (flight !== undefined) flight.receiving = false;
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
    const flight = this.#flights[fd];
    if (flight !== undefined) {
      flight.receiving = !flight.paused && !flight.halfClosed;
      if (!flight.receiving) return;
    }
    this.#unarmed.push({ fd, generation: this.#generation[fd]! });
  }

  /**
   * Last of all in a turn: a receive that finds bytes is done as soon as it is handed over, and what it
   * received must not be told before what became of this turn's answers, which are to leave in order.
   */
  #armAgain(): void {
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
    const flight = this.#flights[fd];
    const { journal, row, departure } = this.#worker;
    if (ending.cause === departure.cause) departure.note(this.#phaseOf(fd), this.#answered.has(fd));
    this.#answered.delete(fd);
    if (journal.on) {
      const unsent = ending.unsent ?? flight?.unsent?.subarray(flight.sent);
      const conversation = flight?.conversation;
      journal.record(accountOf(this.#peers[fd]!, conversation, { cause: ending.cause, unsent }));
    }
    this.#connections--;
    if (flight?.unsent !== undefined) {
      this.#backlog.note(flight.unsent.length, 0);
      this.#retired.push(flight.unsent);
      this.#ring.cancel(SENT, fd, this.#generation[fd]!);
    }
    this.#ring.cancel(RECEIVED, fd, this.#generation[fd]!);
    this.#worker.admission.leave(fd);
    this.#ring.closeSocket(fd);
    this.#flights[fd] = undefined;
    this.#open[fd] = 0;
    this.#generation[fd]! += 1;
    row.ended();
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
