/** Makes a page draw less where a machine cannot draw all. Pure. */

/** A frame that takes longer than this many ms is late. */
const LATE = 20;
const IN_A_ROW = 3;
/** Frames in time before the page draws more again. */
const GOOD = 600;

export class Pace {
  /** 0: each frame. 1: each second one. From 2 on: 1 of 2, 4, 8 clients. */
  level = 0;
  #late = 0;
  #good = 0;

  /** @param ms that the page worked for one frame */
  add(ms: number): void {
    if (ms > LATE) {
      this.#good = 0;
      this.#late++;
      if (this.#late < IN_A_ROW || this.level >= 5) return;
      this.level++;
      this.#late = 0;
      return;
    }
    this.#late = 0;
    this.#good++;
    if (this.#good < GOOD || this.level === 0) return;
    this.level--;
    this.#good = 0;
  }

  /** Draw 1 of this many clients. */
  get every(): number {
    return 2 ** Math.max(0, this.level - 1);
  }

  /** Draw each n-th frame. */
  get frames(): number {
    return this.level > 0 ? 2 : 1;
  }
}
