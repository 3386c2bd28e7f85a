/** Accepting, as every architecture on system calls does it: what may go wrong there is not the page's business. */
import { closeSync, openSync } from 'node:fs';
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
import type { Worker } from '../worker/contract.ts';
import { RETRY_ACCEPT_MS, ROOM_INTERVAL_MS } from './timing.ts';

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

/** Until when this thread does, by `performance.now`. */
let restsUntil = 0;

/** True if the previous accept failed too. We act only on the second failure: a connection may close in between. */
let wasExhausted = false;

/** A descriptor kept in reserve: when there is none left, the next client is turned away with it. */
let spare = -1;

/** More places than there are workers: each may reserve one. */
const PLENTY = 4096;

/** How long a worker keeps a reserved place for a client that does not come, in ms. */
const HOLD_PLACE_MS = 100;

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
export function acceptOne(worker: Worker, queued?: () => number): Accepted | undefined {
  worker.ready();
  worker.row.state = 'accepting';
  if (worker.hasOwnListener && !worker.admission.hasRoomFor(PLENTY)) {
    // A place that is reserved here without a client is missing at the other listeners.
    if (!isReadable(worker.listener, -1)) return undefined;
    // A leaving worker on the same listener may accept this client first: do not hold the reserved place for ever.
    // The time-out stays set. It costs ten wake-ups a second, and lets this thread notice when places run short.
    setReceiveTimeout(worker.listener, HOLD_PLACE_MS);
  }
  if (!worker.admission.reserve()) {
    worker.row.state = 'asleep';
    pause(ROOM_INTERVAL_MS);
    return undefined;
  }
  const accepted = acceptWith(worker, accept, queued);
  // This thread has nothing else to do.
  if (isResting()) pause(RETRY_ACCEPT_MS);
  return accepted;
}

/** A peer that is there already; nothing if there is none, or it has to wait. */
export const tryAccept = (worker: Worker): Accepted | undefined =>
  !isResting() && worker.admission.reserve() ? acceptWith(worker, acceptNonblocking) : undefined;

/** Whether a resource was lacking just now: a loop is to watch its other sockets for a while. */
export const isResting = (): boolean => restsUntil > 0 && performance.now() < restsUntil;

/**
 * Whether a peer may come in that was accepted by other means. If not, it has been turned away and its
 * descriptor is closed. Whoever comes in is to leave: `worker.admission.leave(socket)`, then `close`.
 */
export function admit(worker: Worker, socket: number): boolean {
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

function acceptWith(
  worker: Worker,
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

function turnAway(worker: Worker, socket: number, reason: Refusal, peer: () => string): void {
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
export function backOff(error: unknown, worker: Worker): number {
  if (!(error instanceof SystemError)) throw error;
  // The listener was shut down, for everybody.
  if (worker.isLeaving && error.code === 'EINVAL') return 0;
  if (VANISHED.has(error.code)) return 0;
  if (!EXHAUSTED.has(error.code)) throw error;
  restsUntil = performance.now() + RETRY_ACCEPT_MS;
  if (wasExhausted && NO_DESCRIPTOR.has(error.code)) turnAwayNext(worker);
  wasExhausted = true;
  const text = `Cannot accept for now: ${error.message}; trying again every ${RETRY_ACCEPT_MS} ms`;
  worker.journal.record({ type: 'warning', text });
  return RETRY_ACCEPT_MS;
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
function turnAwayNext(worker: Worker): void {
  if (spare < 0) return;
  // As it was opened: in a thread, Node keeps account of it.
  closeSync(spare);
  spare = -1;
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

/** Turns a client away whose descriptor the selector has no room for; in a dry run as well. */
export function refuseDescriptor(worker: Worker, { socket, peer }: Accepted): void {
  worker.admission.leave(socket);
  close(socket);
  worker.clients.exceeded('descriptor');
  worker.journal.record({ type: 'refused', peer, reason: 'descriptor' });
}

/** Closes a client that was accepted and never heard, since its worker has no time left to serve it. */
export function giveUp({ socket, peer }: Accepted, { clients }: Worker): void {
  clients.neverHeard(socket, peer);
  close(socket);
}
