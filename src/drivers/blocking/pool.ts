/** Connects the acceptor of `queued` with its threads: a queue of clients, and the number that wait in it. */
import type { Assistant } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { acceptOne, giveUp } from '../accept.ts';
import { BlockingClient } from './client.ts';
import type { SocketQueue } from './socket-queue.ts';

/**
 * Sleeps until a client comes, and puts it into the queue. Sleeps while the queue is full. A client that is already
 * accepted is still served if the worker must leave before there is room.
 */
export function acceptInto(queue: SocketQueue, worker: Assistant): void {
  const accepted = acceptOne(worker, () => queue.length + 1);
  if (accepted === undefined) return;
  if (!queue.put(accepted, () => worker.clients.isOver(performance.now())))
    giveUp(accepted, worker);
  noteLength(queue, worker);
}

/** Sleeps until there is a client in the queue. Undefined once the queue is closed and empty. */
export function takeClient(queue: SocketQueue, worker: Assistant): BlockingClient | undefined {
  worker.row.state = states.asleep;
  const accepted = queue.take();
  if (accepted === undefined) return undefined;
  noteLength(queue, worker);
  return new BlockingClient(accepted, worker);
}

/** Another thread may change the queue and note it in between. Then this note is too old: the last one must be true. */
export function noteLength(queue: SocketQueue, worker: Pick<Assistant, 'noteQueued'>): void {
  let noted: number;
  do {
    noted = queue.length;
    worker.noteQueued(noted);
  } while (noted !== queue.length);
}
