/**
 * The play head of the lab's page. Live, it stands at the newest record of the last minute; a recording it plays from
 * its start. The model at the head comes from the same records in both.
 */

import { History } from './history.ts';
import type { Model } from './model.ts';
import type { LabRecord } from './records.ts';

/** Times of real speed. Above 1 for recordings only: the present cannot be overtaken. */
export const SPEEDS = [0.001, 0.01, 0.1, 1, 2, 10] as const;
export type Speed = (typeof SPEEDS)[number];

/** ms of the past that a live page keeps. */
const MINUTE = 60_000;
/** Most ms that the clock of a live page runs on without a record: then the hub is busy, or gone. */
const ALONE = 1000;

export class Player {
  readonly history: History;
  readonly isRecording: boolean;
  #state: 'live' | 'playing' | 'paused';
  #speed: Speed = 1;
  #head = 0;
  /** When the newest record came, by the clock of `tick`. */
  #arrival = { revision: 0, at: 0 };
  #now: number | undefined;

  /** A live page starts at the present; a recording is paused at its start. */
  constructor(kind: 'live' | 'recording') {
    this.isRecording = kind === 'recording';
    this.history = new History(this.isRecording ? Number.POSITIVE_INFINITY : MINUTE);
    this.#state = this.isRecording ? 'paused' : 'live';
  }

  push(record: LabRecord): void {
    this.history.push(record, this.#state === 'live' ? undefined : this.#head);
    // The history of a crowd may be too short for the head, and a new header begins it anew.
    if (this.#state !== 'live') this.#head = Math.max(this.#head, this.history.from);
  }

  get state(): 'live' | 'playing' | 'paused' {
    return this.#state;
  }
  get speed(): Speed {
    return this.#speed;
  }
  /** The model after all records. */
  get live(): Model {
    return this.history.live;
  }
  get from(): number {
    return this.history.from;
  }
  get to(): number {
    return this.history.to;
  }

  /** Where the head is, in ms since the recording began. Live, it runs on between two records. */
  get t(): number {
    return this.#head;
  }
  /** The model at the head. */
  get model(): Model {
    return this.#state === 'live' ? this.live : this.modelAt(this.#head);
  }
  modelAt(t: number): Model {
    return this.history.modelAt(t);
  }

  pause(): void {
    if (this.#state === 'live') this.#head = this.history.to;
    this.#state = 'paused';
  }

  /** At the end of a recording it starts again. */
  play(speed: Speed = this.#speed): void {
    this.#speed = this.isRecording || speed <= 1 ? speed : 1;
    // The present at less than its speed is the past.
    if (this.#state === 'live' && this.#speed === 1) return;
    if (this.isRecording && this.#head >= this.to) this.#head = this.from;
    if (this.#state === 'live') this.#head = this.history.to;
    this.#state = 'playing';
  }

  /** One speed up or down. */
  changeSpeed(by: 1 | -1): void {
    const speeds = SPEEDS.filter((speed) => this.isRecording || speed <= 1);
    const index = speeds.indexOf(this.#speed) + by;
    const speed = speeds[Math.min(Math.max(index, 0), speeds.length - 1)]!;
    if (this.#state === 'paused') this.#speed = speed;
    else this.play(speed);
  }

  /** To the next event, or the one before; then paused. */
  step(by: 1 | -1): void {
    this.pause();
    const t = this.history.eventFrom(this.#head, by);
    if (t !== undefined) this.#head = Math.max(t, this.from);
  }

  /** `ms` forward, or back if negative; a paused head stays paused. */
  jump(ms: number): void {
    this.seek((this.#state === 'live' ? this.history.to : this.#head) + ms);
  }

  seek(t: number): void {
    if (this.#state === 'live') this.#state = 'playing';
    this.#head = Math.min(Math.max(t, this.from), this.to);
  }

  /** To the newest record, and on with the next ones; a recording goes to its end. */
  toLive(): void {
    this.#speed = 1;
    this.#head = this.to;
    this.#state = this.isRecording ? 'paused' : 'live';
  }

  /** Moves the head. To be called before each picture. @param now a clock in ms */
  tick(now: number): void {
    const passed = Math.max(0, now - (this.#now ?? now));
    this.#now = now;
    if (this.#arrival.revision !== this.history.revision) {
      this.#arrival = { revision: this.history.revision, at: now };
    }
    if (this.#state === 'live') {
      const alone = Math.min(now - this.#arrival.at, ALONE);
      const t = this.to + alone;
      // Records come a little early or late: the head does not go back for that.
      this.#head = this.#head > t && this.#head - t < ALONE ? this.#head : t;
      return;
    }
    this.#head = Math.min(this.#head, this.to);
    if (this.#state === 'playing') {
      this.#head = Math.max(this.#head + passed * this.#speed, this.from);
      if (this.#head >= this.to) {
        this.#head = this.to;
        if (this.isRecording) this.#state = 'paused';
      }
    }
  }
}
