/**
 * The scoreboard: one table in shared memory, with a row per worker. Every thread and process of a server maps it.
 * A worker writes only its own row; readers read all of them.
 */

import type { Orders } from '../lifecycle/drain.ts';
import type { HeaderResult } from '../lifecycle/proxied.ts';
import { ADMISSION_WORDS } from '../limits/admission.ts';
import type { Mapping } from '../os/memory.ts';
import type { ConversationEnd } from '../protocol/account.ts';
import { ANSWER_TIMES_WORDS } from './answer-times.ts';
import { COUNT_WORDS, Counts } from './counts.ts';
import { type Reason, reasons } from './reasons.ts';
import { nameOfState, type State, type StateNumber, states } from './states.ts';

/**
 * Number of rows: for the threads of all processes and generations. More threads are not listed. Unused rows take
 * no memory.
 */
const ROWS = 8192;
/** 64 bytes, a cache line: two workers never write to the same one. */
const ROW_WORDS = 16;
const HEADER_WORDS = 256;

/** How connections end, in the order of the counts in the table. */
const ends = [
  ...(['closed', 'hungUp', 'unsent', 'failed', 'threw', 'limited', 'cut'] as const),
  /** Its worker died, and could not account for it. */
  'lost',
] as const satisfies readonly (ConversationEnd['type'] | 'lost')[];
export type End = (typeof ends)[number];

/** A count of zero for each way to end. */
export const noEnds = (): Record<End, number> =>
  Object.fromEntries(ends.map((end) => [end, 0])) as Record<End, number>;

/** A count of zero for each reason. */
export const noReasons = (): Record<Reason, number> =>
  Object.fromEntries(reasons.map((reason) => [reason, 0])) as Record<Reason, number>;

/** The counts without those that are zero. */
export const onlyCounted = (counts: Record<Reason, number>): Partial<Record<Reason, number>> =>
  Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0));

/** Headers of the PROXY protocol that were used, in the order of their counts in the table. */
const headers = ['v1', 'v2', 'local', 'unspecified'] as const;
export type Header = (typeof headers)[number];

/** True for a header that was used. The other results are reasons. */
export const isHeader = (result: HeaderResult): result is Header =>
  headers.some((header) => header === result);

/** The memory of the admission comes after the rows. */
const ADMISSION_AT = HEADER_WORDS + ROWS * ROW_WORDS;

/** Number of workers that may serve at the same time, in one generation. */
export const MOST_PLACES = 102_400;
/** After the admission: the connections of each worker's place, over all generations that were there. */
const PLACES_AT = ADMISSION_AT + ADMISSION_WORDS;

/** Size in bytes. Unused parts of the admission's tables, and of the places, take no memory. */
export const SCOREBOARD_SIZE = (PLACES_AT + MOST_PLACES * COUNT_WORDS) * 4;

// Words of the header.
/**
 * The generation that serves. Workers of older generations must leave, and so must those of later ones up to
 * WITHDRAWN.
 */
const GENERATION = 0;
const QUEUED = 1;
/** Drain time of a replaced worker, in ms: for connections that wait for an answer. */
const DRAIN = 2;
/** When the drain of a stop ends, in ms since the machine was started. */
const END = 3;
/** The last generation that could not be started completely. */
const WITHDRAWN = 4;
/** One past the last row that was ever used. */
const ROWS_USED = 5;
const totals = [
  // What the rows that were freed had counted.
  ...(['connections', 'questions', 'received', 'sent'] as const),
  /** Events that workers could not write to the journal. */
  'dropped',
  // Connections closed by a leaving worker: after an answer, and without.
  ...(['answered', 'cut'] as const),
] as const;

/** The counters, apart from the words that every worker reads: by reason, by header, by `ends`, and `totals`. */
const REASONS = 16;
const HEADERS = REASONS + reasons.length * COUNT_WORDS;
const ENDS = HEADERS + headers.length * COUNT_WORDS;
const TOTALS = ENDS + ends.length * COUNT_WORDS;
/** The histogram of answer times: see answer-times.ts. */
const ANSWER_TIMES = TOTALS + totals.length * COUNT_WORDS;

