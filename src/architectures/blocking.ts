/**
 * The four routines of the blocking family, one inside the other: accept for ever, hold a conversation,
 * answer a request, receive until a question is complete. The thread sleeps in accept(2), in recv(2)
 * and, if the client does not read, in send(2). While it sleeps it serves no other client. One copy of
 * the routines is a complete server; more threads or processes run more copies of it.
 */
import { acceptClient, type BlockingClient } from '../drivers/blocking/client.ts';
import { endOfStream } from '../drivers/ended.ts';
import type { Next } from '../protocol/conversation.ts';
import type { Worker } from '../worker/contract.ts';

export function acceptConnectionsForever(worker: Worker): void {
  while (!worker.isLeaving) {
    const client = acceptClient(worker); // sleeps here, in accept(2)
    if (client !== undefined) handleConversation(client);
  }
}

export function handleConversation(client: BlockingClient): void {
  try {
    sendAnswers(client, client.conversation.open(client.answers));
    for (;;) handleRequest(client);
  } catch (reason) {
    client.end(reason); // the client has closed, or its time is up
  }
}

function handleRequest(client: BlockingClient): void {
  const next = recvUntil(client);
  sendAnswers(client, next);
}

/** Receives until there is an answer to send, or the conversation wants something other than bytes. */
function recvUntil(client: BlockingClient): Next {
  const { answers, conversation, received } = client;
  let next: Next;
  while (answers.length === 0 && next === undefined) {
    const count = client.recv(); // sleeps here, in recv(2)
    next = conversation.receive(received, 0, count, answers);
  }
  return next;
}

/** Sends the answers and does what the conversation wants next, until it wants to receive again. */
function sendAnswers(client: BlockingClient, first: Next): void {
  for (let next = first; ; next = client.conversation.resume(client.answers)) {
    client.sendAll(); // may sleep here, in send(2)
    if (next === undefined) return;
    if (next === 'close') throw endOfStream;
    if (typeof next === 'number') client.pause(next); // an answer that takes time holds this thread
  }
}
