/**
 * The order in which variants are measured. Variants that are compared run close together in time.
 * First the conditions are shuffled, then those that differ only in silent clients, then the
 * architectures within each. Every second round reverses the previous one. So over two rounds each
 * variant has the same mean position, and a steady drift (heat, other programs) favours none.
 */
import { randomOf } from '../load/random.ts';
import type { Variant } from './plan.ts';

/**
 * Returns the order of a round. The same seed gives the same order.
 *
 * @param round from 1
 */
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

/** The Fisher-Yates shuffle. */
function shuffled<T>(all: readonly T[], random: () => number): T[] {
  const order = [...all];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j]!, order[i]!];
  }
  return order;
}
