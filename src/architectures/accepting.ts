/** Accepting, as every architecture on system calls does it: what may go wrong there is not the page's business. */
import { SystemError } from '../os/libc.ts';
import { pause } from '../os/pause.ts';
import { accept, acceptedPeer, acceptNonblocking } from '../os/socket.ts';
import type { WorkerContext } from './architecture.ts';

/** The peer was gone before it was accepted, or its network was: accept(2) says to treat these as "try again". */
const VANISHED = new Set([
  'ECONNABORTED',
  'EPROTO',
  'ENETDOWN',
  'ENOPROTOOPT',
  'EHOSTDOWN',
  'ENONET',
  'EHOSTUNREACH',
  'EOPNOTSUPP',
  'ENETUNREACH',
  'EPERM',
]);

/** A resource is used up: nothing is wrong with the listener, and it will pass. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** How long to leave the listener alone then, in ms: without it the loop would spin. */
const BACK_OFF = 100;
/** At most one log line about it in that many ms. */
const QUIET = 5000;
let lastWarning = -QUIET;

export interface Accepted {
  readonly socket: number;
  /** `HOST:PORT`, or empty where nobody listens to the journal. */
  readonly peer: string;
}

/**
 * Waits for a peer in accept(2). Nothing if it should be tried again: the caller looks whether to stop.
 *
 * @param queued tells how many are waiting already where the peer will be put, for its account
 */
export function acceptOne(worker: WorkerContext, queued?: () => number): Accepted | undefined {
  worker.row.state = 'accepting';
  return take(worker, accept, queued);
}

/** A peer that is there already; nothing if there is none. */
export const acceptReady = (worker: WorkerContext): Accepted | undefined =>
  take(worker, acceptNonblocking);

function take(
  worker: WorkerContext,
  call: (listener: number) => number,
  queued?: () => number,
): Accepted | undefined {
  let socket: number;
  try {
    socket = call(worker.listener);
  } catch (error) {
    const delay = backOff(error, worker);
    if (delay > 0) pause(delay);
    return undefined;
  }
  if (socket < 0) return undefined;
  if (!worker.journal.on) return { socket, peer: '' };
  const peer = acceptedPeer();
  worker.journal.record({ type: 'accepted', peer, ...(queued ? { queued: queued() } : {}) });
  return { socket, peer };
}

/**
 * What a failed accept means for the listener: how long to leave it alone, in ms; 0 if not at all.
 * Throws what is neither the peer's fault nor a resource's: our own bug.
 */
export function backOff(error: unknown, worker: WorkerContext): number {
  if (!(error instanceof SystemError)) throw error;
  if (VANISHED.has(error.code)) return 0;
  if (!EXHAUSTED.has(error.code)) throw error;
  if (Date.now() - lastWarning >= QUIET) {
    lastWarning = Date.now();
    const text = `Cannot accept for now: ${error.message}; trying again every ${BACK_OFF} ms`;
    worker.journal.record({ type: 'warning', text });
  }
  return BACK_OFF;
}
