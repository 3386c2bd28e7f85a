/**
 * Adds what the legacy pair never had: time limits, a worker that leaves, a limit on clients, and answers that are
 * due later. `LimitedServer` and `LimitedChat` stand between the framework's classes and the page's.
 */
import { phaseOf } from '../../lifecycle/phase.ts';
import type { Connections } from '../../lifecycle/roster.ts';
import { END, END_AFTER_ANSWER } from '../../lifecycle/terms.ts';
import { setBlocking } from '../../os/socket.ts';
import type { Ending, LimitReached } from '../../protocol/account.ts';
import type { Conversation } from '../../protocol/conversation.ts';
import { TimeSlice } from '../../protocol/time-slice.ts';
import { sooner, Timers } from '../../protocol/timers.ts';
import type { Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { type Accepted, isResting, tryAccept } from '../accept.ts';
import { NodeTurns } from '../node-turns.ts';
import { AddressedOutbox } from '../outbox.ts';
import { peerAt } from '../peer.ts';
import { ROOM_INTERVAL_MS } from '../timing.ts';
import { AsyncChat, closeAll, Dispatcher, loop } from './asyncore.ts';

/** The answers of the chat whose method runs now. Each method leaves it empty. */
const answers = new AddressedOutbox();
/** The framework has no timers, so `serveForever` runs its loop turn by turn. */
const timers = new Timers<LimitedChat>();
/** A conversation has a slice of its own, but asynchat splits at terminators and hands it one question at a time. */
const slice = new TimeSlice(() => performance.now());
const chats = new Map<number, LimitedChat>();

/** For the looks at all connections. */
const connections: Connections = {
  phaseOf: (socket) => chats.get(socket)!.phase,
  visit: (socket, decision, cause) => chats.get(socket)!.visit(decision, cause),
};

/** Notices that Node has something to do. The descriptor belongs to Node: leave it open. */
class NodeChannel extends Dispatcher {
  readonly #node: NodeTurns<LimitedChat>;

  constructor(node: NodeTurns<LimitedChat>) {
    super(node.fd);
    this.#node = node;
  }

  override writable(): boolean {
    return false;
  }

  override handleRead(): void {
    this.#node.isReady = true;
  }

  override close(): void {
    this.delChannel();
  }
}

export class LimitedServer extends Dispatcher {
  readonly worker: Worker;
  override accepting = true;
  /** Lets promises settle between the turns of the framework's loop. */
  readonly node: NodeTurns<LimitedChat>;
  #isNodeWatched = false;

  constructor(worker: Worker) {
    super(worker.listener);
    setBlocking(worker.listener, false);
    this.worker = worker;
    this.node = new NodeTurns(worker);
    worker.ready();
  }

  /** Without room, clients wait in the kernel's queue. */
  override readable(): boolean {
    return !this.worker.isLeaving && !this.worker.admission.isFull() && !isResting();
  }

  /** A client that waits; undefined if there is none. */
  accept(): Accepted | undefined {
    return tryAccept(this.worker);
  }

  /** Runs the framework's loop until the worker has left. */
  async serveForever(): Promise<void> {
    const { node } = this;
    while (this.#serveUntilNodesTurn()) {
      await node.turn();
      for (let chat = node.takeSettled(); chat; chat = node.takeSettled()) chat.isDue();
    }
    this.delChannel();
    closeAll();
    node.close();
  }

  /** Returns true when Node must have a turn, and false once the worker has left. */
  #serveUntilNodesTurn(): boolean {
    const { clients, row } = this.worker;
    const { node } = this;
    for (;;) {
      const before = performance.now();
      if (clients.isDone(before)) return false;
      let wait = sooner(timers.untilNext(before), clients.untilLook(before));
      if (node.isOn) {
        if (node.isDue(before)) return true;
        if (!this.#isNodeWatched) this.#watchNode();
        wait = sooner(wait, node.untilDue(before));
      }
      row.state = states.waiting;
      const isFull = !clients.isLeaving && !this.readable();
      const hasEvents = loop(isFull ? sooner(wait, ROOM_INTERVAL_MS) : wait, 1);
      if (node.isOn && hasEvents) node.touch();
      const now = performance.now();
      for (let chat = timers.takeDue(now); chat; chat = timers.takeDue(now)) chat.isDue();
      clients.look(now, connections);
    }
  }

  #watchNode(): void {
    this.#isNodeWatched = true;
    // The framework's map holds it.
    if (this.node.fd >= 0) new NodeChannel(this.node);
  }
}

