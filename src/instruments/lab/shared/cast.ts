/** The clients of a scene, made of a seed: each stage gets the same ones at the same times. */

import type { Mix } from './plan.ts';
import { hashed } from './shown.ts';

export type Temper = 'honest' | 'silent' | 'slow' | 'leaving' | 'pipelining';

export interface Person {
  /** From 1, as people count. */
  readonly id: number;
  readonly temper: Temper;
  /** ms after the start of the scene. */
  readonly arrives: number;
  /** Questions of one visit; 0: it stays. */
  readonly questions: number;
  readonly seed: number;
}

/** Time between two arrivals, in ms: a viewer can follow each, and the first six are there within 1.5 s. */
const BETWEEN = 250;
/** A crowd arrives within this time, in ms. */
const CROWD = 4000;

/**
 * The same seed gives the same clients. Another number of clients changes none of those before, and the silent ones
 * come first: a scene with one silent client begins with it.
 */
export function cast(seed: number, mix: Mix): readonly Person[] {
  const between = Math.min(BETWEEN, CROWD / Math.max(1, mix.clients));
  return Array.from({ length: mix.clients }, (_, index) => {
    const own = hashed(seed, index + 1);
    return {
      id: index + 1,
      temper: temperOf(index, mix),
      arrives: Math.round((index + 0.5 * fraction(own, 0)) * between),
      questions: mix.questions,
      seed: own,
    };
  });
}

function temperOf(index: number, mix: Mix): Temper {
  let rest = index;
  for (const temper of ['silent', 'slow', 'leaving', 'pipelining'] as const) {
    if (rest < mix[temper]) return temper;
    rest -= mix[temper];
  }
  return 'honest';
}

/** The pause before question `number` (from 0), in ms: between half of `mean` and one and a half. */
export const pauseOf = (person: Person, number: number, mean: number): number =>
  Math.round(mean * (0.5 + fraction(person.seed, 1 + 2 * number)));

/** Which of `count` questions is question `number` of this client. */
export const choiceOf = (person: Person, number: number, count: number): number =>
  Math.floor(fraction(person.seed, 2 + 2 * number) * count);

/** From 0 up to 1. */
const fraction = (seed: number, index: number): number => hashed(seed, index) / 2 ** 32;
