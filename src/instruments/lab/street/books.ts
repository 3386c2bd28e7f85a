/** What the clients of one stage count and tell, as frames. */
import { EVENT, type EventKind, type FrameRecord, isTold, MOST } from '../shared/records.ts';

/** Most events of a frame. Beyond that, events are of fewer clients. */
export const MOST_TOLD = 400;
/** Most clients that have events from the start. */
const FEW = 256;

/** The counter of `FrameRecord.u` that an event belongs to. */
const columns: Partial<Record<EventKind, number>> = {
  [EVENT.connected]: 0,
  [EVENT.asked]: 1,
  [EVENT.answered]: 2,
  [EVENT.wrong]: 3,
  [EVENT.cut]: 4,
  [EVENT.refused]: 4,
  [EVENT.reset]: 5,
  [EVENT.left]: 6,
  [EVENT.hungUp]: 6,
};
const COLUMNS = 7;

interface Told {
  readonly at: number;
  readonly client: number;
  readonly kind: EventKind;
  readonly extra: number;
}

export class StreetBooks {
  readonly #seed: number;
  readonly #users: number[] = new Array(COLUMNS).fill(0);
  readonly #waits: number[] = [];
  #told: Told[] = [];
  #every = 1;
  #hasCounted = false;
  #hasWaited = false;

  /** @param clients number of clients of the cast */
  constructor(seed: number, clients: number) {
    this.#seed = seed;
    while (clients / this.#every > FEW) this.#every *= 2;
  }

  /**
   * @param at in ms since the recording began
   * @param counts false: an event that changes no counter
   */
  note(kind: EventKind, client: number, extra: number, at: number, counts = true): void {
    const column = columns[kind];
    if (counts && column !== undefined) {
      this.#users[column]!++;
      this.#hasCounted = true;
    }
    if (kind === EVENT.answered) {
      const bucket = Math.min(MOST.buckets - 1, Math.floor(Math.log2(Math.max(1, extra))));
      while (this.#waits.length <= bucket) this.#waits.push(0);
      this.#waits[bucket]!++;
      this.#hasWaited = true;
    }
    if (this.isTold(client)) this.#told.push({ at, client, kind, extra });
  }

  /** Whether frames have the events of this client. */
  isTold(client: number): boolean {
    return isTold(this.#seed, client, this.#every);
  }

  /** What has changed since the last frame; undefined: nothing. */
  frame(s: number, now: number, probe?: readonly number[]): FrameRecord | undefined {
    const told = this.#take();
    const t = Math.round(now * 1000) / 1000;
    const e = told.flatMap(({ at, client, kind, extra }) => [
      Math.round((at - t) * 1000),
      client,
      kind,
      -1,
      extra,
    ]);
    const [u, h] = [this.#hasCounted, this.#hasWaited];
    this.#hasCounted = false;
    this.#hasWaited = false;
    if (!u && e.length === 0 && probe === undefined) return undefined;
    return {
      k: 'f',
      s,
      t,
      ...(this.#every === 1 ? {} : { every: this.#every }),
      ...(u ? { u: [...this.#users] } : {}),
      ...(e.length === 0 ? {} : { e }),
      ...(h ? { h: [...this.#waits] } : {}),
      ...(probe === undefined ? {} : { p: probe }),
    };
  }

  /** A client with events in this frame had them in each frame before, so its story stays whole. */
  #take(): readonly Told[] {
    let told = this.#told;
    this.#told = [];
    while (told.length > MOST_TOLD && this.#every < MOST.clients) {
      this.#every *= 2;
      told = told.filter(({ client }) => this.isTold(client));
    }
    return told;
  }
}
