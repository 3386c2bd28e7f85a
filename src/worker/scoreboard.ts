/**
 * The scoreboard: one table in shared memory, with a row per worker. Every thread and process of a server maps it.
 * A worker writes only its own row; readers read all of them.
 */

import type { Orders } from '../lifecycle/drain.ts';
import { ADMISSION_WORDS } from '../limits/admission.ts';
import type { Mapping } from '../os/memory.ts';

/** What a worker is doing at this moment, and its number in the table. A literal: then it costs no look-up. */
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

/**
 * Number of rows: for the threads of all processes and generations. More threads are not listed. Unused rows take
 * no memory.
 */
const ROWS = 8192;
/** 64 bytes, a cache line: two workers never write to the same one. */
const ROW_WORDS = 16;
const HEADER_WORDS = 64;

/** Reasons for closing or refusing connections, in the order of the counts in the table. */
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

/** The memory of the admission comes after the rows. */
const ADMISSION_AT = HEADER_WORDS + ROWS * ROW_WORDS;

/** Size in bytes. Unused parts of the admission's tables take no memory. */
export const SCOREBOARD_SIZE = (ADMISSION_AT + ADMISSION_WORDS) * 4;

// Words of the header.
/**
 * The generation that serves. Workers of older generations must leave, and so must those of later ones up to
 * WITHDRAWN.
 */
const GENERATION = 0;
const QUEUED = 1;
/** Drain time of a replaced worker, in ms: for connections that wait for an answer. */
const DRAIN = 2;
/** Number of connections closed by a leaving worker: after an answer, and without. */
const ANSWERED = 3;
const CUT = 4;
/** When the drain of a stop ends, in ms since the machine was started. */
const END = 5;
/** The last generation that could not be started completely. */
const WITHDRAWN = 6;
/** One past the last row that was ever used. */
const ROWS_USED = 15;
const COUNTS = 16;

/** The generation after the last: all workers must leave, and none follow. */
const NONE = 2 ** 31 - 1;

// Words of a row.
const PID = 0;
const TID = 1;
const STATE = 2;
const ACCEPTED = 3;
const OPEN = 4;
const TURNS = 5;
const FAMILY = 6;
/** Two words combined. */
const UNSENT = 14;

/** One row, read at some moment. */
export interface RowReading {
  readonly row: number;
  readonly pid: number;
  /** The worker process of the row: its own process, or the one that started it. */
  readonly family: number;
  readonly tid: number;
  readonly state: State;
  /** Connections accepted so far by this worker. */
  readonly accepted: number;
  /** Conversations it has open now. */
  readonly open: number;
  /** Rises each time that the worker changes its state. */
  readonly turns: number;
}

/** Time in ms, by a clock that all processes share. It wraps after 24 days, so take differences modulo 2^32. */
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

  /** The orders for workers of that generation, from 1. */
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

  /** Makes all workers of older generations leave, because others have taken their place. @param drain in ms */
  replace(generation: number, drain: number): void {
    Atomics.store(this.#words, DRAIN, drain);
    Atomics.store(this.#words, GENERATION, generation);
  }

  /** Makes the workers of a generation that could not start completely leave. @param drain in ms */
  withdraw(generation: number, drain: number): void {
    Atomics.store(this.#words, DRAIN, drain);
    Atomics.store(this.#words, WITHDRAWN, generation);
  }

  /** Makes all workers leave; none follow. @param left the time they have, in ms; a second call may shorten it */
  stop(left: number): void {
    Atomics.store(this.#words, END, clock() + left);
    Atomics.store(this.#words, GENERATION, NONE);
  }

  /** Adds the connections of a worker that was killed while it was leaving, and could not count them itself. */
  addCut(connections: number): void {
    Atomics.add(this.#words, CUT, connections);
  }

  /** Connections that a leaving worker has closed: after an answer, and without. */
  get departed(): { readonly answered: number; readonly cut: number } {
    return { answered: this.#words[ANSWERED]!, cut: this.#words[CUT]! };
  }

  /** The memory of `Admission`. */
  get admission(): Int32Array {
    return this.#words.subarray(ADMISSION_AT, ADMISSION_AT + ADMISSION_WORDS);
  }

  /** Number of accepted sockets that wait for a worker thread; only `queued` has a queue. */
  get queued(): number {
    return this.#words[QUEUED]!;
  }

  set queued(depth: number) {
    this.#words[QUEUED] = depth;
  }

  /** A connection was closed or refused for that reason, or would have been in a dry run. */
  count(reason: Reason): void {
    Atomics.add(this.#words, COUNTS + reasons.indexOf(reason), 1);
  }

  /** Number of times so far, by reason. Reasons that never occurred are left out. */
  get counts(): Partial<Record<Reason, number>> {
    const counted = reasons.map((reason, i) => [reason, this.#words[COUNTS + i]!] as const);
    return Object.fromEntries(counted.filter(([, count]) => count > 0));
  }

  /** Total of answer bytes that peers have not taken, over all rows. */
  unsent(): number {
    let unsent = 0n;
    const end = HEADER_WORDS + Atomics.load(this.#words, ROWS_USED) * ROW_WORDS;
    for (let at = HEADER_WORDS; at < end; at += ROW_WORDS) {
      unsent += Atomics.load(this.#words64, (at + UNSENT) >> 1);
    }
    return Number(unsent);
  }

  /** Takes a free row. If all are taken, the last one is shared. */
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
    throw new Error('unreachable: the last row is always available');
  }

  /** The rows in use. The rows of ended workers are included until they are freed. */
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

  /** Frees the rows of workers that have ended without doing it themselves. Returns their last readings. */
  freeRows(isGone: (row: RowReading) => boolean): RowReading[] {
    const gone = this.read().filter(isGone);
    for (const { row } of gone) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      clear(this.#words.subarray(at, at + ROW_WORDS));
    }
    return gone;
  }

  unmap(): void {
    // Later readers get the last known values: a read of unmapped memory would end the process.
    this.#words = this.#words.slice();
    this.#words64 = words64Of(this.#words);
    this.#mapping.unmap();
  }
}

const words64Of = (words: Int32Array) =>
  new BigInt64Array(words.buffer, words.byteOffset, words.length >> 1);

/** Number of connections in these rows. */
export const openOf = (rows: readonly RowReading[]): number =>
  rows.reduce((sum, { open }) => sum + open, 0);

/** A worker's own row. Plain stores: a reader may see a number one event late, never a half-written one. */
export class Row {
  readonly #words: Int32Array;
  readonly #words64: BigInt64Array;

  readonly #isShared: boolean;
  /** This worker's share of UNSENT. */
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

  /** Adds to the answer bytes that peers have not taken; negative: fewer. Exact even if a row is shared. */
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

/** Empties a row. The process number comes last, because after it another worker may take the row. */
function clear(row: Int32Array): void {
  row.fill(0, PID + 1);
  Atomics.store(row, PID, 0);
}

/** A row that no reader sees, for use without shared memory. */
export const unreadRow = (): Row => new Row(new Int32Array(ROW_WORDS), 0, 0);
