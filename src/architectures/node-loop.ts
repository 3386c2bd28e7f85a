/** What `callback` and `coroutine` share: a listener on Node's own loop, and its end. */
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import type { WorkerContext } from './architecture.ts';

/** Serves until the worker is stopped; `connected` is called for each client. */
export async function serveOnNode(
  worker: WorkerContext,
  connected: (socket: Socket, peer: string) => void,
): Promise<void> {
  const sockets = new Set<Socket>();
  // allowHalfOpen: a client that has asked its last question and said so still gets its answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
    worker.row.accepted();
    const peer = worker.journal.on ? peerText(socket, isUnix) : '';
    if (worker.journal.on) worker.journal.record({ type: 'accepted', peer });
    sockets.add(socket);
    socket.once('close', () => {
      sockets.delete(socket);
      worker.row.ended();
    });
    connected(socket, peer);
  });
  let isUnix = false;
  server.once('listening', () => {
    // Of a unix socket that was handed down, Node knows no path and says null.
    const address = server.address();
    isUnix = address === null || typeof address === 'string';
  });
  await worker.listen(server);
  worker.row.state = 'waiting';
  await worker.stopped;
  server.close();
  // The pages' own listeners for 'close' came first, so their accounts are given by then.
  const closed = [...sockets].map((socket) => once(socket, 'close'));
  for (const socket of sockets) socket.destroy();
  await Promise.all(closed);
}

function peerText({ remoteAddress, remotePort, remoteFamily }: Socket, isUnix: boolean): string {
  // Without an address it is a TCP peer that was gone before it was accepted.
  if (remoteAddress === undefined) return isUnix ? 'unix' : 'unknown';
  const isPlain = remoteFamily === 'IPv4' || remoteAddress.startsWith('::ffff:');
  return isPlain
    ? `${remoteAddress.replace('::ffff:', '')}:${remotePort}`
    : `[${remoteAddress}]:${remotePort}`;
}
