/** How a worker's conversations behave besides what the service says: thinking time and limits, made ready once. */

import type { Limits } from '../../limits/limits.ts';
import { pause } from '../../os/pause.ts';
import { type Bounds, Conversation, type Think } from '../../protocol/conversation.ts';
import type { Protocol, Service } from '../../protocol/service.ts';
import type { Speaker } from '../../protocol/speaker.ts';
import { TimeSlice } from '../../protocol/time-slice.ts';
import type { Reason } from '../../worker/scoreboard.ts';

export interface MannersConfig {
  readonly think: { readonly ms: number; readonly how: 'block' | 'defer' };
  readonly limits: Limits;
  /** Count what limits would do, and do nothing. */
  readonly dryRun: boolean;
}

/** The part of a worker's surroundings that comes from these. */
export interface Manners {
  readonly limits: Limits;
  exceeded(limit: Reason): boolean;
  conversation(): Conversation;
}

/** @param count notes on the scoreboard that a limit was reached */
export function mannersOf(
  { think: { ms, how }, limits, dryRun }: MannersConfig,
  { questionSize: needed = 0 }: Service | Protocol,
  speakers: () => Speaker,
  count: (limit: Reason) => void,
): Manners {
  const think: Think =
    how === 'block' && ms > 0 ? { pause: () => pause(ms), defer: 0 } : { defer: ms };
  const exceeded = (limit: Reason): boolean => {
    count(limit);
    return !dryRun;
  };
  const bounds: Bounds = {
    unsent: limits.unsent > 0 ? limits.unsent : Number.POSITIVE_INFINITY,
    questionSize: limits.questionSize === 0 ? 0 : Math.max(limits.questionSize, needed),
    questions: limits.questions,
    slice: new TimeSlice(() => performance.now()),
    exceeded,
  };
  return {
    limits,
    exceeded,
    conversation: () => new Conversation(speakers(), think, bounds),
  };
}
