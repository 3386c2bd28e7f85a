/**
 * Options of a server under siege, and the attacks it cannot survive. Both follow from the traits
 * of its architecture, never from a result.
 */

import { defaultLimits, type Limits, noLimits } from '../../limits/limits.ts';
import type { Traits } from '../../worker/contract.ts';
import { type Attack, costsAThread } from './attacks.ts';

/** `off`: no limits; `on`: all the limits below. */
export type Mode = 'off' | 'on';

/**
 * The default limits, with times of one second so that a cell is short, and the limits that are off
 * by default. The limit per address depends on what a connection costs.
 */
export function limitsOf(mode: Mode, traits: Traits): Limits {
  if (mode === 'off') return noLimits;
  return {
    ...defaultLimits,
    idle: 1000,
    questionTime: 1000,
    answerTime: 1000,
    questions: 10_000,
    connectionsPerAddress: shareOf(traits),
    acceptsPerSecond: costsAThread(traits) ? 2 : 20,
  };
}

/** Connections per address: half of a pool, or a few if the capacity is unbounded. */
function shareOf(traits: Traits): number {
  const { capacity, threads, processes } = traits;
  if (capacity === 'one') return 1;
  if (capacity !== 'unbounded') return Math.max(1, (threads.default * processes.default) / 2);
  return costsAThread(traits) ? 8 : 32;
}

/**
 * Number of hostile clients, and how many connect per second. Fewer if each costs a thread or a
 * process.
 */
export const forceOf = (traits: Traits): { readonly crowd: number; readonly rate: number } =>
  costsAThread(traits) ? { crowd: 40, rate: 50 } : { crowd: 400, rate: 400 };

/** Why this architecture cannot survive this attack even with limits, if that is so. */
export function byDesign(attack: Attack, traits: Traits): string | undefined {
  const { capacity } = traits;
  if (attack.takes === 'time' && capacity === 'one') {
    return 'one conversation at a time: all other clients wait until a time limit ends it, and then the server serves the next hostile client';
  }
  const alone = noAnswerByDesign(attack, traits);
  if (alone !== undefined) return alone;
  if (attack.isInside && costsAThread(traits) && traits.assistants === 'threads') {
    return 'the worker starts a thread for each client, and a killed worker loses the client that waits for its thread: nearly one at each kill';
  }
  return undefined;
}

/**
 * Why no other client can be answered during this attack, not even one that connected before it.
 */
export function noAnswerByDesign(attack: Attack, traits: Traits): string | undefined {
  const { capacity } = traits;
  const answersAlone = capacity === 'one' || (capacity === 'unbounded' && !costsAThread(traits));
  return attack.takes === 'answers' && answersAlone
    ? 'one thread makes all answers: while it computes one, no other client is answered'
    : undefined;
}
