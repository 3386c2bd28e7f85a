/** What a server under siege is given, and what cannot be asked of it: by what its page declares, never by how it did. */

import { defaultLimits, type Limits, noLimits } from '../../limits/limits.ts';
import type { Traits } from '../../worker/contract.ts';
import { type Attack, costsAThread } from './attacks.ts';

/** Without any limits, or with all of those that are below. */
export type Mode = 'off' | 'on';

/**
 * The defaults, with times of one second so that a cell takes few, and the limits that are off by
 * default: what one address may have is measured by what it costs.
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

/** How many connections one address may have: half of a pool, and of what is unbounded a few. */
function shareOf(traits: Traits): number {
  const { capacity, threads, processes } = traits;
  if (capacity === 'one') return 1;
  if (capacity !== 'unbounded') return Math.max(1, (threads.default * processes.default) / 2);
  return costsAThread(traits) ? 8 : 32;
}

/** How many hostile clients there are, and how many come in a second: fewer where each costs a thread or a process. */
export const forceOf = (traits: Traits): { readonly crowd: number; readonly rate: number } =>
  costsAThread(traits) ? { crowd: 40, rate: 50 } : { crowd: 400, rate: 400 };

/** Why this attack cannot be survived here even with limits, if that is so. */
export function byDesign(attack: Attack, traits: Traits): string | undefined {
  const { capacity } = traits;
  if (attack.takes === 'time' && capacity === 'one') {
    return 'one conversation at a time: all others wait until a limit on time ends it, and then the next hostile client is served';
  }
  const alone = noAnswerByDesign(attack, traits);
  if (alone !== undefined) return alone;
  if (attack.isInside && costsAThread(traits) && traits.assistants === 'threads') {
    return 'a thread of the worker is started for each client, and whoever waits for that as the worker is killed is lost with it: nearly one at each kill';
  }
  return undefined;
}

/** Why nobody else is answered while the attack is, not even who had come in before it. */
export function noAnswerByDesign(attack: Attack, traits: Traits): string | undefined {
  const { capacity } = traits;
  const answersAlone = capacity === 'one' || (capacity === 'unbounded' && !costsAThread(traits));
  return attack.takes === 'answers' && answersAlone
    ? 'one thread makes all answers: while one computes, nobody else is answered'
    : undefined;
}
