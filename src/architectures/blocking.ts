/**
 * The blocking family's four routines, one inside the other: accept for ever, hold a conversation,
 * answer a request, receive until a question is whole. Each may put its thread to sleep in the kernel,
 * and while it sleeps nobody else is served by that thread. One copy of them is a whole server;
 * threads and processes are more copies of the same.
 */

import { acceptOne } from '../drivers/accept.ts';
import { Patience } from '../drivers/blocking/patience.ts';
import { AddressedOutbox } from '../drivers/outbox.ts';
import { ANSWER, IDLE, QUESTION, THINKING } from '../lifecycle/phase.ts';
import { addressOf } from '../os/libc.ts';
import { pause } from '../os/pause.ts';
import { close, recv, recvReady, send, sendReady } from '../os/socket.ts';
import { accountOf } from '../protocol/account.ts';
import type { Conversation, Turn } from '../protocol/conversation.ts';
import type { WorkerContext } from '../worker/contract.ts';

/** Why a conversation is over, thrown through the routines as the chapter throws EOFError. */
class Over extends Error {
  readonly reason: 'end of stream' | 'stop' | 'restart';
  constructor(reason: 'end of stream' | 'stop' | 'restart') {
    super(reason);
    this.reason = reason;
  }
}

const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);

export function acceptConnectionsForever(worker: WorkerContext): void {
  while (!worker.stopping) {
    const accepted = acceptOne(worker);
    if (accepted === undefined) continue;
    worker.row.accepted();
    handleConversation(accepted.socket, accepted.peer, worker);
    worker.row.ended();
  }
}

export function handleConversation(socket: number, peer: string, worker: WorkerContext): void {
  const conversation = worker.conversation();
  const out = new AddressedOutbox();
  const patience = new Patience(socket, worker);
  try {
    goOn(socket, conversation, conversation.open(out), out, patience);
    for (;;) handleRequest(socket, conversation, out, patience);
  } catch (error) {
    const cause = error instanceof Over ? error.reason : (error as Error);
    if (cause === worker.departure.cause) {
      worker.departure.note(phaseOf(conversation, out), patience.isAnswered);
    }
    if (worker.journal.on) {
      worker.journal.record(accountOf(peer, conversation, { cause, unsent: out.copy() }));
    }
  } finally {
    worker.admission.leave(socket);
    close(socket);
  }
}

function phaseOf(conversation: Conversation, out: AddressedOutbox): number {
  if (out.length > 0) return ANSWER;
  if (conversation.isThinking) return THINKING;
  return conversation.heldLength > 0 ? QUESTION : IDLE;
}

function handleRequest(
  socket: number,
  conversation: Conversation,
  out: AddressedOutbox,
  patience: Patience,
): void {
  const turn = recvUntil(socket, conversation, out, patience);
  goOn(socket, conversation, turn, out, patience);
}

/** Receives until there is an answer to send, or something else to do than to receive. */
function recvUntil(
  socket: number,
  conversation: Conversation,
  out: AddressedOutbox,
  patience: Patience,
): Turn {
  const { worker } = patience;
  let turn: Turn;
  while (out.length === 0 && turn === undefined) {
    worker.row.state = 'receiving';
    // Whoever is to be ended is answered first what it has asked by now.
    const isLast = worker.stopping && worker.departure.ends(phaseOf(conversation, out));
    if (isLast && worker.departure.isOver) throw new Over(worker.departure.cause);
    const held = conversation.heldLength;
    patience.beforeRecv(held > 0);
    const receive = isLast ? recvReady : recv;
    const count = receive(socket, receivedAddress, received.length);
    worker.row.state = 'answering';
    if (count === 0) throw new Over('end of stream');
    if (count > 0) turn = conversation.receive(received, 0, count, out);
    else if (isLast) throw new Over(worker.departure.cause);
    const left = conversation.heldLength;
    patience.afterRecv(count, left > 0, count > 0 && left < held + count);
  }
  return turn;
}

/** Sends the answers, and whatever the conversation wants besides until it wants to receive again. */
function goOn(
  socket: number,
  conversation: Conversation,
  turn: Turn,
  out: AddressedOutbox,
  patience: Patience,
): void {
  const { worker } = patience;
  for (;;) {
    sendAll(socket, out, patience);
    if (turn === undefined) return;
    if (turn === 'close') throw new Over('end of stream');
    if (typeof turn === 'number' && turn > 0) pause(turn);
    if (worker.departure.ends(THINKING)) throw new Over(worker.departure.cause);
    if (patience.endsAfterAnswer()) conversation.endAfterAnswer('age');
    worker.row.state = 'answering';
    turn = conversation.resume(out);
  }
}

function sendAll(socket: number, out: AddressedOutbox, patience: Patience): void {
  if (out.length === 0) return;
  const { worker } = patience;
  patience.beforeSending();
  let sent = 0;
  try {
    if (patience.counts(out.length)) {
      // What the kernel takes at once is not unsent.
      sent = Math.max(0, sendReady(socket, out.address, out.length));
      patience.noteUnsent(out.length - sent);
    }
    while (sent < out.length) {
      worker.row.state = 'sending';
      const count = send(socket, out.address + sent, out.length - sent);
      if (count > 0) sent += count;
      else if (worker.departure.ends(ANSWER)) throw new Over(worker.departure.cause);
      if (sent < out.length) patience.afterShortSend();
    }
  } finally {
    patience.noteUnsent(0);
    if (sent === out.length) {
      out.clear();
      patience.isAnswered = worker.stopping;
    } else out.drop(sent);
  }
}