/** The generation after the last: all workers must leave, and none follow. */
const NONE = 2 ** 31 - 1;

// Words of a row.
const PID = 0;
const TID = 1;
/** The state in the lowest bits, and above it how often it has changed. */
const STATE = 2;
const STATE_BITS = 4;
const OPEN = 3;
const FAMILY = 4;
/** The worker's place, from 1; 0: none. */
const PLACE = 5;
/** Four doubles: answered questions, bytes received, bytes of answers, accepted connections. */
const WORK = 6;
const WORK_KINDS = 4;
const ACCEPTED = 3;
/** Two words combined. */
const UNSENT = 14;

/** What workers have done. */
export interface Work {
  /** Answered questions. */
  readonly questions: number;
  /** Accepted connections. */
  readonly connections: number;
  /** Bytes that clients have sent. */
  readonly received: number;
  /** Bytes of answers. Clients that left early have not taken all of them. */
  readonly sent: number;
}

/**
 * One row, read at some moment.
 *
 * @example
 * ```ts
 * import type { RowReading } from 'mondo';
 *
 * export const busiest = (rows: readonly RowReading[]): RowReading | undefined =>
 *   rows.toSorted((one, other) => other.open - one.open)[0];
 * ```
 */
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
  /** Rises by 1 each time that the worker changes its state, modulo 2^28. */
  readonly turns: number;
}

/** Time in ms, by a clock that all processes share. It wraps after 24 days, so take differences modulo 2^32. */
function clock(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return (seconds * 1000 + nanoseconds / 1e6) | 0;
}

export class Scoreboard {
  readonly #mapping: Mapping;
  #words!: Int32Array;
  #words64!: BigInt64Array;
  #totals!: Counts<(typeof totals)[number]>;
  #reasons!: Counts<Reason>;
  #headers!: Counts<Header>;
  #ends!: Counts<End>;

  constructor(mapping: Mapping) {
    this.#mapping = mapping;
    this.#view(mapping.words);
  }

