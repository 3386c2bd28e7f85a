/**
 * Why a conversation has ended. Drivers throw it out of `recv`, `send`, `read` and `write`, as the book throws
 * EOFError.
 */
import type { Ending } from '../protocol/account.ts';

export class Ended extends Error {
  override readonly cause: Ending['cause'];

  constructor(cause: Ending['cause']) {
    super(String(cause));
    this.cause = cause;
  }
}

/**
 * The client has closed, or the conversation is finished. One shared object: a stack trace for each would cost
 * more.
 */
export const endOfStream = new Ended('end of stream');

/** The cause inside an error that a conversation threw. */
export const causeOf = (reason: unknown): Ending['cause'] =>
  reason instanceof Ended ? reason.cause : (reason as Error);