export abstract class LimitedChat extends AsyncChat {
  readonly conversation: Conversation;
  /** Where the conversation writes its answers. */
  readonly answers = answers;
  readonly #worker: Worker;
  readonly #node: NodeTurns<LimitedChat>;
  #isThinking = false;
  #hasCome = false;
  /** Why it ends; undefined: because the worker leaves. */
  #cause: Ending['cause'] | undefined;

  constructor({ socket, peer }: Accepted, { worker, node }: LimitedServer) {
    super(socket);
    this.#worker = worker;
    this.#node = node;
    this.conversation = worker.conversation(() => peerAt(socket), socket);
    worker.clients.come(socket, socket, peer);
    chats.set(socket, this);
    this.setTerminator(this.conversation.delimiter);
  }

  /** The answer is due. */
  abstract resume(): void;
  /** The client has taken its answers. */
  abstract answersTaken(): void;

  /** False while answers are unsent or an answer is not due: the client's next questions wait in the kernel. */
  override readable(): boolean {
    return this.connected && !this.#isThinking && !this.writable();
  }

  override isSpent(): boolean {
    if (!slice.isSpent()) return false;
    this.callLater(0);
    return true;
  }

  override recv(): number {
    const count = super.recv();
    this.#hasCome = count >= 0;
    return count;
  }

  override handleRead(): void {
    slice.begin();
    this.#worker.row.state = states.answering;
    // The header of a proxy has no terminator. The questions behind it have one.
    if (this.getTerminator() === undefined) this.setTerminator(this.conversation.delimiter);
    super.handleRead();
  }

  override handleWrite(): void {
    super.handleWrite();
    this.#count();
    if (this.readable()) this.#callBack(() => this.answersTaken());
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
    const { clients } = this.#worker;
    const cause = this.#cause ?? clients.cause;
    clients.gone(this.socket, this.phase, this.conversation, { cause, unsent: this.unsent });
    chats.delete(this.socket);
    super.close();
  }

  /** Sends as much of the answers as the kernel takes at once, and the rest when it has room. */
  pushAnswers(): void {
    const { clients } = this.#worker;
    const hasAnswers = answers.length > 0;
    if (hasAnswers) clients.answered(this.socket);
    else if (this.conversation.heldLength === 0) clients.rested(this.socket);
    if (!hasAnswers) return;
    const hadUnsent = this.writable();
    this.push(answers);
    answers.clear();
    if (hadUnsent || this.writable()) this.#count();
  }

  /** Calls `resume` after this number of ms, or when the promise settles. Until then it takes no more bytes. */
  callLater(next: number | Promise<void>): void {
    this.#isThinking = true;
    if (typeof next === 'number') timers.add(performance.now() + next, this);
    else this.#node.expect(next, this);
  }

  /** What `callLater` waited for has come. */
  isDue(): void {
    this.#node.touch();
    this.#isThinking = false;
    if (this.connected) this.#callBack(() => this.resume());
  }

  get phase(): number {
    return phaseOf(this.writable(), this.#isThinking, this.conversation);
  }

  visit(decision: number, cause: LimitReached | 'stop' | 'restart'): void {
    this.#node.touch();
    if (decision === END_AFTER_ANSWER) {
      this.conversation.endAfterAnswer((cause as LimitReached).limit);
      return;
    }
    this.#hasCome = false;
    try {
      if (decision !== END) this.handleRead();
    } catch (error) {
      this.handleError(error);
    }
    if (!this.connected || this.#hasCome) return;
    this.#cause = cause;
    this.close();
  }

  /** After a wait, the conversation goes first, and then the bytes that have come since. */
  #callBack(call: () => void): void {
    slice.begin();
    this.#worker.row.state = states.answering;
    call();
    this.findTerminators();
  }

  /** Closes the connection if too many bytes are unsent in the whole server. */
  #count(): void {
    if (!this.connected) return;
    try {
      this.#worker.clients.unsent(this.socket, this.unsentLength);
    } catch (error) {
      this.handleError(error);
    }
  }
}
