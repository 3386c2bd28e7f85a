/** How strong an attack was, in its own unit. A weak attack says nothing about its target. */

export interface Intensity {
  /** Work that the attack did, in total, or at its highest moment. */
  readonly reached: number;
  /** Work that the server prevented: it closed a connection, or took no more bytes. */
  readonly prevented: number;
  readonly wanted: number;
  /** For example `resets`. A unit with `at once` is counted at its highest moment. */
  readonly unit: string;
  /** Wrong answers that the hostile clients got. */
  readonly wrong: number;
}

/** Share of the planned intensity that an attack must reach. */
export const ENOUGH = 0.9;

/** True if the attack was as strong as planned, or if the server made it weaker. */
export const isEnough = ({ reached, prevented, wanted }: Intensity): boolean =>
  wanted > 0 && reached + prevented >= wanted * ENOUGH;

export type Force = Pick<Intensity, 'reached' | 'prevented' | 'wanted'>;

/** Counts connections in the same state at the same time, at their highest number. */
export class AtOnce {
  readonly #size: number;
  #best = { reached: 0, prevented: 0 };

  constructor(size: number) {
    this.#size = size;
  }

  /** @param closedByServer connections that the server closed and that have not come again yet */
  note(inForce: number, closedByServer: number): void {
    const { reached, prevented } = this.#best;
    const more = inForce + closedByServer - reached - prevented;
    if (more > 0 || (more === 0 && inForce > reached)) {
      this.#best = { reached: inForce, prevented: closedByServer };
    }
  }

  get force(): Force {
    return { ...this.#best, wanted: this.#size };
  }
}

/** Adds up work, such as bytes sent. `rate` is the planned work per second. */
export class InTotal {
  readonly #rate: number;
  #ms = 0;
  #reached = 0;
  #prevented = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** @param ms time that passed, with or without work */
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
    // At the first look no time has passed, so more may be done than was planned until then.
    const reached = Math.min(wanted, Math.floor(this.#reached));
    return {
      reached,
      prevented: Math.min(wanted - reached, Math.floor(this.#prevented)),
      wanted,
    };
  }
}
