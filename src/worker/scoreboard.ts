/**
 * The scoreboard: one table in shared memory, a row per worker, that every thread and process of a
 * server maps. A worker writes its own row and nothing else; whoever wants to know reads them all.
 */

import type { Orders } from '../lifecycle/drain.ts';
import { ADMISSION_WORDS } from '../limits/admission.ts';
import type { Mapping } from '../os/memory.ts';

/** What a worker is doing at this moment, and how the table says it. A literal: then it costs no look-up. */
const numberOf = {
  free: 0,
  starting: 1,
  accepting: 2,
  receiving: 3,
  answering: 4,
  sending: 5,
  waiting: 6,
  asleep: 7,
  ended: 8,
} as const;
export type State = keyof typeof numberOf;
const states = Object.keys(numberOf) as State[];

/** Of threads, in all processes and generations. Those beyond are not listed; what is never used takes no memory. */
const ROWS = 8192;
/** 64 bytes, a cache line: two workers never write to the same one. */
const ROW_WORDS = 16;
const HEADER_WORDS = 64;

/** Reasons for which connections are ended or refused, as they are counted; the order is the table's. */
const reasons = [
  'idle',
  'question-time',
  'answer-time',
  'age',
  'question-size',
  'questions',
  'unsent-total',
  'deny',
  'allow',
  'accepts-per-second',
  'connections-per-address',
  'connections',
  'early',
  'descriptor',
] as const;
export type Reason = (typeof reasons)[number];

/** Behind the rows lies what the workers share at the door. */
const ADMISSION_AT = HEADER_WORDS + ROWS * ROW_WORDS;

/** In bytes. Of the tables at the door only what is used takes memory. */
export const SCOREBOARD_SIZE = (ADMISSION_AT + ADMISSION_WORDS) * 4;

// Words of the header.
/** The generation that serves: workers of older ones are to leave. Of those after it, so are those up to WITHDRAWN. */
const GENERATION = 0;
const QUEUED = 1;
/** How long those have who are owed an answer when their worker is replaced, in ms. */
const DRAIN = 2;
/** How many of those that were ended so had been answered, and how many not. */
const ANSWERED = 3;
const CUT = 4;
/** When nobody has any time left as the server stops, in ms since the machine was started. */
const END = 5;
/** The last generation that could not be started as a whole. */
const WITHDRAWN = 6;
/** One past the last row that was ever taken. */
const ROWS_USED = 15;
const COUNTS = 16;

/** The generation after the last: all are to leave, and nobody comes after them. */
const NONE = 2 ** 31 - 1;

// Words of a row.
const PID = 0;
const TID = 1;
const STATE = 2;
const ACCEPTED = 3;
const OPEN = 4;
const TURNS = 5;
const FAMILY = 6;
/** Two words as one. */
const UNSENT = 14;

/** One row, read at some moment. */
export interface RowReading {
  readonly row: number;
  readonly pid: number;
  /** The worker process that it belongs to: its own, or that which started it. */
  readonly family: number;
  readonly tid: number;
  readonly state: State;
  /** Connections accepted so far by this worker. */
  readonly accepted: number;
  /** Conversations it has open now. */
  readonly open: number;
  /** Counts on as long as it goes from one thing to the next. */
  readonly turns: number;
}

/** In ms, by a clock that all processes read alike. It goes round after 24 days, and so are its differences to be taken. */
function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1000 + nanoseconds / 1e6) | 0;
}

export class Scoreboard {
  #words: Int32Array;
  #words64: BigInt64Array;
  readonly #mapping: Mapping;

  constructor(mapping: Mapping) {
    this.#mapping = mapping;
    this.#words = mapping.words;
    this.#words64 = words64Of(mapping.words);
  }

