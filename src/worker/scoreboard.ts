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
import { type Reason, reasons } from './reasons.ts';

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
const HEADER_WORDS = 128;

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
export const SCOREBOARD_SIZE = (PLACES_AT + MOST_PLACES) * 4;

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
/** Totals of the rows that were freed, of two words each: accepted connections, and answered questions. */
const FREED_ACCEPTED = 8;
const FREED_QUESTIONS = 10;
/** One past the last row that was ever used. */
const ROWS_USED = 15;
const COUNTS = 16;
const HEADERS = 48;
/** Connections that have ended, by `ends`. */
const ENDS = 64;
/** Totals of the rows that were freed, of two words each: bytes received, and bytes of answers. */
const FREED_RECEIVED = 80;
const FREED_SENT = 82;
/** Events that workers could not write to the journal. */
const DROPPED = 84;
/** The histogram of answer times: see answer-times.ts. */
const ANSWER_TIMES = 86;

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
/** The worker's place, from 1; 0: none. */
const PLACE = 7;
/** Three doubles: answered questions, bytes received, and bytes of answers. */
const WORK = 8;
const WORK_KINDS = 3;
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
    // A thread that notes it looks at the queue again afterwards: the store must not come after that look.
    Atomics.store(this.#words, QUEUED, depth);
  }

  /** A connection was closed or refused for that reason, or would have been in a dry run. */
  count(reason: Reason): void {
    Atomics.add(this.#words, COUNTS + reasons.indexOf(reason), 1);
  }

  /** Number of times so far, by reason. Reasons that never occurred are left out. */
  get counts(): Partial<Record<Reason, number>> {
    return onlyCounted(this.allCounts);
  }

  /** The same, with zeroes. */
  get allCounts(): Record<Reason, number> {
    const counted = reasons.map((reason, i) => [reason, this.#words[COUNTS + i]!] as const);
    return Object.fromEntries(counted) as Record<Reason, number>;
  }

  /** Counts a connection that has ended. */
  countEnd(end: End, connections = 1): void {
    Atomics.add(this.#words, ENDS + ends.indexOf(end), connections);
  }

  /** Connections that have ended, by the way in which they ended. */
  get ended(): Record<End, number> {
    const counted = ends.map((end, i) => [end, this.#words[ENDS + i]!] as const);
    return Object.fromEntries(counted) as Record<End, number>;
  }

  /** Counts an event that a worker could not write to the journal. */
  countDropped(): void {
    Atomics.add(this.#words, DROPPED, 1);
  }

  /** The memory of the histogram of answer times. */
  get answerTimes(): Int32Array {
    return this.#words.subarray(ANSWER_TIMES, ANSWER_TIMES + ANSWER_TIMES_WORDS);
  }

  get dropped(): number {
    return this.#words[DROPPED]!;
  }

  /** A proxy has sent a header, or none. Faults count as reasons. */
  countHeader(result: HeaderResult): void {
    if (isHeader(result)) Atomics.add(this.#words, HEADERS + headers.indexOf(result), 1);
    else this.count(result);
  }

  /** Number of used headers so far, by what they were. */
  get headers(): Readonly<Record<Header, number>> {
    const counted = headers.map((header, i) => [header, this.#words[HEADERS + i]!] as const);
    return Object.fromEntries(counted) as Record<Header, number>;
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
    const total = (word: number) => Number(this.#words64[word >> 1]);
    let connections = total(FREED_ACCEPTED);
    let questions = total(FREED_QUESTIONS);
    let received = total(FREED_RECEIVED);
    let sent = total(FREED_SENT);
    for (const row of this.#usedRows()) {
      const work = workOf(row);
      connections += row[ACCEPTED]!;
      questions += work[0]!;
      received += work[1]!;
      sent += work[2]!;
    }
    return { questions, connections, received, sent };
  }

  /** Connections accepted so far in each of the first `places` places, by workers of all generations. */
  acceptedIn(places: number): number[] {
    const accepted = [...this.#words.subarray(PLACES_AT, PLACES_AT + places)];
    for (const row of this.#usedRows()) {
      const place = row[PLACE]! - 1;
      if (place >= 0 && place < places) accepted[place]! += row[ACCEPTED]!;
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

  /** Adds what a row has counted to the totals, before the row is cleared. */
  #keep(row: Int32Array): void {
    const accepted = row[ACCEPTED]!;
    Atomics.add(this.#words64, FREED_ACCEPTED >> 1, BigInt(accepted));
    const [questions, received, sent] = workOf(row);
    Atomics.add(this.#words64, FREED_QUESTIONS >> 1, BigInt(questions!));
    Atomics.add(this.#words64, FREED_RECEIVED >> 1, BigInt(received!));
    Atomics.add(this.#words64, FREED_SENT >> 1, BigInt(sent!));
    if (row[PLACE]! > 0) Atomics.add(this.#words, PLACES_AT + row[PLACE]! - 1, accepted);
  }

  /**
   * Takes a free row. If all are taken, the last one is shared.
   *
   * @param place the worker's place among those that serve at the same time, from 0; left out for a thread or process
   *   that comes and goes
   */
  claim(pid: number, tid: number, family: number, place = -1): Row {
    for (let i = 0; i < ROWS; i++) {
      const at = HEADER_WORDS + i * ROW_WORDS;
      const isShared = i === ROWS - 1;
      if (!isShared && Atomics.compareExchange(this.#words, at + PID, 0, pid) !== 0) continue;
      for (let used = this.#words[ROWS_USED]!; used <= i; used = this.#words[ROWS_USED]!) {
        Atomics.compareExchange(this.#words, ROWS_USED, used, i + 1);
      }
      const words = this.#words.subarray(at, at + ROW_WORDS);
      words[PLACE] = place + 1;
      return new Row(words, tid, family, isShared, (row) => this.#keep(row));
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
    this.#words = this.#words.slice();
    this.#words64 = words64Of(this.#words);
    this.#mapping.unmap();
  }
}

const words64Of = (words: Int32Array) =>
  new BigInt64Array(words.buffer, words.byteOffset, words.length >> 1);

/** The counters of a row's work: answered questions, bytes received, bytes of answers. */
const workOf = (row: Int32Array) =>
  new Float64Array(row.buffer, row.byteOffset + WORK * 4, WORK_KINDS);

const readingOf = (words: Int32Array, row: number): RowReading => ({
  row,
  pid: words[PID]!,
  family: words[FAMILY]!,
  tid: words[TID]!,
  state: states[words[STATE]!] ?? 'free',
  accepted: words[ACCEPTED]!,
  open: words[OPEN]!,
  turns: words[TURNS]!,
});

/** Number of connections in these rows. */
export const openOf = (rows: readonly RowReading[]): number =>
  rows.reduce((sum, { open }) => sum + open, 0);

/** A worker's own row. Plain stores: a reader may see a number one event late, never a half-written one. */
export class Row {
  readonly #words: Int32Array;
  readonly #words64: BigInt64Array;

  readonly #isShared: boolean;
  readonly #keep: (row: Int32Array) => void;
  /** Answered questions, bytes received, and bytes of answers: the worker adds to these. */
  readonly work: Float64Array;
  /** This worker's share of UNSENT. */
  #unsent = 0;

  constructor(
    words: Int32Array,
    tid: number,
    family: number,
    isShared = false,
    keep: (row: Int32Array) => void = () => {},
  ) {
    this.#isShared = isShared;
    this.#keep = keep;
    this.#words = words;
    this.work = workOf(words);
    this.#words64 = words64Of(words);
    words[TID] = tid;
    words[FAMILY] = family;
    words[STATE] = numberOf.starting;
  }

  set state(state: State) {
    this.#words[STATE] = numberOf[state];
    this.#words[TURNS]!++;
  }

  /** The row as a reader of the scoreboard sees it, as the first one. */
  get reading(): RowReading {
    return readingOf(this.#words, 0);
  }

  /** Connections accepted so far. */
  get connections(): number {
    return this.#words[ACCEPTED]!;
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
