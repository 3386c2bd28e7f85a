/**
 * One thread serves all clients with coroutines made from scratch: the four routines of `single` as
 * generators. Where `single` would block, a generator yields the wait it wants. A scheduler waits in
 * epoll for all. A silent client costs its suspended generators, 1.5 KiB, and no thread. An answer that
 * takes long still delays all other clients.
 */

import { endOfStream } from '../drivers/ended.ts';
import { type CoroutineClient, CoroutineListener } from '../drivers/readiness/coroutine-client.ts';
import { type Coroutine, Scheduler } from '../drivers/readiness/scheduler.ts';
import { Epoll } from '../os/epoll.ts';
import type { Next } from '../protocol/conversation.ts';
import type { AloneArchitecture, Worker } from '../worker/contract.ts';

function* acceptConnectionsForever(worker: Worker, scheduler: Scheduler): Coroutine {
  const listener = new CoroutineListener(worker, scheduler);
  while (!worker.isLeaving) {
    yield listener.wanted;
    for (let client = listener.accept(); client !== undefined; client = listener.accept())
      scheduler.start(handleConversation(client));
  }
  listener.close();
}

function* handleConversation(client: CoroutineClient): Coroutine {
  try {
    yield* sendAnswers(client, client.conversation.open(client.answers));
    for (;;) yield* handleRequest(client);
  } catch (reason) {
    client.end(reason); // the client has closed, or its time is up
  }
}

function* handleRequest(client: CoroutineClient): Coroutine {
  const next = yield* recvUntil(client);
  // Most questions end here, so they cost two generators and not three.
  if (next !== undefined || !client.send()) yield* sendAnswers(client, next);
}

/** Receives until there is an answer to send, or the conversation wants something other than bytes. */
function* recvUntil(client: CoroutineClient): Coroutine<Next> {
  let next: Next;
  while (client.answers.length === 0 && next === undefined) {
    yield client.readable; // where `single` would sleep
    next = client.receive();
  }
  return next;
}

/** Sends the answers and does what the conversation wants next, until it wants to receive again. */
function* sendAnswers(client: CoroutineClient, first: Next): Coroutine {
  for (let next = first; ; next = client.conversation.resume(client.answers)) {
    while (!client.send()) yield client.writable;
    if (next === undefined) return;
    if (next === 'close') throw endOfStream;
    if (next !== 'full') yield client.until(next); // a time, or a promise
  }
}

export const generator: AloneArchitecture = {
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

  async serve(worker) {
    const epoll = new Epoll();
    const scheduler = new Scheduler(epoll, worker);
    scheduler.start(acceptConnectionsForever(worker, scheduler));
    await scheduler.run(); // sleeps in epoll_wait(2)
    epoll.close();
  },
};
