/**
 * One thread for everybody, and coroutines made from scratch: the four routines of `single` as
 * generators. Where one of those would block, a generator yields the wait it wants; a scheduler waits
 * in epoll for all of them. A silent client costs its suspended generators, 1.5 KiB, and no thread; an
 * answer that takes long still holds up everyone.
 */

import { acceptReady, GLANCE, isResting } from '../drivers/accept.ts';
import { Backlog } from '../drivers/backlog.ts';
import { Deadlines, type TimeLimit } from '../drivers/deadlines.ts';
import { AddressedOutbox } from '../drivers/outbox.ts';
import {
  type Coroutine,
  readable,
  Scheduler,
  sleep,
  stopped,
  writable,
} from '../drivers/readiness/scheduler.ts';
import { LAST_LOOKS } from '../lifecycle/drain.ts';
import { ANSWER, GONE, IDLE, QUESTION, THINKING } from '../lifecycle/phase.ts';
import { Epoll } from '../os/epoll.ts';
import { addressOf } from '../os/libc.ts';
import { close, recv, send, setBlocking } from '../os/socket.ts';
import { accountOf, type Ending } from '../protocol/account.ts';
import type { Conversation, Turn } from '../protocol/conversation.ts';
import type { Architecture, WorkerContext } from '../worker/contract.ts';

/** A loop that accepted without end would serve nobody: so many before the others have their turn. */
const ACCEPT_BATCH = 64;

/** Thrown through the routines as the chapter throws EOFError; one for all, as a stack trace each costs more. */
const endOfStream = new Error('end of stream');

// Shared by all conversations, which must leave both empty whenever they yield.
const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);
const out = new AddressedOutbox();

interface Client {
  readonly worker: WorkerContext;
  readonly deadlines: Deadlines;
  readonly backlog: Backlog;
  readonly socket: number;
  readonly conversation: Conversation;
  /** Answers that the kernel had no room for. */
  unsent: Buffer | undefined;
  /** Whether it was given an answer since the worker is to leave. */
  isAnswered: boolean;
  /** How often it was looked since then whether it has asked more. */
  looks: number;
}

/** By descriptor. */
const clients: (Client | undefined)[] = [];
let connections = 0;

function phaseOf(fd: number): number {
  const client = clients[fd];
  if (client === undefined) return GONE;
  if (client.unsent !== undefined) return ANSWER;
  if (client.conversation.isThinking) return THINKING;
  return client.conversation.heldLength > 0 ? QUESTION : IDLE;
}

function* acceptConnectionsForever(
  worker: WorkerContext,
  scheduler: Scheduler,
  deadlines: Deadlines,
): Coroutine {
  const backlog = new Backlog(worker);
  setBlocking(worker.listener, false);
  for (;;) {
    // Those who come wait in the kernel's queue.
    while (worker.admission.isFull() || isResting()) yield sleep(GLANCE);
    yield readable(worker.listener);
    for (let i = 0; i < ACCEPT_BATCH && !worker.stopping; i++) {
      const accepted = acceptReady(worker);
      if (accepted === undefined) break;
      worker.row.accepted();
      const { socket, peer } = accepted;
      const conversation = worker.conversation();
      const client: Client = {
        worker,
        deadlines,
        backlog,
        socket,
        conversation,
        unsent: undefined,
        isAnswered: false,
        looks: 0,
      };
      scheduler.start(handleConversation(client, peer, scheduler));
    }
    if (worker.stopping) return scheduler.forget(worker.listener);
  }
}

function* handleConversation(client: Client, peer: string, scheduler: Scheduler): Coroutine {
  const { socket, worker } = client;
  clients[socket] = client;
  connections++;
  client.deadlines.begin(socket);
  try {
    yield* goOn(client, client.conversation.open(out));
    for (;;) yield* handleRequest(client);
  } catch (error) {
    if (error === stopped) worker.departure.note(phaseOf(socket), client.isAnswered);
    if (worker.journal.on) worker.journal.record(account(peer, client, error));
  } finally {
    out.clear();
    client.backlog.note(client.unsent?.length ?? 0, 0);
    clients[socket] = undefined;
    connections--;
    scheduler.forget(socket);
    worker.admission.leave(socket);
    close(socket);
    worker.row.ended();
  }
}

