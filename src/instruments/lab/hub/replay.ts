/** A recording, played at its pace. */

import { type Model, nothing } from '../shared/model.ts';
import { lineOf } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import { resumptionOf } from '../shared/snapshot.ts';
import type { Command } from '../shared/wire.ts';
import type { Known } from './commands.ts';
import { RefusedError } from './commands.ts';
import type { Listener, Source } from './source.ts';

const INTERVAL = 50;
/**
 * The longest time without a record that it plays, in ms. A live lab has several in a second, but the recording of a
 * mission begins with what its lab had before: perhaps minutes before the rest.
 */
const LONGEST_PAUSE = 2000;

export class Replay implements Source {
  readonly isReplay = true;
  readonly attacks = [];
  readonly known: Known;
  readonly #records: readonly LabRecord[];
  readonly #lines: readonly string[];
  readonly #listener: Listener;
  readonly #timer: NodeJS.Timeout;
  #model: Model = nothing;
  #told = 0;
  /** When it began to play; undefined: no viewer has come yet. */
  #began: number | undefined;

  /** @param known what commands may name, so that each gets its answer */
  constructor(records: readonly LabRecord[], known: Known, listener: Listener) {
    this.#records = records;
    this.#lines = records.map(lineOf);
    this.known = known;
    this.#listener = listener;
    this.#timer = setInterval(() => this.#turn(), INTERVAL);
  }

  history(): readonly string[] {
    return this.#lines.slice(0, this.#told);
  }

  resumption(lost: number): readonly string[] {
    return resumptionOf(this.#model, lost).map(lineOf);
  }

  async obey(command: Command): Promise<void> {
    if (command.do === 'take-over') return;
    if (command.do !== 'again') {
      throw new RefusedError('A recording plays; start mondo lab without --replay to have servers');
    }
    this.#model = nothing;
    this.#told = 0;
    this.#began = performance.now();
    this.#turn();
  }

  /** It waits for its first viewer. */
  watched(viewers: number): void {
    if (viewers > 0) this.#began ??= performance.now();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
  }

  #turn(): void {
    if (this.#began === undefined || this.#told === this.#records.length) return;
    const from = this.#told;
    for (; this.#told < this.#records.length; this.#told++) {
      const record = this.#records[this.#told]!;
      const wait = this.#waitFor(record);
      if (wait > LONGEST_PAUSE) this.#began -= wait;
      else if (wait > 0) break;
      this.#model = apply(this.#model, record);
    }
    if (this.#told > from) this.#listener.lines(this.#lines.slice(from, this.#told));
  }

  /** In ms. */
  #waitFor(record: LabRecord): number {
    return record.k === 'h' ? 0 : record.t - (performance.now() - this.#began!);
  }
}
