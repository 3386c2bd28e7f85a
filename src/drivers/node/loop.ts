/** What `callback` and `coroutine` share: a listener on Node's own loop, and its end. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { BUSY, type Refusal } from '../../limits/admission.ts';
import { parseAddress } from '../../limits/networks.ts';
import { descriptorLimit } from '../../os/descriptors.ts';
import type { WorkerContext } from '../../worker/contract.ts';
import { NodeListener } from './listener.ts';
import { Watch } from './watch.ts';

/** How often it is looked whether other workers have made room, in ms: they cannot tell. */
const GLANCE = 5;
/** How long to leave the listener alone where a resource for it is lacking, in ms, as the other loops do. */
const BACK_OFF = 100;
/** How often it is told that there are no more descriptors, in ms. */
const QUIET = 5000;

/** Serves until the worker has left; `connected` is called for each client, and has it watched. */
export async function serveOnNode(
  worker: WorkerContext,
  connected: (socket: Socket, peer: string, watch: Watch) => void,
): Promise<void> {
  const { admission, departure, hasOwnListener, journal, row } = worker;
  const watch = new Watch(worker);
  const sockets = new Set<Socket>();
  /** Accepted, and neither heard nor counted until there is room. */
  const waiting: Socket[] = [];
  let looking: NodeJS.Timeout | undefined;
  /** Until when the listener is left alone, by `performance.now`. */
  let restsUntil = 0;
  const listener = new NodeListener(worker, arrive);

  /** Whether the listener is to be open: where others share it, with a place for whoever comes next. */
  function mayAccept(): boolean {
    // In the queue of its own nobody else looks, and a place that is kept for it is lost to all others.
    return hasOwnListener ? waiting.length === 0 && !admission.isFull() : admission.reserve();
  }

  function arrive(socket: Socket): void {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (numberOf(socket) >= last) {
      warn(`All ${last + 1} descriptors are in use (EMFILE): Node turns away whoever comes next`);
    }
    if (!hasOwnListener || (waiting.length === 0 && admission.reserve())) enter(socket);
    else keep(socket);
    if (worker.canPause && !mayAccept()) listener.close();
    if (waiting.length > 0 || !listener.isOpen) look();
  }

  function enter(socket: Socket): void {
    // It has reset. Nobody knows any more whose rate it counts for, so it is as if it had never come.
    if (admission.needsAddress && socket.remoteAddress === undefined && !listener.isUnix) {
      admission.cancel();
      socket.destroy();
      return;
    }
    const result = admission.enter(admission.needsAddress ? addressOf(socket) : undefined);
    const peer = journal.on ? peerText(socket, listener.isUnix) : '';
    if (typeof result === 'string') {
      turnAway(worker, socket, peer, result);
      return;
    }
    row.accepted();
    if (journal.on) journal.record({ type: 'accepted', peer });
    socket.once('close', () => {
      row.ended();
      admission.exit(result);
      if (looking !== undefined) look();
    });
    connected(socket, peer, watch);
  }

  /** Somebody for whom there is no place, and who is not to be left in the kernel's queue any more. */
  function keep(socket: Socket): void {
    socket.on('error', () => {});
    if (waiting.length < worker.mostWaiting) {
      waiting.push(socket);
      return;
    }
    admission.refuse('connections');
    const peer = journal.on ? peerText(socket, listener.isUnix) : '';
    turnAway(worker, socket, peer, 'connections');
  }

  /** Those who have waited longest come in as far as there is room, and then whoever comes. */
  function look(): void {
    while (waiting.length > 0 && admission.reserve()) {
      const socket = waiting.shift()!;
      if (socket.destroyed) admission.cancel();
      else enter(socket);
    }
    const isResting = performance.now() < restsUntil;
    if (!listener.isOpen && !worker.stopping && !isResting && mayAccept()) reopen();
    if (waiting.length > 0 || !listener.isOpen) {
      looking ??= setInterval(look, GLANCE);
      return;
    }
    clearInterval(looking);
    looking = undefined;
  }

  function reopen(): void {
    listener.open().catch((error: Error) => {
      admission.cancel();
      restsUntil = performance.now() + BACK_OFF;
      warn(`Cannot listen for now: ${error.message}; trying again every ${BACK_OFF} ms`);
      // Not at once: without descriptors it fails at once, and no timer and no close would have its turn any more.
      if (!worker.stopping) looking ??= setInterval(look, GLANCE);
    });
  }

  // The kernel gives the lowest number that is free: with the last one all are in use. From then on libuv
  // accepts whoever comes and closes at once, with a descriptor that it keeps for that, and tells nobody.
  const last = (descriptorLimit() ?? Number.POSITIVE_INFINITY) - 1;
  let warnedAt = Number.NEGATIVE_INFINITY;
  function warn(text: string): void {
    if (performance.now() - warnedAt < QUIET) return;
    warnedAt = performance.now();
    journal.record({ type: 'warning', text });
  }

  if (!worker.canPause || mayAccept()) await listener.open();
  else look();
  row.state = 'waiting';
  // Of its turns Node tells nobody; that this one comes says that there are some.
  const beat = setInterval(() => (row.state = 'waiting'), worker.beat);
  await worker.stopped;
  listener.close();
  admission.cancel();
  clearInterval(looking);
  for (const socket of waiting.splice(0)) {
    // They have not been heard, and after a stop nobody will. The next workers could: but to those a client
    // cannot be given back, so it is let in, though there be one too many for as long as it stays.
    if (departure.cause === 'stop') socket.destroy();
    else if (!socket.destroyed) enter(socket);
  }
  looking = undefined;
  await watch.leave();
  clearInterval(beat);
  // The pages' own listeners for 'close' came first, so their accounts are given by then.
  const closed = [...sockets].map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

function turnAway(worker: WorkerContext, socket: Socket, peer: string, reason: Refusal): void {
  const { admission, journal } = worker;
  if (journal.on) journal.record({ type: 'refused', peer, reason });
  socket.on('error', () => {});
  if (admission.policy === 'reset') socket.resetAndDestroy();
  else if (admission.says(reason)) {
    // With bytes left unread the close would be a reset, which may overtake the last word.
    socket.resume();
    socket.end(BUSY, () => socket.destroy());
  } else socket.destroy();
}

/** Its descriptor; -1 where the system has none. */
const numberOf = (socket: Socket): number =>
  (socket as unknown as { _handle?: { fd?: number } })._handle?.fd ?? -1;

const addressOf = ({ remoteAddress }: Socket): Uint8Array | undefined =>
  remoteAddress === undefined ? undefined : parseAddress(remoteAddress.replace(/%.*$/, ''));

function peerText({ remoteAddress, remotePort, remoteFamily }: Socket, isUnix: boolean): string {
  // Without an address it is a TCP peer that was gone before it was accepted.
  if (remoteAddress === undefined) return isUnix ? 'unix' : 'unknown';
  const isPlain = remoteFamily === 'IPv4' || remoteAddress.startsWith('::ffff:');
  return isPlain
    ? `${remoteAddress.replace('::ffff:', '')}:${remotePort}`
    : `[${remoteAddress}]:${remotePort}`;
}
