/** What `callback` and `coroutine` share: a listener on Node's own loop, and its end. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { getDefaultHighWaterMark } from 'node:stream';
import { BUSY, type Refusal } from '../limits/admission.ts';
import type { Limits } from '../limits/limits.ts';
import { parseAddress } from '../limits/networks.ts';
import { descriptorLimit } from '../os/descriptors.ts';
import type { WorkerContext } from './architecture.ts';
import { Watch } from './watch.ts';

/** How often it is looked whether other workers have made room, in ms. */
const GLANCE = 50;
/** How often it is told that there are no more descriptors, in ms. */
const QUIET = 5000;
/** How often the scoreboard is told that the loop turns, in ms. */
const BEAT = 500;

/** Serves until the worker has left; `connected` is called for each client, and has it watched. */
export async function serveOnNode(
  worker: WorkerContext,
  connected: (socket: Socket, peer: string, watch: Watch) => void,
): Promise<void> {
  const { admission, departure, journal, limits, row } = worker;
  const watch = new Watch(worker);
  const sockets = new Set<Socket>();
  const waiting: Socket[] = [];
  let looking: NodeJS.Timeout | undefined;
  let isUnix = false;

  function enter(socket: Socket): void {
    const result = admission.enter(admission.needsAddress ? addressOf(socket) : undefined);
    const peer = journal.on ? peerText(socket, isUnix) : '';
    if (typeof result === 'string') {
      turnAway(worker, socket, peer, result);
      return;
    }
    row.accepted();
    if (journal.on) journal.record({ type: 'accepted', peer });
    socket.once('close', () => {
      row.ended();
      admission.exit(result);
      if (waiting.length > 0) letIn();
    });
    connected(socket, peer, watch);
  }

  /** Those who have waited longest come in as far as there is room. */
  function letIn(): void {
    while (waiting.length > 0 && admission.reserve()) {
      const socket = waiting.shift()!;
      if (socket.destroyed) admission.cancel();
      else enter(socket);
    }
    if (waiting.length > 0) {
      // Room may be made by other processes, which cannot tell.
      looking ??= setInterval(letIn, GLANCE);
      return;
    }
    clearInterval(looking);
    looking = undefined;
  }

  // The kernel gives the lowest number that is free: with the last one all are in use. From then on libuv
  // accepts whoever comes and closes at once, with a descriptor that it keeps for that, and tells nobody.
  const last = (descriptorLimit() ?? Number.POSITIVE_INFINITY) - 1;
  let warnedAt = Number.NEGATIVE_INFINITY;
  function warn(): void {
    if (performance.now() - warnedAt < QUIET) return;
    warnedAt = performance.now();
    const text = `All ${last + 1} descriptors are in use (EMFILE): Node turns away whoever comes next`;
    journal.record({ type: 'warning', text });
  }

  // allowHalfOpen: a client that has asked its last question and said so still gets its answer.
  const wants = { allowHalfOpen: true, noDelay: true, highWaterMark: mostUnsent(limits) };
  const server = createServer(wants, (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    if (numberOf(socket) >= last) warn();
    if (waiting.length === 0 && admission.reserve()) {
      enter(socket);
      return;
    }
    // Node accepts whoever comes, and cannot be told to leave them in the kernel's queue.
    socket.on('error', () => {});
    if (waiting.length < worker.mostWaiting) {
      waiting.push(socket);
      letIn();
    } else {
      admission.refuse('connections');
      const peer = journal.on ? peerText(socket, isUnix) : '';
      turnAway(worker, socket, peer, 'connections');
    }
  });
  server.once('listening', () => {
    // Of a unix socket that was handed down, Node knows no path and says null.
    const address = server.address();
    isUnix = address === null || typeof address === 'string';
  });
  await worker.listen(server);
  server.on('error', (error) => {
    // The listener was shut down, for everybody.
    if (!worker.stopping) throw error;
  });
  row.state = 'waiting';
  // Of its turns Node tells nobody; that this one comes says that there are some.
  const beat = setInterval(() => (row.state = 'waiting'), BEAT);
  await worker.stopped;
  server.close();
  // Those who wait have not been heard: where nobody comes after this worker there is no use in it.
  if (departure.cause === 'stop') for (const socket of waiting.splice(0)) socket.destroy();
  await watch.leave(() => waiting.length > 0);
  clearInterval(looking);
  clearInterval(beat);
  waiting.length = 0;
  // The pages' own listeners for 'close' came first, so their accounts are given by then.
  const closed = [...sockets].map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

/** Past so many bytes that the kernel has not taken, Node wants no more; by itself past as many as by default. */
const mostUnsent = ({ unsent }: Limits): number =>
  Math.min(unsent || getDefaultHighWaterMark(false), getDefaultHighWaterMark(false));

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
