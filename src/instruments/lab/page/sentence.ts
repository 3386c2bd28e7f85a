/** The sentence of a stage, slow enough to be read, and its parts: who causes a wait, and who waits. Pure. */

import type { Reason } from '../shared/why.ts';

export interface Said {
  readonly reason: Reason;
  /** The time of the model when it was said. */
  readonly t: number;
}

/** A sentence of the same rule stays for this time, in ms, and one of another rule comes after the shorter one. */
const STAYS = 3000;
const LEAST = 700;

/** What a stage says now. It follows at once when a viewer goes back in time. */
export function nextSaid(before: Said | undefined, reason: Reason, t: number): Said {
  if (before === undefined || t < before.t) return { reason, t };
  const isOther = before.reason.rule !== reason.rule;
  const age = t - before.t;
  if (age < (isOther ? LEAST : STAYS) || before.reason.text === reason.text) return before;
  return { reason, t };
}

export interface Part {
  readonly text: string;
  readonly role: 'culprit' | 'victim' | '';
}

/** Where the sentence names clients, it says which part they have in the wait. */
export function partsOf({ text, culprits, victims }: Reason): readonly Part[] {
  return text
    .split(/(clients? \d+(?:(?:, | and )\d+\b(?! more))*)/i)
    .filter((part) => part !== '')
    .map((part) => {
      const id = Number(/^clients? (\d+)/i.exec(part)?.[1] ?? -1);
      const role = culprits.includes(id) ? 'culprit' : victims.includes(id) ? 'victim' : '';
      return { text: part, role };
    });
}
