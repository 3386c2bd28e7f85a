/** The recording that belongs to a result sheet: all that the hub sent from the prediction to the last goal. */

import type { Model } from '../shared/model.ts';
import { lineOf, MOST_BYTES, packLines } from '../shared/recording.ts';
import type { LabRecord } from '../shared/records.ts';
import { snapshotOf } from '../shared/snapshot.ts';

/** Room for the last line. */
const END = 100;

const encoder = new TextEncoder();

export interface SheetRecording {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** SHA-256 in hex. */
  readonly hash: string;
}

export class MissionRecording {
  #lines: string[] = [];
  #bytes = 0;
  #isFull = false;
  #t = 0;
  #packed: Promise<SheetRecording> | undefined;

  /** @param model what the page knows at the prediction */
  constructor(model: Model) {
    for (const record of snapshotOf(model)) this.push(record);
  }

  /** A recording that is as long as a reader takes ends there. */
  push(record: LabRecord): void {
    const line = lineOf(record);
    this.#bytes += encoder.encode(line).length;
    this.#isFull ||= this.#bytes > MOST_BYTES - END;
    if (this.#isFull) return;
    this.#lines.push(line);
    if (record.k !== 'h') this.#t = Math.max(this.#t, record.t);
    this.#packed = undefined;
  }

  /** The same bytes until the next record. */
  packed(): Promise<SheetRecording> {
    this.#packed ??= this.#pack();
    return this.#packed;
  }

  async #pack(): Promise<SheetRecording> {
    const bytes = await packLines([...this.#lines, lineOf({ k: 'end', t: this.#t })]);
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
    const hash = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
    return { bytes, hash };
  }
}
