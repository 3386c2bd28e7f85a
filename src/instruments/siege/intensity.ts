/** How hard an attack hit, in what it is about: one that fell short says nothing of its target. */

export interface Intensity {
  /** What the attack did of what it is about: at its best moment, or in all. */
  readonly reached: number;
  /** What the server kept it from: it ended a connection, or took no more of what was sent. */
  readonly prevented: number;
  readonly wanted: number;
  /** What is counted, such as `resets`; with `at once`: at its best moment. */
  readonly unit: string;
  /** Answers that the hostile clients got and that were wrong. */
  readonly wrong: number;
}

/** The share of its intensity that an attack has to reach. */
export const ENOUGH = 0.9;

/** Whether it was the attack that was meant, or it was the server that made it less. */
export const isEnough = ({ reached, prevented, wanted }: Intensity): boolean =>
  wanted > 0 && reached + prevented >= wanted * ENOUGH;

export type Force = Pick<Intensity, 'reached' | 'prevented' | 'wanted'>;

/** Connections that do all the same at the same time: counts the moment at which they were most. */
export class AtOnce {
  readonly #size: number;
  #best = { reached: 0, prevented: 0 };

  constructor(size: number) {
    this.#size = size;
  }

  /** @param sentAway connections that the server has ended and that have not come again yet */
  note(inForce: number, sentAway: number): void {
    const { reached, prevented } = this.#best;
    const more = inForce + sentAway - reached - prevented;
    if (more > 0 || (more === 0 && inForce > reached)) {
      this.#best = { reached: inForce, prevented: sentAway };
    }
  }

  get force(): Force {
    return { ...this.#best, wanted: this.#size };
  }
}

/** Deeds that add up, such as bytes sent: wanted are so many in a second. */
export class InTotal {
  readonly #rate: number;
  #ms = 0;
  #reached = 0;
  #prevented = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** @param ms by how much time has gone on, whether or not anything was done in it */
  pass(ms: number): void {
    this.#ms += ms;
  }

  did(deeds: number): void {
    this.#reached += deeds;
  }

  prevented(deeds: number): void {
    this.#prevented += deeds;
  }

  get force(): Force {
    const wanted = Math.floor((this.#rate * this.#ms) / 1000);
    // The first look is made at no time at all, and what it did may be more than was wanted by then.
    const reached = Math.min(wanted, Math.floor(this.#reached));
    return {
      reached,
      prevented: Math.min(wanted - reached, Math.floor(this.#prevented)),
      wanted,
    };
  }
}