  /** What workers of that generation, from 1, are to do. */
  orders(generation: number): Orders {
    const board = this;
    return {
      get order() {
        const serving = board.#words[GENERATION]!;
        if (serving === NONE) return 'stop';
        if (generation < serving) return 'restart';
        const isWithdrawn = generation > serving && generation <= board.#words[WITHDRAWN]!;
        return isWithdrawn ? 'restart' : 'serve';
      },
      get drain() {
        return board.#words[DRAIN]!;
      },
      get left() {
        return (board.#words[END]! - clock()) | 0;
      },
      count(outcome) {
        Atomics.add(board.#words, outcome === 'cut' ? CUT : ANSWERED, 1);
      },
    };
  }

  /** Has all workers of older generations leave, as others have taken their place. @param drain in ms */
  replace(generation: number, drain: number): void {
    Atomics.store(this.#words, DRAIN, drain);
    Atomics.store(this.#words, GENERATION, generation);
  }

  /** Has the workers leave of a generation that could not be started as a whole. @param drain in ms */
  withdraw(generation: number, drain: number): void {
    Atomics.store(this.#words, DRAIN, drain);
    Atomics.store(this.#words, WITHDRAWN, generation);
  }

  /** Has all workers leave for good. @param left how long they have, in ms; called again it may be less */
  stop(left: number): void {
    Atomics.store(this.#words, END, clock() + left);
    Atomics.store(this.#words, GENERATION, NONE);
  }

  /** Connections of whoever was killed while it was leaving, and could not count them itself. */
  addCut(connections: number): void {
    Atomics.add(this.#words, CUT, connections);
  }

  /** Of the connections that were ended as their worker left: how many had been answered, how many not. */
  get departed(): { readonly answered: number; readonly cut: number } {
    return { answered: this.#words[ANSWERED]!, cut: this.#words[CUT]! };
  }

  /** The memory of `Admission`. */
  get admission(): Int32Array {
    return this.#words.subarray(ADMISSION_AT, ADMISSION_AT + ADMISSION_WORDS);
  }

  /** How many accepted sockets wait for a worker; only `queued` has a queue. */
  get queued(): number {
    return this.#words[QUEUED]!;
  }

  set queued(depth: number) {
    this.#words[QUEUED] = depth;
  }

  /** A connection was ended or refused for that reason, or with a dry run would have been. */
  count(reason: Reason): void {
    Atomics.add(this.#words, COUNTS + reasons.indexOf(reason), 1);
  }

  /** How often so far, by reason; those that never happened are left out. */
  get counts(): Partial<Record<Reason, number>> {
    const counted = reasons.map((reason, i) => [reason, this.#words[COUNTS + i]!] as const);
    return Object.fromEntries(counted.filter(([, count]) => count > 0));
  }

  /** Bytes of answers that peers have not taken, of all rows. */
  unsent(): number {
    let unsent = 0n;
    const end = HEADER_WORDS + Atomics.load(this.#words, ROWS_USED) * ROW_WORDS;
    for (let at = HEADER_WORDS; at < end; at += ROW_WORDS) {
      unsent += Atomics.load(this.#words64, (at + UNSENT) >> 1);
    }
    return Number(unsent);
  }

  /** Takes a free row; when all are taken the last one is shared. */
  claim(pid: number, tid: number, family: number): Row {
    for (let i = 0; i < ROWS; i++) {
      const at = HEADER_WORDS + i * ROW_WORDS;
      const isShared = i === ROWS - 1;
      if (!isShared && Atomics.compareExchange(this.#words, at + PID, 0, pid) !== 0) continue;
      for (let used = this.#words[ROWS_USED]!; used <= i; used = this.#words[ROWS_USED]!) {
        Atomics.compareExchange(this.#words, ROWS_USED, used, i + 1);
      }
      return new Row(this.#words.subarray(at, at + ROW_WORDS), tid, family, isShared);
    }
    throw new Error('unreachable: the last row is always to be had');
  }

  /** The rows in use, those of ended workers included until they are freed. */
  read(): RowReading[] {
    const readings: RowReading[] = [];
    const used = Atomics.load(this.#words, ROWS_USED);
    for (let i = 0; i < used; i++) {
      const at = HEADER_WORDS + i * ROW_WORDS;
      if (this.#words[at + PID] === 0) continue;
      readings.push({
        row: i,
        pid: this.#words[at + PID]!,
        family: this.#words[at + FAMILY]!,
        tid: this.#words[at + TID]!,
        state: states[this.#words[at + STATE]!] ?? 'free',
        accepted: this.#words[at + ACCEPTED]!,
        open: this.#words[at + OPEN]!,
        turns: this.#words[at + TURNS]!,
      });
    }
    return readings;
  }

  /** Frees the rows of those who are gone and could not do it themselves; their last readings. */
  freeRows(isGone: (row: RowReading) => boolean): RowReading[] {
    const gone = this.read().filter(isGone);
    for (const { row } of gone) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      clear(this.#words.subarray(at, at + ROW_WORDS));
    }
    return gone;
  }

  unmap(): void {
    // Whoever still reads gets the last that was known: a read of unmapped memory ends the process.
    this.#words = this.#words.slice();
    this.#words64 = words64Of(this.#words);
    this.#mapping.unmap();
  }
}

const words64Of = (words: Int32Array) =>
  new BigInt64Array(words.buffer, words.byteOffset, words.length >> 1);

/** How many connections these have. */
export const openOf = (rows: readonly RowReading[]): number =>
  rows.reduce((sum, { open }) => sum + open, 0);

/** A worker's own row. Plain stores: a reader may see a number one event late, never a torn one. */
export class Row {
  readonly #words: Int32Array;
  readonly #words64: BigInt64Array;

  readonly #isShared: boolean;
  /** What this worker has in UNSENT. */
  #unsent = 0;

  constructor(words: Int32Array, tid: number, family: number, isShared = false) {
    this.#isShared = isShared;
    this.#words = words;
    this.#words64 = words64Of(words);
    words[TID] = tid;
    words[FAMILY] = family;
    words[STATE] = numberOf.starting;
  }

  set state(state: State) {
    this.#words[STATE] = numberOf[state];
    this.#words[TURNS]!++;
  }

  accepted(): void {
    this.#words[ACCEPTED]!++;
    this.#words[OPEN]!++;
  }

  ended(): void {
    this.#words[OPEN]!--;
  }

  /** So many bytes of answers more that peers have not taken, or fewer; exact where a row is shared, too. */
  addUnsent(bytes: number): void {
    this.#unsent += bytes;
    Atomics.add(this.#words64, UNSENT >> 1, BigInt(bytes));
  }

  get unsent(): number {
    return Number(Atomics.load(this.#words64, UNSENT >> 1));
  }

  free(): void {
    if (this.#isShared) this.addUnsent(-this.#unsent);
    else clear(this.#words);
  }
}

/** Empties a row; its number last, since from then on it may be another's. */
function clear(row: Int32Array): void {
  row.fill(0, PID + 1);
  Atomics.store(row, PID, 0);
}

/** A row that nobody reads, where there is no shared memory. */
export const unreadRow = (): Row => new Row(new Int32Array(ROW_WORDS), 0, 0);
