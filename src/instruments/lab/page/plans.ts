/** From what is on the screen to a plan that can be changed, and to the commands that do the same. Pure. */

import { LIMITS, type LimitName, type Plan } from '../shared/plan.ts';
import type { Setup, StageSetup } from '../shared/records.ts';

/** The plan of what runs now. Limits are those of the first stage. */
export function planOfSetup({ title, seed, mix, stages }: Setup): Plan {
  const [first] = stages;
  return {
    title,
    seed,
    mix,
    stages: stages.map(({ plan }) => plan),
    think: first?.think ?? 0,
    thinking: first?.thinking ?? 'block',
    limits: first === undefined ? {} : limitsOf(first),
    dryRun: first?.dryRun ?? false,
  };
}

export function limitsOf({ limits }: StageSetup): Plan['limits'] {
  const set = limits.flatMap(([name, value]) => {
    const known = LIMITS.find((limit) => limit === name);
    return known === undefined || value === 0 ? [] : [[known, value] as const];
  });
  return Object.fromEntries(set);
}

/** How a value of a limit is written, and what it counts. */
export const units: Readonly<
  Record<LimitName, { readonly unit: string; readonly usual: number; readonly text: string }>
> = {
  idle: { unit: 's', usual: 3, text: 'silent between two questions' },
  'question-time': { unit: 's', usual: 3, text: 'for one question to arrive' },
  'answer-time': { unit: 's', usual: 3, text: 'for one answer to be read' },
  'connections-per-address': { unit: '', usual: 4, text: 'connections of one address' },
  'accepts-per-second': {
    unit: '',
    usual: 20,
    text: 'new connections in a second, of one address',
  },
  'question-size': { unit: '', usual: 4096, text: 'bytes of one question' },
};

export const limitText = (name: LimitName, value: number): string =>
  `--limit ${name}=${value}${units[name].unit}`;

export const siegeCommand = (architecture: string, attack: string, seconds: number): string =>
  `mondo siege ${architecture} --attack ${attack} --seconds ${seconds} --limits off`;
