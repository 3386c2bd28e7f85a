/**
 * A server's account of its conversations, as events. Only the log, the page and the trace turn them into text, so
 * every architecture gives the same account in the same words.
 */
import type { Conversation } from './conversation.ts';
import { shortened } from './shown.ts';

/**
 * Peers are `HOST:PORT` (`[HOST]:PORT` for IPv6) or `unix`.
 *
 * @example
 * ```ts
 * import type { ConversationEvent } from 'mondo';
 *
 * const ordinary: readonly ConversationEvent['type'][] = ['accepted', 'closed'];
 * export const isFault = ({ type }: ConversationEvent): boolean => !ordinary.includes(type);
 * ```
 */
export type ConversationEvent =
  | {
      readonly type: 'accepted';
      readonly peer: string;
      /** `queued`: its place in the queue. 1 is next. */
      readonly queued?: number;
      /** The proxy that has announced this peer. */
      readonly via?: string;
    }
  /** The peer closed between questions: the protocol's ordinary end. */
  | { readonly type: 'closed'; readonly peer: string }
  /** The peer closed inside a question. */
  | { readonly type: 'hungUp'; readonly peer: string; readonly received: string }
  /** The peer was gone before the answer to its question was sent. */
  | { readonly type: 'unsent'; readonly peer: string; readonly unsent: string }
  /** A system call on the peer's socket failed. */
  | { readonly type: 'failed'; readonly peer: string; readonly error: string }
  /** The service threw. The conversation ends, and the server continues. */
  | { readonly type: 'threw'; readonly peer: string; readonly error: string }
  /** The peer reached a limit that ends conversations, such as `idle` or `question-size`. */
  | { readonly type: 'limited'; readonly peer: string; readonly limit: string }
  /** The server refused the peer as soon as it was accepted, or when its proxy had announced it. */
  | { readonly type: 'refused'; readonly peer: string; readonly reason: string }
  /** The server closed it because its worker left: between questions, or during something. */
  | {
      readonly type: 'cut';
      readonly peer: string;
      readonly why: 'stop' | 'restart';
      readonly inside?: 'question' | 'answer';
    };

/** The account of a connection's end. */
export type ConversationEnd = Exclude<ConversationEvent, { type: 'accepted' }>;

/** How a conversation ended, as the driver of its socket saw it. */
export interface Ending {
  /** The peer's end of stream, the worker's leaving, or the errno name and text of a failed call. */
  readonly cause: 'end of stream' | 'stop' | 'restart' | Error;
  /** Answers that were made and not handed to the kernel. */
  readonly unsent?: Uint8Array | undefined;
}

/** The cause of an ending at a limit. */
export class LimitReached extends Error {
  readonly limit: string;
  constructor(limit: string) {
    super(`limit ${limit}`);
    this.limit = limit;
  }
}

/** Longest quotation in a log line or an event, in bytes. */
const QUOTED = 80;

const quoted = (bytes: Uint8Array | string): string =>
  Buffer.from(bytes).subarray(0, QUOTED).toString('latin1');

/**
 * Longest error text in an event, in characters. A service may throw any length; one write(2) must take the whole
 * line.
 */
const TEXT = 1000;

/** Text of what was thrown. Some objects cannot be made text, and would throw here again. */
function textOf(thrown: unknown): string {
  try {
    return shortened(String(thrown), TEXT);
  } catch {
    return 'what was thrown cannot be made text';
  }
}

/** The one place that decides how the end of a conversation is reported. */
export function accountOf(
  peer: string,
  conversation: Conversation | undefined,
  { cause, unsent }: Ending,
): ConversationEnd {
  const dismissal = conversation?.preamble?.dismissal;
  if (dismissal !== undefined) return { type: 'refused', peer, reason: dismissal.reason };
  const failure = conversation?.failure;
  if (failure !== undefined) return { type: 'threw', peer, error: textOf(failure) };
  if (cause instanceof LimitReached) return { type: 'limited', peer, limit: cause.limit };
  if (conversation?.limited !== undefined) {
    return { type: 'limited', peer, limit: conversation.limited };
  }
  const left = unsent !== undefined && unsent.length > 0 ? unsent : conversation?.owed;
  const isUnfinished = conversation !== undefined && conversation.heldLength > 0;
  if (cause === 'stop' || cause === 'restart') {
    const inside = left !== undefined ? 'answer' : isUnfinished ? 'question' : undefined;
    return { type: 'cut', peer, why: cause, ...(inside ? { inside } : {}) };
  }
  if (left !== undefined) return { type: 'unsent', peer, unsent: quoted(left) };
  if (cause instanceof Error)
    return { type: 'failed', peer, error: shortened(cause.message, TEXT) };
  if (isUnfinished) return { type: 'hungUp', peer, received: quoted(conversation.unfinished) };
  return { type: 'closed', peer };
}
