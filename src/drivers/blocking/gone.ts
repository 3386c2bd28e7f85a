/** Detects clients that left before a thread or process was started for them. */

import { connectionState } from '../../os/poll.ts';
import { close, isAtEnd, socketError } from '../../os/socket.ts';
import type { Worker } from '../../worker/contract.ts';
import type { Accepted } from '../accept.ts';
import { AddressedOutbox } from '../outbox.ts';
import { peerAt } from '../peer.ts';

/**
 * True if the client has reset the connection. Also true if it has closed without a question, and the service sends
 * no greeting. Then it is closed and accounted for. A client that has asked and only closed its own direction still
 * waits for its answer.
 */
export function isOverAlready(worker: Worker, { socket, peer }: Accepted): boolean {
  const state = connectionState(socket);
  if (state === 'open') return false;
  let cause: 'end of stream' | Error = 'end of stream';
  if (state === 'failed') cause = socketError(socket);
  else if (!isAtEnd(socket) || (!worker.clients.isProxied && speaksFirst(worker, socket)))
    return false;
  worker.clients.neverServed(socket, peer, cause);
  close(socket);
  return true;
}

function speaksFirst(worker: Worker, socket: number): boolean {
  const conversation = worker.conversation(() => peerAt(socket));
  // A service does not.
  if (conversation.delimiter !== undefined) return false;
  const out = new AddressedOutbox();
  const next = conversation.open(out);
  conversation.closed();
  return next !== undefined || out.length > 0;
}
