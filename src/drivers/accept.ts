/** Accepting, as every architecture on system calls does it: what may go wrong there is not the page's business. */
import { openSync } from 'node:fs';
import { BUSY, type Refusal } from '../limits/admission.ts';
import { SystemError } from '../os/libc.ts';
import { pause } from '../os/pause.ts';
import { isReadable } from '../os/poll.ts';
import {
  accept,
  acceptedAddress,
  acceptedPeer,
  acceptNonblocking,
  close,
  dismiss,
  peerAddressOf,
  peerOf,
  reset,
  setReceiveTimeout,
} from '../os/socket.ts';
import type { WorkerContext } from '../worker/contract.ts';

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

/** Whether a call failed because a resource is used up. */
export const isExhausted = (error: unknown): boolean =>
  error instanceof SystemError && EXHAUSTED.has(error.code);

/** Of these a descriptor that is given up for it helps. */
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);

/** How long to leave the listener alone then, in ms: without it the loop would spin. */
const BACK_OFF = 100;
/** Until when this thread does, by `performance.now`. */
let restsUntil = 0;

/** Whether it was so the last time as well: whoever leaves just now may have made room by the next. */
let wasExhausted = false;

/** A descriptor that is kept for the day when there is none left: with it the next peer is turned away. */
let spare = -1;

/** More places than there are workers: each may keep one for whoever comes to it. */
const PLENTY = 4096;

/** How long a worker keeps one of fewer where nobody comes after all, in ms. */
const HOLD = 100;

/** How often whoever would accept looks whether others have made room, in ms: they cannot tell. */
export const GLANCE = 5;

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
  if (worker.hasOwnListener && !worker.admission.hasRoomFor(PLENTY)) {
    // A place that is kept here while nobody comes is missing where somebody waits.
    if (!isReadable(worker.listener, -1)) return undefined;
    // It may be a worker that leaves, on the same listener, who accepts them: the place is not to wait for others.
    // That stays so when there are plenty again: ten wakes a second, but who sleeps here then sees that they become few.
    setReceiveTimeout(worker.listener, HOLD);
  }
  if (!worker.admission.reserve()) {
    worker.row.state = 'asleep';
    pause(GLANCE);
    return undefined;
  }
  const accepted = take(worker, accept, queued);
  // This thread has nothing else to do.
  if (isResting()) pause(BACK_OFF);
  return accepted;
}

/** A peer that is there already; nothing if there is none, or it has to wait. */
export const acceptReady = (worker: WorkerContext): Accepted | undefined =>
  !isResting() && worker.admission.reserve() ? take(worker, acceptNonblocking) : undefined;

/** Whether a resource was lacking just now: a loop is to watch its other sockets for a while. */
export const isResting = (): boolean => restsUntil > 0 && performance.now() < restsUntil;

/**
 * Whether a peer may come in that was accepted by other means. If not, it has been turned away and its
 * descriptor is closed. Whoever comes in is to leave: `worker.admission.leave(socket)`, then `close`.
 */
export function admit(worker: WorkerContext, socket: number): boolean {
  const { admission } = worker;
  cameThrough();
  const address = admission.needsAddress ? peerAddressOf(socket) : undefined;
  // It has reset. Nobody knows any more whose rate it counts for, so it is as if it had never come.
  if (address === 'gone') {
    admission.cancel();
    close(socket);
    return false;
  }
  const reason = admission.admit(socket, address);
  if (reason === undefined) return true;
  turnAway(worker, socket, reason, () => peerOf(socket));
  return false;
}

function take(
  worker: WorkerContext,
  call: (listener: number) => number,
  queued?: () => number,
): Accepted | undefined {
  const { admission } = worker;
  let socket: number;
  try {
    socket = call(worker.listener);
  } catch (error) {
    admission.cancel();
    backOff(error, worker);
    return undefined;
  }
  if (socket < 0) {
    admission.cancel();
    return undefined;
  }
  cameThrough();
  const address = admission.needsAddress ? acceptedAddress() : undefined;
  const reason = admission.admit(socket, address);
  if (reason !== undefined) {
    turnAway(worker, socket, reason, acceptedPeer);
    return undefined;
  }
  if (!worker.journal.on) return { socket, peer: '' };
  const peer = acceptedPeer();
  worker.journal.record({ type: 'accepted', peer, ...(queued ? { queued: queued() } : {}) });
  return { socket, peer };
}

/** Closes a client that was accepted and whose worker has no time left to serve it. */
export function giveUp(
  { socket, peer }: Accepted,
  { admission, departure, journal }: WorkerContext,
): void {
  journal.record({ type: 'cut', peer, why: departure.cause });
  admission.leave(socket);
  close(socket);
}

function turnAway(
  worker: WorkerContext,
  socket: number,
  reason: Refusal,
  peer: () => string,
): void {
  const { admission, journal } = worker;
  if (journal.on) journal.record({ type: 'refused', peer: peer(), reason });
  if (admission.policy === 'reset') reset(socket);
  else if (admission.says(reason)) dismiss(socket, BUSY);
  else close(socket);
}

/**
 * What a failed accept means for the listener: how long to leave it alone, in ms; 0 if not at all. Where
 * descriptors are used up, the next peer is turned away, so that it learns of it at once.
 * Throws what is neither the peer's fault nor a resource's: our own bug.
 */
export function backOff(error: unknown, worker: WorkerContext): number {
  if (!(error instanceof SystemError)) throw error;
  // The listener was shut down, for everybody.
  if (worker.stopping && error.code === 'EINVAL') return 0;
  if (VANISHED.has(error.code)) return 0;
  if (!EXHAUSTED.has(error.code)) throw error;
  restsUntil = performance.now() + BACK_OFF;
  if (wasExhausted && NO_DESCRIPTOR.has(error.code)) turnAwayNext(worker);
  wasExhausted = true;
  const text = `Cannot accept for now: ${error.message}; trying again every ${BACK_OFF} ms`;
  worker.journal.record({ type: 'warning', text });
  return BACK_OFF;
}

/** Somebody was accepted: there are descriptors. */
function cameThrough(): void {
  wasExhausted = false;
  if (spare < 0) keepSpare();
}

function keepSpare(): void {
  try {
    spare = openSync('/dev/null', 'r');
  } catch {
    // None is left even for that: tried again with the next peer.
  }
}

/** Without a descriptor nobody can be accepted, not even to be turned away: so one is given up for it. */
function turnAwayNext(worker: WorkerContext): void {
  if (spare < 0) return;
  close(spare);
  try {
    // accept(2) looks for a descriptor first: that it failed does not say that anybody waits.
    const socket = isReadable(worker.listener) ? acceptNonblocking(worker.listener) : -1;
    if (socket >= 0) {
      worker.admission.refuse('connections');
      turnAway(worker, socket, 'connections', acceptedPeer);
    }
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  } finally {
    keepSpare();
  }
}
