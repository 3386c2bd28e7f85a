/** Accepting for all architectures on system calls. It handles the errors, so that the pages need not. */
import { closeSync, openSync } from 'node:fs';
import type { Refusal } from '../limits/admission.ts';
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
import { states } from '../worker/states.ts';
import { RETRY_ACCEPT_MS, ROOM_INTERVAL_MS } from './timing.ts';

/** The peer, or its network, was gone before the accept: accept(2) says to treat these errors as "try again". */
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

/** A resource is used up. The listener is sound, and the shortage will pass. */
const EXHAUSTED = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM']);

/** True if a call failed because a resource is used up. */
export const isExhausted = (error: unknown): boolean =>
  error instanceof SystemError && EXHAUSTED.has(error.code);

/** Errors that a freed descriptor helps against. */
const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);

/** Time until which this thread accepts no clients because a resource is used up, by `performance.now`. */
let restsUntil = 0;

/** True if the previous accept failed too. We act only on the second failure: a connection may close in between. */
let wasExhausted = false;

/** A descriptor kept in reserve: when no other is left, the worker uses it to refuse the next client. */
let spare = -1;

/** More places than there are workers: each may reserve one. */
const PLENTY = 4096;

/** How long a worker keeps a reserved place for a client that does not come, in ms. */
const HOLD_PLACE_MS = 100;

export interface Accepted {
  readonly socket: number;
  /** `HOST:PORT`; empty if the journal is off. */
  readonly peer: string;
}

/**
 * Waits for a peer in accept(2). Undefined if the caller should try again, after it has checked whether to stop.
 *
 * @param queued the peer's place in the queue where it will be put, from 1, for its account
 */
export function acceptOne(worker: Worker, queued?: () => number): Accepted | undefined {
  worker.ready();
  worker.row.state = states.accepting;
  if (worker.hasOwnListener && !worker.admission.hasRoomFor(PLENTY)) {
    // A place reserved here without a client would be missing at the other listeners.
    if (!isReadable(worker.listener, -1)) return undefined;
    // A leaving worker on the same listener may accept this client first: do not hold the reserved place for ever.
    // The time-out stays set. It costs ten wake-ups a second, and lets this thread notice when places run short.
    setReceiveTimeout(worker.listener, HOLD_PLACE_MS);
  }
  if (!worker.admission.reserve()) {
    worker.row.state = states.asleep;
    pause(ROOM_INTERVAL_MS);
    return undefined;
  }
  const accepted = acceptWith(worker, accept, queued);
  // This thread has nothing else to do.
  if (isResting()) pause(RETRY_ACCEPT_MS);
  return accepted;
}

/** Accepts a client that waits already. Undefined if none waits, or if it must wait longer. */
export const tryAccept = (worker: Worker): Accepted | undefined =>
  !isResting() && worker.admission.reserve() ? acceptWith(worker, acceptNonblocking) : undefined;

/** True if a resource was lacking a moment ago: a loop watches only its other sockets for a while. */
export const isResting = (): boolean => restsUntil > 0 && performance.now() < restsUntil;

/**
 * Admits a peer that was accepted by other means. If it returns false, the peer has been refused and its descriptor
 * is closed. Otherwise the caller must later call `worker.admission.leave(socket)`, then `close`.
 */
export function admit(worker: Worker, socket: number): boolean {
  const { admission } = worker;
  cameThrough();
  const address = admission.needsAddress ? peerAddressOf(socket) : undefined;
  // The peer has reset the connection. Its address, and so its rate, is unknown now: treat it as if it had never
  // come.
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
  worker.clients.accepted(peer, queued?.());
  return { socket, peer };
}

function turnAway(worker: Worker, socket: number, reason: Refusal, peer: () => string): void {
  const { admission, journal } = worker;
  if (journal.on) journal.record({ type: 'refused', peer: peer(), reason });
  const { isReset, text } = admission.dismissalFor(reason);
  if (isReset) reset(socket);
  else if (text !== '') dismiss(socket, text);
  else close(socket);
}

/**
 * Decides what a failed accept means for the listener. If descriptors are used up, it refuses the next peer, so
 * that the peer learns of it at once.
 *
 * @returns how long to leave the listener alone, in ms; 0: not at all
 * @throws an error that neither a peer nor a used-up resource has caused: our own bug
 */
export function backOff(error: unknown, worker: Worker): number {
  if (!(error instanceof SystemError)) throw error;
  // The listener was shut down, for all threads.
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

/** A client was accepted, so there are descriptors. */
function cameThrough(): void {
  wasExhausted = false;
  if (spare < 0) keepSpare();
}

function keepSpare(): void {
  try {
    spare = openSync('/dev/null', 'r');
  } catch {
    // No descriptor is left for the reserve. The next accepted peer tries again.
  }
}

/** Without a descriptor the worker cannot even accept a client to refuse it, so it uses the reserve for that. */
function turnAwayNext(worker: Worker): void {
  if (spare < 0) return;
  // Close it with node:fs, which opened it: in a thread, Node keeps account of such descriptors.
  closeSync(spare);
  spare = -1;
  try {
    // accept(2) takes a descriptor before it looks for a client, so its failure does not mean that a client waits.
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

/** Refuses a client because the selector has no room for its descriptor; also in a dry run. */
export function refuseDescriptor(worker: Worker, { socket, peer }: Accepted): void {
  worker.admission.leave(socket);
  close(socket);
  worker.clients.exceeded('descriptor');
  worker.journal.record({ type: 'refused', peer, reason: 'descriptor' });
}

/** Closes a client that was accepted but never read: its worker has no time left to serve it. */
export function giveUp({ socket, peer }: Accepted, { clients }: Worker): void {
  clients.neverHeard(socket, peer);
  close(socket);
}
