/**
 * The account a server gives of its conversations, as events. Text is made of them at the edge (the
 * log, the page, a trace), so that every architecture tells the same story in the same words.
 */
import type { Conversation } from './conversation.ts';
import { shortened } from './shown.ts';

/** Peers are `HOST:PORT` (`[HOST]:PORT` for IPv6) or `unix`. */
export type ConversationEvent =
  | { readonly type: 'accepted'; readonly peer: string }
  /** The peer closed between questions: the protocol's ordinary end. */
  | { readonly type: 'closed'; readonly peer: string }
  /** The peer closed inside a question. */
  | { readonly type: 'hungUp'; readonly peer: string; readonly received: string }
  /** The peer was gone before an answer it asked for was sent. */
  | { readonly type: 'unsent'; readonly peer: string; readonly unsent: string }
  /** A system call on the peer's socket failed. */
  | { readonly type: 'failed'; readonly peer: string; readonly error: string }
  /** The service threw; the conversation ends, the server goes on. */
  | { readonly type: 'threw'; readonly peer: string; readonly error: string }
  /** The peer reached a limit that ends conversations, such as `idle` or `question-size`. */
  | { readonly type: 'limited'; readonly peer: string; readonly limit: string }
  /** The peer was turned away as soon as it was accepted. */
  | { readonly type: 'refused'; readonly peer: string; readonly reason: string }
  /** The server ended it, as its worker leaves: at rest, or inside something. */
  | {
      readonly type: 'cut';
      readonly peer: string;
      readonly why: 'stop' | 'restart';
      readonly inside?: 'question' | 'answer';
    };

/** How a conversation came to its end, as seen by whoever drives the socket. */
export interface Ending {
  /** The peer's end of stream, the worker's own leaving, or a failed call's errno name and text. */
  readonly cause: 'end of stream' | 'stop' | 'restart' | Error;
  /** Answers that were made but not handed to the kernel. */
  readonly unsent?: Uint8Array | undefined;
}

/** The cause of an ending that is a limit's. */
export class LimitReached extends Error {
  readonly limit: string;
  constructor(limit: string) {
    super(`limit ${limit}`);
    this.limit = limit;
  }
}

/** Bytes quoted in a log line or an event are cut to this many. */
const QUOTED = 80;

const quoted = (bytes: Uint8Array | string): string =>
  Buffer.from(bytes).subarray(0, QUOTED).toString('latin1');

/** What a service throws is as long as it likes. This keeps the line of an event within what one write(2) takes whole. */
const TEXT = 1000;

/** Whatever was thrown: even an object that cannot be made text, which would throw here again. */
function textOf(thrown: unknown): string {
  try {
    return shortened(String(thrown), TEXT);
  } catch {
    return 'what was thrown cannot be made text';
  }
}

/** The one place that decides how the end of a conversation is told. */
export function accountOf(
  peer: string,
  conversation: Conversation | undefined,
  { cause, unsent }: Ending,
): ConversationEvent {
  const failure = conversation?.failure;
  if (failure !== undefined) return { type: 'threw', peer, error: textOf(failure) };
  if (cause instanceof LimitReached) return { type: 'limited', peer, limit: cause.limit };
  if (conversation?.limited !== undefined) {
    return { type: 'limited', peer, limit: conversation.limited };
  }
  const left = unsent !== undefined && unsent.length > 0 ? unsent : conversation?.owed;
  const unfinished = conversation?.unfinished ?? '';
  if (cause === 'stop' || cause === 'restart') {
    const inside = left !== undefined ? 'answer' : unfinished.length > 0 ? 'question' : undefined;
    return { type: 'cut', peer, why: cause, ...(inside ? { inside } : {}) };
  }
  if (left !== undefined) return { type: 'unsent', peer, unsent: quoted(left) };
  if (cause instanceof Error)
    return { type: 'failed', peer, error: shortened(cause.message, TEXT) };
  if (unfinished.length > 0) return { type: 'hungUp', peer, received: quoted(unfinished) };
  return { type: 'closed', peer };
}
