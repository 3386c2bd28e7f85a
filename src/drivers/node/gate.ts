/** Which clients come in on Node's own loop: those there is room for, from the listener's opening to the worker's end. */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import { BUSY, type Refusal } from '../../limits/admission.ts';
import { parseAddress } from '../../limits/networks.ts';
import { descriptorLimit } from '../../os/descriptors.ts';
import type { NodeHost } from '../../worker/contract.ts';
import { RETRY_ACCEPT_MS, ROOM_INTERVAL_MS } from '../timing.ts';
import { NodeClients } from './clients.ts';
import { NodeListener } from './listener.ts';

/** Interval between two warnings that no descriptor is left, in ms. */
const WARNING_INTERVAL_MS = 5000;

/** Makes the page's object of a client that has come in. */
type Connected = (socket: Socket, peer: string, ticket: number, clients: NodeClients) => void;

/** Serves until the worker has left; `connected` is called for each client. */
export async function serveOnNode(worker: NodeHost, connected: Connected): Promise<void> {
  const { admission, hasOwnListener, journal, row } = worker;
  const clients = new NodeClients(worker);
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
    if (journal.on) journal.record({ type: 'accepted', peer });
    connected(socket, peer, result, clients);
    // After the account of the connection, which makes room.
    socket.once('close', () => {
      if (looking !== undefined) look();
    });
  }

  /** Holds a connection that Node has already accepted while the server is full. */
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
    if (!listener.isOpen && !worker.isLeaving && !isResting && mayAccept()) reopen();
    if (waiting.length > 0 || !listener.isOpen) {
      looking ??= setInterval(look, ROOM_INTERVAL_MS);
      return;
    }
    clearInterval(looking);
    looking = undefined;
  }

  function reopen(): void {
    listener.open().catch((error: Error) => {
      admission.cancel();
      restsUntil = performance.now() + RETRY_ACCEPT_MS;
      warn(`Cannot listen for now: ${error.message}; trying again every ${RETRY_ACCEPT_MS} ms`);
      // Not at once: without descriptors it fails at once, and no timer and no close would have its turn any more.
      if (!worker.isLeaving) looking ??= setInterval(look, ROOM_INTERVAL_MS);
    });
  }

  // The kernel gives the lowest number that is free: with the last one all are in use. From then on libuv
  // accepts whoever comes and closes at once, with a descriptor that it keeps for that, and tells nobody.
  const last = (descriptorLimit() ?? Number.POSITIVE_INFINITY) - 1;
  let warnedAt = Number.NEGATIVE_INFINITY;
  function warn(text: string): void {
    if (performance.now() - warnedAt < WARNING_INTERVAL_MS) return;
    warnedAt = performance.now();
    journal.record({ type: 'warning', text });
  }

  if (!worker.canPause || mayAccept()) await listener.open();
  else look();
  worker.ready();
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
    if (worker.clients.cause === 'stop') socket.destroy();
    else if (!socket.destroyed) enter(socket);
  }
  looking = undefined;
  await clients.leave();
  clearInterval(beat);
  // The connections' own listeners for 'close' come first, so their accounts are given before this resolves.
  const closed = [...sockets].map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

function turnAway(worker: NodeHost, socket: Socket, peer: string, reason: Refusal): void {
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