function* handleRequest(client: Client): Coroutine {
  const turn = yield* recvUntil(client);
  // The usual question ends here: it costs two generators, and not four.
  if (turn !== undefined || !sendAtOnce(client)) yield* goOn(client, turn);
}

/** Receives until there is an answer to send, or something else to do than to receive. */
function* recvUntil(client: Client): Coroutine<Turn> {
  const { worker, socket, conversation } = client;
  let turn: Turn;
  while (out.length === 0 && turn === undefined) {
    // Whoever is to be ended is answered first what it has asked by now.
    const isLast = worker.stopping && worker.departure.ends(phaseOf(socket));
    if (!isLast || ++client.looks % LAST_LOOKS === 0) yield readable(socket);
    const count = recv(socket, receivedAddress, received.length);
    if (count === 0) throw endOfStream;
    if (count > 0) turn = conversation.receive(received, 0, count, out);
    else if (isLast) throw stopped;
  }
  return turn;
}

/** Sends the answers, and whatever the conversation wants besides until it wants to receive again. */
function* goOn(client: Client, first: Turn): Coroutine {
  for (let turn = first; ; turn = client.conversation.resume(out)) {
    if (!sendAtOnce(client)) yield* sendRest(client);
    if (turn === undefined) return;
    if (turn === 'close') throw endOfStream;
    if (typeof turn === 'number') yield sleep(turn);
  }
}

/** Sends the outbox; false if there is a rest, which is the client's own from then on. */
function sendAtOnce(client: Client): boolean {
  if (out.length > 0) {
    client.deadlines.mark(client.socket);
    client.isAnswered = client.worker.stopping;
    const count = Math.max(0, send(client.socket, out.address, out.length));
    if (count < out.length) {
      client.backlog.note(0, out.length - count);
      client.unsent = out.copy(count);
    }
    out.clear();
  }
  return client.unsent === undefined;
}

function* sendRest(client: Client): Coroutine {
  for (let rest = client.unsent; rest !== undefined; rest = client.unsent) {
    yield writable(client.socket);
    const count = Math.max(0, send(client.socket, addressOf(rest), rest.length));
    client.backlog.note(count, 0);
    client.unsent = count < rest.length ? rest.subarray(count) : undefined;
  }
}

function account(peer: string, { worker, conversation, unsent }: Client, error: unknown) {
  const cause =
    error === stopped ? worker.departure.cause : error === endOfStream ? 'end of stream' : error;
  return accountOf(peer, conversation, {
    cause: cause as Ending['cause'],
    unsent: unsent ?? out.copy(),
  });
}

export const generator: Architecture = {
  name: 'generator',
  chapter: '"supported by generators … yield from"',
  processModel: 'one thread',
  ioModel: 'generators on our own epoll loop',
  conversations: 'tens of thousands',
  defeatedBy: 'one slow answer',
  arrangement: 'alone',
  capacity: 'unbounded',
  threads: { default: 1, adjustable: true },
  processes: { default: 1, adjustable: true },

  serve(worker) {
    const selector = new Epoll();
    const scheduler = new Scheduler(selector, worker);
    const { limits, departure } = worker;
    const exceeded = (limit: TimeLimit) => worker.exceeded(limit);
    const endAfterAnswer = (fd: number, limit: TimeLimit) =>
      clients[fd]?.conversation.endAfterAnswer(limit);
    const deadlines = new Deadlines(limits, { phaseOf, endAfterAnswer }, exceeded, departure);
    scheduler.start(acceptConnectionsForever(worker, scheduler, deadlines));
    scheduler.run(deadlines, () => connections);
    selector.close();
  },
};
