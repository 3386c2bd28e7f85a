/**
 * In which order variants are visited. What is compared stands close together in time: first the conditions are
 * shuffled, then those that differ in silent clients alone, then the architectures within each. Every second
 * round goes back the way that the one before it came, so that over the two of them all have had their turn
 * equally late: whatever drifts evenly while they run (heat, others on the machine) favours nobody.
 */
import { randomOf } from '../load/random.ts';
import type { Variant } from './plan.ts';

/** The same seed gives the same order. @param round from 1 */
export function orderOf<T extends Variant>(
  variants: readonly T[],
  round: number,
  seed: number,
): T[] {
  const random = randomOf(seed * 1000 + Math.ceil(round / 2));
  const byLoad = groups(
    variants,
    (v) => `${v.connections} ${v.think} ${v.thinkHow}`,
    random,
  ).flatMap((group) => groups(group, (v) => `${v.silent}`, random));
  const order = byLoad.flatMap((group) => shuffled(group, random));
  return round % 2 === 1 ? order : order.toReversed();
}

function groups<T>(all: readonly T[], keyOf: (one: T) => string, random: () => number): T[][] {
  return shuffled([...Map.groupBy(all, keyOf).values()], random);
}

/** Fisher and Yates. */
function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const order = [...all];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
