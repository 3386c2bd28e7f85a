/**
 * Makes a worker's conversations: the user's service, with `--think` and the limits that a conversation checks
 * itself.
 */

import type { Limits } from '../../limits/limits.ts';
import { pause } from '../../os/pause.ts';
import { type Bounds, Conversation, type Think } from '../../protocol/conversation.ts';
import type { Preamble } from '../../protocol/preamble.ts';
import type { Protocol, Service } from '../../protocol/service.ts';
import type { PeerOf, Speaker } from '../../protocol/speaker.ts';
import { TimeSlice } from '../../protocol/time-slice.ts';
import type { AnswerTimes } from '../../worker/answer-times.ts';
import type { Reason } from '../../worker/reasons.ts';

interface FactoryConfig {
  readonly think: { readonly ms: number; readonly how: 'block' | 'defer' };
  readonly limits: Limits;
  /** Count what the limits would do, and do nothing. */
  readonly dryRun: boolean;
}

export interface ConversationFactory {
  /** Counts a limit that was reached; true if the connection must end for it, false with `dryRun`. */
  exceeded(limit: Reason): boolean;
  /**
   * Makes a new conversation.
   *
   * @param peer finds the peer, for a service that wants it
   * @param slot of a new connection
   */
  conversation(peer?: PeerOf, slot?: number): Conversation;
}

/**
 * @param count notes on the scoreboard that a limit was reached
 * @param counter where the work is counted
 * @param preambleOf returns what must come before the conversation of a new connection
 * @param times times some of the answers; left out: none
 */
export function conversationFactory(
  { think: { ms, how }, limits, dryRun }: FactoryConfig,
  { questionSize: needed = 0 }: Service | Protocol,
  speakers: (peer?: PeerOf) => Speaker,
  count: (limit: Reason) => void,
  counter: Float64Array,
  preambleOf: (slot: number) => Preamble | undefined,
  times?: AnswerTimes,
): ConversationFactory {
  const think: Think =
    how === 'block' && ms > 0 ? { pause: () => pause(ms), defer: 0 } : { defer: ms };
  const exceeded = (limit: Reason): boolean => {
    count(limit);
    // Without a header the connection cannot be served.
    return !dryRun || limit === 'proxy-header';
  };
  const bounds: Bounds = {
    unsent: limits.unsent > 0 ? limits.unsent : Number.POSITIVE_INFINITY,
    questionSize: limits.questionSize === 0 ? 0 : Math.max(limits.questionSize, needed),
    questions: limits.questions,
    slice: new TimeSlice(() => performance.now()),
    counter,
    times,
    exceeded,
  };
  return {
    exceeded,
    conversation(peer, slot) {
      const preamble = slot === undefined ? undefined : preambleOf(slot);
      if (preamble === undefined) return new Conversation(speakers(peer), think, bounds);
      const announced: PeerOf | undefined = peer && (() => preamble.client ?? peer());
      return new Conversation(speakers(announced), think, bounds, preamble);
    },
  };
}
