/**
 * The legacy pair: one thread for everybody, waiting in the framework's loop, which calls methods of
 * an object per socket. The socket work is hidden; the price is a call to every object before every
 * wait, a send per answer, and a map of sockets that is global: one such server to a program.
 */
import { setBlocking } from '../os/socket.ts';
import { accountOf, type Ending, LimitReached } from '../protocol/account.ts';
import type { Turn } from '../protocol/conversation.ts';
import { Outbox } from '../protocol/outbox.ts';
import { sooner, Timers } from '../protocol/timers.ts';
import { type Accepted, acceptReady, GLANCE } from './accepting.ts';
import type { Architecture, WorkerContext } from './architecture.ts';
import { AsyncChat, closeAll, Dispatcher, loop } from './asyncore-framework.ts';
import { ANSWER, Deadlines, GONE, IDLE, QUESTION, THINKING } from './deadlines.ts';

const out = new Outbox();
/** asyncore has none: whoever needs them turns the loop by hand. */
const timers = new Timers<ZenChat>();
/** By descriptor, for the limits on time, which asyncore had as little. */
const chats = new Map<number, ZenChat>();

class ZenServer extends Dispatcher {
  readonly #worker: WorkerContext;
  override accepting = true;

  readonly #deadlines: Deadlines;

  constructor(worker: WorkerContext, deadlines: Deadlines) {
    super(worker.listener);
    setBlocking(worker.listener, false);
    this.#worker = worker;
    this.#deadlines = deadlines;
  }

  /** Where there is no room, those who come wait in the kernel's queue. */
  override readable(): boolean {
    return !this.#worker.admission.isFull();
  }

  override handleAccept(): void {
    const accepted = acceptReady(this.#worker);
    if (accepted === undefined) return;
    new ZenChat(accepted, this.#worker, this.#deadlines).begin();
  }
}

class ZenChat extends AsyncChat {
  readonly #worker: WorkerContext;
  readonly #peer: string;
  readonly #conversation;
  /** What the conversation wants once the answers are sent. */
  #turn: Turn;
  #isThinking = false;
  #cause: Ending['cause'] = 'stop';

  readonly #deadlines: Deadlines;

  constructor({ socket, peer }: Accepted, worker: WorkerContext, deadlines: Deadlines) {
    super(socket);
    worker.row.accepted();
    chats.set(socket, this);
    deadlines.mark(socket);
    this.#deadlines = deadlines;
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

  collectIncomingData(data: Buffer): void {
    this.#goOn(this.#conversation.receive(data, 0, data.length, out));
  }

  foundTerminator(): void {
    this.collectIncomingData(this.getTerminator()!);
  }

  override handleWrite(): void {
    super.handleWrite();
    if (this.readable()) this.#goOn(this.#turn);
    this.findTerminators();
  }

  /** Its answer is due. */
  resume(): void {
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

  override close(): void {
    const { journal, row } = this.#worker;
    if (journal.on) {
      const { unsent } = this;
      journal.record(accountOf(this.#peer, this.#conversation, { cause: this.#cause, unsent }));
    }
    chats.delete(this.socket);
    this.#worker.admission.leave(this.socket);
    super.close();
    row.ended();
  }

  phase(): number {
    if (this.writable()) return ANSWER;
    if (this.#isThinking) return THINKING;
    return this.#conversation.heldLength > 0 ? QUESTION : IDLE;
  }

  /** Pushes the answers and does what the conversation wants, until that is to wait for something. */
  #goOn(first: Turn): void {
    this.#worker.row.state = 'answering';
    for (let turn = first; ; turn = this.#conversation.resume(out)) {
      if (out.length > 0 || this.#conversation.heldLength === 0) this.#deadlines.mark(this.socket);
      if (out.length > 0) {
        const answers = out.copy();
        out.clear();
        this.push(answers);
      }
      this.#turn = turn;
      if (turn === 'close' && this.connected) this.closeWhenDone();
      if (turn === undefined || turn === 'close' || !this.readable()) return;
      if (typeof turn === 'number') {
        this.#isThinking = true;
        timers.add(performance.now() + turn, this);
        return;
      }
    }
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
    const deadlines = new Deadlines(worker.limits, phaseOf, (limit) => worker.exceeded(limit));
    const server = new ZenServer(worker, deadlines);
    while (!worker.stopping) {
      worker.row.state = 'waiting';
      const before = performance.now();
      const due = timers.untilNext(before);
      const look = deadlines.untilNext(before, chats.size);
      loop(sooner(sooner(due, look), server.readable() ? -1 : GLANCE), 1);
      const now = performance.now();
      for (let chat = timers.takeDue(now); chat; chat = timers.takeDue(now)) chat.resume();
      for (const { fd, limit } of deadlines.overdue(now)) {
        chats.get(fd)?.handleError(new LimitReached(limit));
      }
    }
    server.delChannel();
    closeAll();
  },
};
