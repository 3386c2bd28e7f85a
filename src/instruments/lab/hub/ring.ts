/** The records of the last minute, so that a viewer who comes later can rewind as well. */

import { type Model, nothing } from '../shared/model.ts';
import { lineOf } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import { resumptionOf, snapshotOf } from '../shared/snapshot.ts';

/** Time that the ring keeps, in ms, and characters of its lines that it keeps at most. */
const KEPT_TIME = 60_000;
const KEPT_CHARACTERS = 16 * 2 ** 20;
/** The ring forgets this many of its oldest records at once: an array that loses its first ones is copied. */
const FORGOTTEN = 200;

interface Kept {
  readonly record: LabRecord;
  readonly line: string;
}

export class Ring {
  /** The model before the oldest record that is kept, and the model now. */
  #base: Model = nothing;
  #model: Model = nothing;
  #kept: Kept[] = [];
  #characters = 0;

  get model(): Model {
    return this.#model;
  }

  /** @returns the record's line */
  add(record: LabRecord): string {
    const line = lineOf(record);
    this.#model = apply(this.#model, record);
    this.#kept.push({ record, line });
    this.#characters += line.length;
    this.#forget();
    return line;
  }

  /** Lines for a viewer who comes now: the picture as it was a minute ago, and what happened since. */
  history(): string[] {
    return [...snapshotOf(this.#base).map(lineOf), ...this.#kept.map(({ line }) => line)];
  }

  /** Lines for a viewer who missed some. */
  resumption(lost: number): string[] {
    return resumptionOf(this.#model, lost).map(lineOf);
  }

  #forget(): void {
    const isOld = ({ record }: Kept) => record.k === 'h' || record.t < this.#model.t - KEPT_TIME;
    while (this.#kept.length > FORGOTTEN) {
      const isFull = this.#characters > KEPT_CHARACTERS;
      if (!isFull && !isOld(this.#kept[FORGOTTEN]!)) return;
      for (const { record, line } of this.#kept.splice(0, FORGOTTEN)) {
        this.#base = apply(this.#base, record);
        this.#characters -= line.length;
      }
    }
  }
}
