/**
 * The legacy pair: one thread for everybody, waiting in the framework's loop, which calls methods of
 * an object per socket. The socket work is hidden; the price is a call to every object before every
 * wait, a send per answer, and a map of sockets that is global: one such server to a program.
 */

import { type Accepted, acceptReady, GLANCE, isResting } from '../drivers/accept.ts';
import { Backlog } from '../drivers/backlog.ts';
import { Deadlines, type TimeLimit } from '../drivers/deadlines.ts';
import { AsyncChat, closeAll, Dispatcher, loop } from '../drivers/readiness/asyncore.ts';
import { ANSWER, GONE, IDLE, QUESTION, THINKING } from '../lifecycle/phase.ts';
import { setBlocking } from '../os/socket.ts';
import { accountOf, type Ending, LimitReached } from '../protocol/account.ts';
import type { Turn } from '../protocol/conversation.ts';
import { Outbox } from '../protocol/outbox.ts';
import { TimeSlice } from '../protocol/time-slice.ts';
import { sooner, Timers } from '../protocol/timers.ts';
import type { Architecture, WorkerContext } from '../worker/contract.ts';

const out = new Outbox();
/** asyncore has none: whoever needs them turns the loop by hand. */
const timers = new Timers<ZenChat>();
/** The conversations have theirs; but what asynchat has cut at its terminators comes to them one by one. */
const slice = new TimeSlice(() => performance.now());
/** By descriptor, for the limits on time, which asyncore had as little. */
const chats = new Map<number, ZenChat>();

class ZenServer extends Dispatcher {
  readonly #worker: WorkerContext;
  override accepting = true;

  readonly #deadlines: Deadlines;
  readonly #backlog: Backlog;

  constructor(worker: WorkerContext, deadlines: Deadlines) {
    super(worker.listener);
    setBlocking(worker.listener, false);
    this.#worker = worker;
    this.#deadlines = deadlines;
    this.#backlog = new Backlog(worker);
  }

  /** Where there is no room, those who come wait in the kernel's queue. */
  override readable(): boolean {
    return !this.#worker.stopping && !this.#worker.admission.isFull() && !isResting();
  }

