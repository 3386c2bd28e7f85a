/**
 * Admits clients on Node's own loop while there is room, from the opening of the listener to the end of the worker.
 */
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Refusal } from '../../limits/admission.ts';
import { parseAddress } from '../../limits/networks.ts';
import { descriptorLimit } from '../../os/descriptors.ts';
import type { NodeHost } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { RETRY_ACCEPT_MS, ROOM_INTERVAL_MS } from '../timing.ts';
import { NodeClients } from './clients.ts';
import { descriptorOf, peerText } from './kernel.ts';
import { NodeListener } from './listener.ts';

/** Interval between two warnings that no descriptor is left, in ms. */
const WARNING_INTERVAL_MS = 5000;

/** Makes the page's object for an admitted client. */
type Connected = (socket: Socket, peer: string, ticket: number, clients: NodeClients) => void;

/** Serves until the worker has left. Calls `connected` for each client. */
export async function serveOnNode(worker: NodeHost, connected: Connected): Promise<void> {
  const { admission, hasOwnListener, journal, row } = worker;
  const clients = new NodeClients(worker);
  const sockets = new Set<Socket>();
  /** Accepted clients that wait for room: not read, and not counted. */
  const waiting: Socket[] = [];
  let looking: NodeJS.Timeout | undefined;
  /** Time until which the listener stays closed, by `performance.now`. */
  let restsUntil = 0;
  const listener = new NodeListener(worker, arrive);

  /** True if the listener may be open. On a shared listener, this also reserves a place for the next client. */
  function mayAccept(): boolean {
    // Only this worker accepts from its own listener, and a reserved place would be missing at all others.
    return hasOwnListener ? waiting.length === 0 && !admission.isFull() : admission.reserve();
  }

  function arrive(socket: Socket): void {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (descriptorOf(socket) >= last) {
      warn(`All ${last + 1} descriptors are in use (EMFILE): Node refuses the next clients`);
    }
    if (!hasOwnListener || (waiting.length === 0 && admission.reserve())) enter(socket);
    else keep(socket);
    if (worker.canPause && !mayAccept()) listener.close();
    if (waiting.length > 0 || !listener.isOpen) look();
  }

  function enter(socket: Socket): void {
    // The peer has reset the connection. Its address, and so its rate, is unknown now: treat it as if it had never
    // come.
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
    if (journal.on) worker.clients.accepted(peer);
    connected(socket, peer, result, clients);
    // This runs after the account of the connection, which makes room.
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

  /** Admits the clients that have waited longest while there is room, and opens the listener again. */
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
      // Do not try again at once. Without descriptors it fails at once, and would starve every timer and close.
      if (!worker.isLeaving) looking ??= setInterval(look, ROOM_INTERVAL_MS);
    });
  }

  // The kernel returns the lowest free descriptor: once it returns the last one, all are in use. After that libuv
  // accepts every new client with a reserve descriptor and closes it at once, without an event.
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
  row.state = states.waiting;
  // Node has no event for a turn of its loop. This timer shows that the loop still turns.
  const beat = setInterval(() => (row.state = states.waiting), worker.beat);
  await worker.stopped;
  listener.close();
  admission.cancel();
  clearInterval(looking);
  for (const socket of waiting.splice(0)) {
    // These clients have not been read. After a stop no worker will read them. After a restart the next workers
    // could, but an accepted client cannot be given back to the listener. So this worker serves it, even if there
    // is one client too many.
    if (worker.clients.cause === 'stop') socket.destroy();
    else if (!socket.destroyed) enter(socket);
  }
  looking = undefined;
  await clients.leave();
  clearInterval(beat);
  // The connections' own listeners for 'close' run first, so their accounts are recorded before this resolves.
  const closed = [...sockets].map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

function turnAway(worker: NodeHost, socket: Socket, peer: string, reason: Refusal): void {
  const { admission, journal } = worker;
  if (journal.on) journal.record({ type: 'refused', peer, reason });
  socket.on('error', () => {});
  const { isReset, text } = admission.dismissalFor(reason);
  if (isReset) socket.resetAndDestroy();
  else if (text !== '') {
    // If bytes were left unread, the close would be a reset, and the client might lose the last message.
    socket.resume();
    socket.end(text, () => socket.destroy());
  } else socket.destroy();
}

const addressOf = ({ remoteAddress }: Socket): Uint8Array | undefined =>
  remoteAddress === undefined ? undefined : parseAddress(remoteAddress.replace(/%.*$/, ''));
