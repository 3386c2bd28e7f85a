/** Why a conversation is over. Drivers throw it out of `recv`, `send`, `read` and `write`, as the book throws EOFError. */
import type { Ending } from '../protocol/account.ts';

export class Ended extends Error {
  override readonly cause: Ending['cause'];

  constructor(cause: Ending['cause']) {
    super(String(cause));
    this.cause = cause;
  }
}

/** The client has closed, or the conversation has said its last word. One for all: a stack trace each costs more. */
export const endOfStream = new Ended('end of stream');

/** The cause inside what was thrown out of a conversation. */
export const causeOf = (reason: unknown): Ending['cause'] =>
  reason instanceof Ended ? reason.cause : (reason as Error);