  override handleAccept(): void {
    const accepted = acceptReady(this.#worker);
    if (accepted === undefined) return;
    new ZenChat(accepted, this.#worker, this.#deadlines, this.#backlog).begin();
  }
}

class ZenChat extends AsyncChat {
  readonly #worker: WorkerContext;
  readonly #peer: string;
  readonly #conversation;
  /** What the conversation wants once the answers are sent. */
  #turn: Turn;
  #isThinking = false;
  /** Why it ends; without one, it is as the worker leaves. */
  #cause: Ending['cause'] | undefined;
  /** How many times it was sent answers, and whether since the worker is to leave. */
  #answers = 0;
  #isAnswered = false;

  readonly #deadlines: Deadlines;
  readonly #backlog: Backlog;
  /** What of it counts there. */
  #counted = 0;

  constructor(
    { socket, peer }: Accepted,
    worker: WorkerContext,
    deadlines: Deadlines,
    backlog: Backlog,
  ) {
    super(socket);
    worker.row.accepted();
    chats.set(socket, this);
    deadlines.begin(socket);
    this.#deadlines = deadlines;
    this.#backlog = backlog;
    this.#worker = worker;
    this.#peer = peer;
    this.#conversation = worker.conversation();
  }

  begin(): void {
    this.setTerminator(this.#conversation.delimiter);
    this.#goOn(this.#conversation.open(out));
  }

  /** Not while answers are unsent or an answer is not due: the client's next questions wait in the kernel. */
  override readable(): boolean {
    return this.connected && !this.#isThinking && !this.writable();
  }

  override handleRead(): void {
    slice.begin();
    super.handleRead();
  }

  collectIncomingData(data: Buffer): void {
    this.#goOn(this.#conversation.receive(data, 0, data.length, out));
  }

  foundTerminator(): void {
    const terminator = this.getTerminator()!;
    if (!slice.isSpent()) {
      this.collectIncomingData(terminator);
      return;
    }
    this.#conversation.hold(terminator, 0, terminator.length);
    this.#think(0);
  }

  override handleWrite(): void {
    slice.begin();
    super.handleWrite();
    this.#count();
    if (this.readable()) this.#goOn(this.#turn);
    this.findTerminators();
  }

  /** Its answer is due. */
  resume(): void {
    slice.begin();
    this.#isThinking = false;
    this.#goOn(this.#conversation.resume(out));
    this.findTerminators();
  }

  override handleClose(): void {
    this.#cause = 'end of stream';
    this.close();
  }

  override handleError(error: unknown): void {
    this.#cause = error as Error;
    this.close();
  }

  /** As the worker leaves: what it has asked by now is answered; if that was nothing, it is ended. */
  leave(): void {
    const before = this.#answers;
    try {
      if (this.phase() === IDLE) {
        this.handleRead();
        if (this.#isThinking) return;
      }
    } catch (error) {
      this.handleError(error);
    }
    if (this.connected && this.#answers === before) this.close();
  }

  override close(): void {
    const { journal, row, departure } = this.#worker;
    const cause = this.#cause ?? departure.cause;
    if (this.#cause === undefined) departure.note(this.phase(), this.#isAnswered);
    if (journal.on) {
      const { unsent } = this;
      journal.record(accountOf(this.#peer, this.#conversation, { cause, unsent }));
    }
    this.#backlog.note(this.#counted, 0);
    chats.delete(this.socket);
    this.#worker.admission.leave(this.socket);
    super.close();
    row.ended();
  }

  endAfterAnswer(limit: TimeLimit): void {
    this.#conversation.endAfterAnswer(limit);
  }

  phase(): number {
    if (this.writable()) return ANSWER;
    if (this.#isThinking) return THINKING;
    return this.#conversation.heldLength > 0 ? QUESTION : IDLE;
  }

  /** Closes it if too much is unsent in all. */
  #count(): void {
    if (!this.connected) return;
    const length = this.unsentLength;
    if (length === this.#counted) return;
    try {
      this.#backlog.note(this.#counted, length);
      this.#counted = length;
    } catch (error) {
      this.handleError(error);
    }
  }

  /** Pushes the answers and does what the conversation wants, until that is to wait for something. */
  #goOn(first: Turn): void {
    this.#worker.row.state = 'answering';
    for (let turn = first; ; turn = this.#conversation.resume(out)) {
      if (out.length > 0 || this.#conversation.heldLength === 0) this.#deadlines.mark(this.socket);
      if (out.length > 0) {
        this.#answers++;
        this.#isAnswered = this.#worker.stopping;
        const answers = out.copy();
        out.clear();
        this.push(answers);
        this.#count();
      }
      this.#turn = turn;
      if (turn === 'close' && this.connected) this.closeWhenDone();
      if (turn === undefined || turn === 'close' || !this.readable()) return;
      if (typeof turn === 'number') {
        this.#think(turn);
        return;
      }
    }
  }

  #think(ms: number): void {
    this.#isThinking = true;
    timers.add(performance.now() + ms, this);
  }
}

export const asyncore: Architecture = {
  name: 'asyncore',
  chapter: 'srv_legacy2',
  processModel: 'one thread, one global map of sockets',
  ioModel: 'poll behind a framework of dispatchers',
  conversations: 'thousands, each wait asks all of them',
  defeatedBy: 'one slow answer; very many connections',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: false },
  processes: { default: 1, adjustable: false },

  serve(worker) {
    const phaseOf = (socket: number) => chats.get(socket)?.phase() ?? GONE;
    const { limits, departure } = worker;
    const exceeded = (limit: TimeLimit) => worker.exceeded(limit);
    const endAfterAnswer = (socket: number, limit: TimeLimit) =>
      chats.get(socket)?.endAfterAnswer(limit);
    const deadlines = new Deadlines(limits, { phaseOf, endAfterAnswer }, exceeded, departure);
    const server = new ZenServer(worker, deadlines);
    while (!(worker.stopping && (chats.size === 0 || departure.isOver))) {
      worker.row.state = 'waiting';
      const before = performance.now();
      const due = timers.untilNext(before);
      const look = deadlines.untilNext(before, chats.size);
      const isFull = !worker.stopping && !server.readable();
      loop(sooner(sooner(due, look), isFull ? GLANCE : -1), 1);
      const now = performance.now();
      for (let chat = timers.takeDue(now); chat; chat = timers.takeDue(now)) chat.resume();
      for (const { fd, cause } of deadlines.overdue(now)) {
        const chat = chats.get(fd);
        if (cause instanceof LimitReached) chat?.handleError(cause);
        else chat?.leave();
      }
    }
    server.delChannel();
    closeAll();
  },
};
