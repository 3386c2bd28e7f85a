/** How a super-server waits: for a client to come, and for no more clients to come. */
import { Poll } from '../../os/poll.ts';
import { READABLE } from '../../os/readiness.ts';
import { close, setReceiveTimeout, socketKind } from '../../os/socket.ts';
import type { Crew, Task, Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { acceptClient, BlockingClient } from './client.ts';
import { clientsOnBid } from './ready-processes.ts';

const STDIN = 0;

/** Sleeps until a client waits at the listener, and accepts none. False if a signal woke the thread. */
export function waitForClient(crew: Crew, poll: Poll): boolean {
  crew.row.state = states.waiting;
  return poll.wait(-1) > 0;
}

/** A poll(2) that watches only the listener. */
export function pollOfListener(crew: Crew): Poll {
  const poll = new Poll();
  poll.register(crew.listener, READABLE);
  crew.ready();
  return poll;
}

/** Sleeps until the one process that was started has ended. */
export function waitForProcess(crew: Crew): void {
  crew.row.state = states.asleep;
  crew.waitForProcesses();
}

/**
 * The clients of a process that a super-server has started. With orders, each order brings one. With the listener,
 * clients come until none has come for `quietMs`. Otherwise it is the one client that the process was given.
 */
export function* clientsOf(
  worker: Worker,
  { socket, peer, bids }: Task,
  quietMs: number,
): Generator<BlockingClient> {
  if (bids !== undefined) {
    // accept(2) returns the lowest free descriptor, so the client becomes standard input.
    close(STDIN);
    for (const accepted of clientsOnBid(worker, bids)) yield new BlockingClient(accepted, worker);
  } else if (socketKind(socket!) === 'listener') yield* clientsUntilQuiet(worker, quietMs);
  else yield new BlockingClient({ socket: socket!, peer: peer! }, worker);
}

function* clientsUntilQuiet(worker: Worker, quietMs: number): Generator<BlockingClient> {
  setReceiveTimeout(worker.listener, quietMs);
  let lastClient = performance.now();
  while (!worker.isLeaving && performance.now() - lastClient < quietMs) {
    const client = acceptClient(worker);
    if (client === undefined) continue;
    yield client;
    lastClient = performance.now();
  }
}