  #view(words: Int32Array): void {
    const words64 = words64Of(words);
    this.#words = words;
    this.#words64 = words64;
    this.#totals = new Counts(words64, TOTALS, totals);
    this.#reasons = new Counts(words64, REASONS, reasons);
    this.#headers = new Counts(words64, HEADERS, headers);
    this.#ends = new Counts(words64, ENDS, ends);
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
        board.#totals.add(outcome);
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
    this.#totals.add('cut', connections);
  }

  /** Connections that a leaving worker has closed: after an answer, and without. */
  get departed(): { readonly answered: number; readonly cut: number } {
    const { answered, cut } = this.#totals.read();
    return { answered, cut };
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
    // A thread that notes it looks at the queue again afterwards: the store must not come after that look.
    Atomics.store(this.#words, QUEUED, depth);
  }

  /** A connection was closed or refused for that reason, or would have been in a dry run. */
  count(reason: Reason): void {
    this.#reasons.add(reason);
  }

  /** Number of times so far, by reason. Reasons that never occurred are left out. */
  get counts(): Partial<Record<Reason, number>> {
    return onlyCounted(this.allCounts);
  }

  /** The same, with zeroes. */
  get allCounts(): Record<Reason, number> {
    return this.#reasons.read();
  }

  /** Counts a connection that has ended. */
  countEnd(end: End, connections = 1): void {
    this.#ends.add(end, connections);
  }

  /** Connections that have ended, by the way in which they ended. */
  get ended(): Record<End, number> {
    return this.#ends.read();
  }

  /** Counts an event that a worker could not write to the journal. */
  countDropped(): void {
    this.#totals.add('dropped');
  }

  /** The memory of the histogram of answer times. */
  get answerTimes(): Int32Array {
    return this.#words.subarray(ANSWER_TIMES, ANSWER_TIMES + ANSWER_TIMES_WORDS);
  }

  get dropped(): number {
    return this.#totals.read().dropped;
  }

  /** A proxy has sent a header, or none. Faults count as reasons. */
  countHeader(result: HeaderResult): void {
    if (isHeader(result)) this.#headers.add(result);
    else this.count(result);
  }

  /** Number of used headers so far, by what they were. */
  get headers(): Readonly<Record<Header, number>> {
    return this.#headers.read();
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

  /** What the server has done so far: all workers, also those that have ended. */
  get served(): { readonly questions: number; readonly connections: number } {
    const { questions, connections } = this.work();
    return { questions, connections };
  }

  /**
   * The work of all workers so far, also of those that have ended. It reads the totals of the freed rows first: the
   * work of a row that is freed at this moment may be missing, and is never counted twice.
   */
  work(): Work {
    let { connections, questions, received, sent } = this.#totals.read();
    for (const row of this.#usedRows()) {
      const work = workOf(row);
      questions += work[0]!;
      received += work[1]!;
      sent += work[2]!;
      connections += work[ACCEPTED]!;
    }
    return { questions, connections, received, sent };
  }

  /** Connections accepted so far in each of the first `places` places, by workers of all generations. */
  acceptedIn(places: number): number[] {
    const accepted = [...this.#placeCounts.subarray(0, places)].map(Number);
    for (const row of this.#usedRows()) {
      const place = row[PLACE]! - 1;
      if (place >= 0 && place < places) accepted[place]! += workOf(row)[ACCEPTED]!;
    }
    return accepted;
  }

  *#usedRows(): Generator<Int32Array> {
    const used = Atomics.load(this.#words, ROWS_USED);
    for (let i = 0; i < used; i++) {
      const at = HEADER_WORDS + i * ROW_WORDS;
      yield this.#words.subarray(at, at + ROW_WORDS);
    }
  }

  /** By place: what the rows that were freed had accepted. */
  get #placeCounts(): BigInt64Array {
    return this.#words64.subarray(PLACES_AT >> 1);
  }

  /** Adds what a row has counted to the totals, before the row is cleared. */
  #keep(row: Int32Array): void {
    const [questions, received, sent, accepted] = workOf(row);
    this.#totals.add('questions', questions!);
    this.#totals.add('received', received!);
    this.#totals.add('sent', sent!);
    this.#totals.add('connections', accepted!);
    const place = row[PLACE]! - 1;
    if (place >= 0) Atomics.add(this.#placeCounts, place, BigInt(accepted!));
  }

  /**
   * Takes a free row. If all are taken, the last one is shared.
   *
   * @param place the worker's place among those that serve at the same time, from 0; left out for a thread or process
   *   that comes and goes
   * @param generation of the worker; left out for a row without orders
   */
  claim(pid: number, tid: number, family: number, place = -1, generation = -1): Row {
    for (let i = 0; i < ROWS; i++) {
      const at = HEADER_WORDS + i * ROW_WORDS;
      const isShared = i === ROWS - 1;
      if (!isShared && Atomics.compareExchange(this.#words, at + PID, 0, pid) !== 0) continue;
      for (let used = this.#words[ROWS_USED]!; used <= i; used = this.#words[ROWS_USED]!) {
        Atomics.compareExchange(this.#words, ROWS_USED, used, i + 1);
      }
      const words = this.#words.subarray(at, at + ROW_WORDS);
      words[PLACE] = place + 1;
      const keep = (row: Int32Array) => this.#keep(row);
      return new Row(words, tid, family, { board: this.#words, at, generation, isShared, keep });
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
      readings.push(readingOf(this.#words.subarray(at, at + ROW_WORDS), i));
    }
    return readings;
  }

  /** Frees the rows of workers that have ended without doing it themselves. Returns their last readings. */
  freeRows(isGone: (row: RowReading) => boolean): RowReading[] {
    const gone = this.read().filter(isGone);
    for (const { row } of gone) {
      const at = HEADER_WORDS + row * ROW_WORDS;
      const words = this.#words.subarray(at, at + ROW_WORDS);
      this.#keep(words);
      clear(words);
    }
    this.countEnd('lost', openOf(gone));
    return gone;
  }

  unmap(): void {
    // Later readers get the last known values: a read of unmapped memory would end the process.
    this.#view(this.#words.slice());
    this.#mapping.unmap();
  }
}

const words64Of = (words: Int32Array) =>
  new BigInt64Array(words.buffer, words.byteOffset, words.length >> 1);

/** The counters of a row: see WORK. */
const workOf = (row: Int32Array) =>
  new Float64Array(row.buffer, row.byteOffset + WORK * 4, WORK_KINDS);

const readingOf = (words: Int32Array, row: number): RowReading => ({
  row,
  pid: words[PID]!,
  family: words[FAMILY]!,
  tid: words[TID]!,
  state: nameOfState(words[STATE]! & (2 ** STATE_BITS - 1)),
  accepted: workOf(words)[ACCEPTED]!,
  open: words[OPEN]!,
  turns: words[STATE]! >>> STATE_BITS,
});

/** Number of connections in these rows. */
export const openOf = (rows: readonly RowReading[]): number =>
  rows.reduce((sum, { open }) => sum + open, 0);

/** What a row in shared memory has besides its words. */
interface RowParts {
  readonly board?: Int32Array;
  /** Index of the row's first word. */
  readonly at?: number;
  readonly generation?: number;
  readonly isShared?: boolean;
  keep?(row: Int32Array): void;
}

/** A worker's own row. Plain stores: a reader may see a number one event late, never a half-written one. */
export class Row {
  // What a question needs comes first, in one view of the memory: 64 threads share a processor's caches.
  /** The whole scoreboard. */
  readonly #board: Int32Array;
  readonly #stateAt: number;
  readonly #generation: number;
  readonly #words: Int32Array;
  readonly #words64: BigInt64Array;
  readonly #isShared: boolean;
  readonly #keep: (row: Int32Array) => void;
  /** Answered questions, bytes received, and bytes of answers: the worker adds to these. Then accepted connections. */
  readonly work: Float64Array;
  /** This worker's share of UNSENT. */
  #unsent = 0;

  constructor(
    words: Int32Array,
    tid: number,
    family: number,
    { board = words, at = 0, generation = -1, isShared = false, keep = () => {} }: RowParts = {},
  ) {
    this.#board = board;
    this.#stateAt = at + STATE;
    this.#generation = generation;
    this.#isShared = isShared;
    this.#keep = keep;
    this.#words = words;
    this.work = workOf(words);
    this.#words64 = words64Of(words);
    words[TID] = tid;
    words[FAMILY] = family;
    words[STATE] = states.starting;
  }

  set state(state: StateNumber) {
    const turns = this.#board[this.#stateAt]! >>> STATE_BITS;
    this.#board[this.#stateAt] = ((turns + 1) << STATE_BITS) | state;
  }

  /**
   * True if the worker's generation serves. This is the usual case, and costs little to find out. If it is false, ask
   * its orders: another generation may serve already or still.
   */
  get isInService(): boolean {
    return this.#board[GENERATION] === this.#generation;
  }

  /** The row as a reader of the scoreboard sees it, as the first one. */
  get reading(): RowReading {
    return readingOf(this.#words, 0);
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.work[ACCEPTED]!;
  }

  accepted(): void {
    this.work[ACCEPTED]!++;
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
    if (this.#isShared) {
      this.addUnsent(-this.#unsent);
      return;
    }
    this.#keep(this.#words);
    clear(this.#words);
  }
}

/** Empties a row. The process number comes last, because after it another worker may take the row. */
function clear(row: Int32Array): void {
  row.fill(0, PID + 1);
  Atomics.store(row, PID, 0);
}

/** The only row of a server that is this one process. @param pid its id, and that of its main thread */
export function ownRow(pid: number): Row {
  const words = new Int32Array(ROW_WORDS);
  words[PID] = pid;
  return new Row(words, pid, pid);
}

/** A row that no reader sees, for use without shared memory. */
export const unreadRow = (): Row => new Row(new Int32Array(ROW_WORDS), 0, 0);
