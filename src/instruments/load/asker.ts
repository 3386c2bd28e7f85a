/**
 * Asks the questions of a plan over a wire, and records when each was due, sent and answered.
 *
 * In the closed loop, a question is due when its connection is free for it. In the open loop, the
 * schedule says when each question is due, and question k goes to connection k mod n. If that
 * connection is busy, the question waits. So would the client that it stands for, and its response
 * time includes this wait.
 */
import { constants } from 'node:os';
import { errnoName } from '../../os/libc.ts';
import { processorWait } from '../../os/thread-usage.ts';
import { Timers } from '../../protocol/timers.ts';
import { Answers, MORE, WRONG } from './answers.ts';
import type { Batch, Ended, Outcome } from './batch.ts';
import { Books, threadCpu } from './books.ts';
import { Flights } from './flights.ts';
import { type LoadPlan, shareOf } from './plan.ts';
import { exponential, randomOf } from './random.ts';
import { Schedule } from './schedule.ts';
import { Script } from './script.ts';
import { Stalls } from './stalls.ts';
import type { Wire, WireEvents } from './wire.ts';

const CLOSED = 0;
const CONNECTING = 1;
const OPEN = 2;

/** Limit for concurrent handshakes. It is smaller than any usual backlog. */
const MOST_HANDSHAKES = 128;
/** Delay before a connection is opened again after it ended without one answer, in ms. */
const RETRY_DELAY = 100;
/** Longest wait of one turn, in ms. It bounds the delay of Ctrl-C. */
const LONGEST_WAIT = 50;
/** Limit for due questions that are queued in one turn, so that answers are read in between. */
const MOST_DUE = 8192;
/**
 * Limit for questions that wait to be sent. Each takes 8 bytes, or up to 16 while a queue grows.
 */
const MOST_WAITING = 5_000_000;

const { EADDRNOTAVAIL, ECONNREFUSED, EMFILE, ENFILE, ETIMEDOUT } = constants.errno;

const connectOutcomes: Readonly<Record<number, Outcome>> = {
  [EADDRNOTAVAIL]: 'noPorts',
  [ECONNREFUSED]: 'refused',
  [EMFILE]: 'noDescriptors',
  [ENFILE]: 'noDescriptors',
  [ETIMEDOUT]: 'connectTimeout',
};

export class Asker implements WireEvents {
  readonly #plan: LoadPlan;
  readonly #script: Script;
  readonly #answers: Answers;
  readonly #flights: Flights;
  readonly #books: Books;
  readonly #wire: Wire;
  /** Number of connections of this shard. */
  readonly #count: number;
  readonly #state: Uint8Array;
  /**
   * By connection: the number in the cycle of the next question to send, and of the next answer to
   * read.
   */
  readonly #next: Int32Array;
  readonly #expected: Int32Array;
  /** By connection, since it was opened. */
  readonly #asked: Int32Array;
  readonly #answered: Int32Array;
  /** By connection: when the latest handshake began, and the first. */
  readonly #connectAt: Float64Array;
  readonly #firstConnectAt: Float64Array;
  readonly #firstAnswers: Float64Array;
  /** By connection: the second of the measured time in which it was last answered. */
  readonly #lastAnswer: Int32Array;
  readonly #hasAsked: Uint8Array;

  /** Connections that have something to send, each at most once. */
  #ready: number[] = [];
  readonly #isReady: Uint8Array;
  /** Pairs of connection and count: the questions that the next turn sends. */
  readonly #stamps: number[] = [];
  /** Connections that wait to be opened, in order. */
  readonly #toOpen: number[] = [];
  #handshakes = 0;
  #nextConnect = 0;
  #connected = 0;
  #opened = 0;
  /** Ends of think times and of retry delays. A retry delay has no `due`. */
  readonly #timers = new Timers<{ readonly c: number; readonly due?: number }>();
  readonly #think: () => number;
  #schedule: Schedule | undefined;
  #nextDue = Number.POSITIVE_INFINITY;
  #question = 0;
  /** Questions of the measured time that were skipped. */
  #unreached = 0;
  #now = performance.now();
  /** When the last turn ended. */
  #turned = this.#now;
  #looked = 0;
  readonly #stalls: Stalls;

  constructor(
    plan: LoadPlan,
    wire: (events: WireEvents, connections: number) => Wire,
    tell: (batch: Batch) => void,
  ) {
    this.#plan = plan;
    const n = shareOf(plan);
    this.#count = n;
    this.#script = new Script(plan.exchanges, plan.framing);
    this.#answers = new Answers(this.#script, plan.framing, n);
    this.#flights = new Flights(n, plan.pipeline);
    this.#books = new Books(plan, this.#now, tell);
    this.#state = new Uint8Array(n);
    this.#next = new Int32Array(n);
    this.#expected = new Int32Array(n);
    this.#asked = new Int32Array(n);
    this.#answered = new Int32Array(n);
    this.#connectAt = new Float64Array(n);
    this.#firstConnectAt = new Float64Array(n).fill(Number.NaN);
    this.#firstAnswers = new Float64Array(n).fill(Number.NaN);
    this.#lastAnswer = new Int32Array(n).fill(-1);
    this.#hasAsked = new Uint8Array(n);
    this.#isReady = new Uint8Array(n);
    this.#stalls = new Stalls(plan.maxLag, threadCpu, processorWait());
    const random = randomOf(plan.seed + plan.shard.index);
    this.#think =
      plan.thinkHow === 'constant' ? () => plan.think : () => plan.think * exponential(random);
    this.#wire = wire(this, n);
  }

  get engine(): Wire['engine'] {
    return this.#wire.engine;
  }

  /**
   * Opens the connections, as far as possible, and then runs the plan.
   *
   * @param isStopped called once a turn
   * @param began called when the schedule begins, with that time in ms since 1970
   */
  run(isStopped: () => boolean, began: (at: number) => void): Ended {
    const books = this.#books;
    for (let c = 0; c < this.#count; c++) this.#toOpen.push(c);
    while (!isStopped() && this.#toOpen.length + this.#handshakes > 0) this.#beforehand(this.#now);
    books.phase = 'waiting';
    const startAt = (this.#plan.startAt ?? 0) - performance.timeOrigin;
    const startedLate = this.#plan.startAt === undefined ? 0 : Math.max(0, this.#now - startAt);
    while (!isStopped() && this.#now < startAt) this.#beforehand(startAt);
    this.#begin();
    began(performance.timeOrigin + books.began);
    while (!isStopped() && this.#now < books.measureTo) this.#turn(this.#ask());
    const interrupted = this.#now < books.measureTo;
    // Queues the questions that became due while the last wait took too long.
    while (!interrupted && this.#nextDue < books.measureTo && this.waiting < MOST_WAITING) {
      this.#release();
    }
    if (!interrupted) this.#passOver(books.measureTo);
    books.finish(this.#now, this);
    const end = books.measureTo + (interrupted ? 0 : this.#plan.grace);
    while (!isStopped() && this.#now < end && this.inFlight + this.waiting > 0) {
      this.#turn(Math.min(this.#ask(), end - this.#now));
    }
    this.#leaveUnserved();
    books.close(this.#now, this);
    this.#wire.end();
    return {
      kind: 'ended',
      measured: books.measureTo - books.measureFrom,
      interrupted: interrupted || isStopped(),
      firstAnswers: this.#firstAnswers,
      asked: this.#hasAsked,
      opened: this.#opened,
      startedLate,
      unreached: this.#unreached,
    };
  }

  get inFlight(): number {
    return this.#flights.flying;
  }
  get waiting(): number {
    return this.#flights.waiting;
  }
  get open(): number {
    return this.#connected;
  }
  starvedIn(second: number): number {
    let starved = 0;
    for (let c = 0; c < this.#count; c++) {
      if (this.#lastAnswer[c] !== second && this.#flights.isBusy(c)) starved++;
    }
    return starved;
  }

  #beforehand(until: number): void {
    const wait = this.#openSome();
    this.#look();
    this.#books.keep(this.#now, this);
    this.#turn(Math.max(0, Math.min(wait, until > this.#now ? until - this.#now : LONGEST_WAIT)));
  }

  #begin(): void {
    this.#books.begin(this.#now);
    if (this.#plan.loop === 'open') {
      this.#schedule = new Schedule(this.#plan);
      this.#nextDue = this.#books.began + this.#schedule.next();
      return;
    }
    for (let c = 0; c < this.#count; c++) {
      for (let i = 0; i < this.#plan.pipeline; i++) this.#flights.want(c);
      this.#makeReady(c);
    }
  }

  /** Does one turn's work before the wait. Returns how long the turn may wait, in ms. */
  #ask(): number {
    const books = this.#books;
    if (books.keep(this.#now, this)) {
      this.#leaveWarmUp();
      for (let c = 0; c < this.#count; c++) if (this.#flights.isBusy(c)) this.#hasAsked[c] = 1;
    }
    const now = this.#now;
    this.#takeUp(now);
    for (let due = this.#timers.takeDue(now); due !== undefined; due = this.#timers.takeDue(now)) {
      if (due.due === undefined) this.#toOpen.push(due.c);
      else if (due.due < books.measureTo) this.#queue(due.c, due.due);
    }
    this.#look();
    const connectIn = this.#openSome();
    if (this.#flush()) return 0;
    const next = Math.min(this.#timers.next, this.#nextDue, books.boundary);
    const wait = Math.min(LONGEST_WAIT, connectIn, next - this.#now);
    return books.phase === 'finishing' ? Math.min(LONGEST_WAIT, connectIn) : Math.max(0, wait);
  }

  #turn(timeout: number): void {
    this.#wire.turn(timeout);
    const began = this.#turned;
    this.#now = performance.now();
    this.#turned = this.#now;
    const kept = this.#stalls.turn(began, this.#now, timeout);
    if (kept > 0) this.#books.stall(kept, began, this.#now);
  }

  /** Queues the questions that are due, up to the limits of this turn and of memory. */
  #takeUp(now: number): void {
    for (let left = MOST_DUE; left > 0 && this.#nextDue <= now; left--) {
      if (this.waiting < MOST_WAITING) this.#release();
      else {
        this.#passOver(now);
        return;
      }
    }
  }

  /**
   * Ends the warm-up. It drops the questions that warm-up left behind if its rate was far too high.
   * Otherwise they would fill the measured time.
   */
  #leaveWarmUp(): void {
    if (this.#schedule === undefined) return;
    const { measureFrom } = this.#books;
    for (let left = MOST_DUE; left > 0 && this.#nextDue < measureFrom; left--) this.#release();
    if (this.#nextDue >= measureFrom && this.waiting < MOST_WAITING) return;
    this.#passOver(measureFrom);
    for (let c = 0; c < this.#count; c++) {
      while (this.#flights.waitingOn(c) > 0) this.#flights.drop(c);
    }
  }

  /** Skips all questions that are due before `until`: they count as never served. */
  #passOver(until: number): void {
    const { began, measureFrom } = this.#books;
    if (this.#nextDue < measureFrom && until > measureFrom) this.#passOver(measureFrom);
    if (this.#nextDue >= until) return;
    const first = this.#question;
    this.#question += 1 + this.#schedule!.skipTo(until - began);
    if (this.#nextDue >= measureFrom) {
      const own = this.#ownUpTo(this.#question) - this.#ownUpTo(first);
      this.#unreached += own;
      this.#books.note('neverServed', own);
    }
    this.#nextDue = began + this.#schedule!.next();
  }

  /** How many of the first `questions` belong to this shard. */
  #ownUpTo(questions: number): number {
    const { connections, shard } = this.#plan;
    const rounds = Math.floor(questions / connections);
    const rest = Math.ceil(((questions % connections) - (shard.index - 1)) / shard.of);
    return rounds * this.#count + Math.max(0, rest);
  }

  /** Takes the next question from the schedule, and queues it if it belongs to this shard. */
  #release(): void {
    const { connections, shard } = this.#plan;
    const owner = this.#question++ % connections;
    const due = this.#nextDue;
    this.#nextDue = this.#books.began + this.#schedule!.next();
    if (owner % shard.of === shard.index - 1) this.#queue(Math.floor(owner / shard.of), due);
  }

  #queue(c: number, due: number): void {
    this.#books.lag(this.#now - due);
    if (due >= this.#books.measureFrom) this.#hasAsked[c] = 1;
    this.#flights.queue(c, due);
    this.#makeReady(c);
  }

  #makeReady(c: number): void {
    if (this.#isReady[c] === 1) return;
    this.#isReady[c] = 1;
    this.#ready.push(c);
  }

  // --- sending ---

  /** Sends what can be sent now. Returns true if more remains for the next turn. */
  #flush(): boolean {
    const ready = this.#ready;
    if (ready.length === 0) return false;
    this.#ready = [];
    const { isBatched } = this.#wire;
    for (const c of ready) {
      this.#isReady[c] = 0;
      const count = this.#sendable(c);
      if (count === 0) continue;
      if (!isBatched) this.#now = performance.now();
      this.#send(c, count);
      // One send for each connection and turn: the rest lies beyond the end of the text.
      if (this.#sendable(c) > 0) this.#makeReady(c);
    }
    if (isBatched) this.#stamp();
    return this.#ready.length > 0;
  }

  #sendable(c: number): number {
    if (this.#state[c] !== OPEN || this.#wire.isSending(c)) return 0;
    const { pipeline, questionsPerConnection } = this.#plan;
    const room = pipeline - this.#flights.flyingOn(c);
    const count = Math.min(this.#flights.waitingOn(c), room, this.#script.run(this.#next[c]!));
    return questionsPerConnection === 0
      ? count
      : Math.min(count, questionsPerConnection - this.#asked[c]!);
  }

  #send(c: number, count: number): void {
    const script = this.#script;
    const first = this.#next[c]!;
    const from = script.startOf(first);
    const length = script.startOf(first + count) - from;
    this.#flights.launch(c, count, this.#now);
    if (this.#wire.isBatched) this.#stamps.push(c, count);
    this.#asked[c]! += count;
    this.#next[c] = (first + count) % script.count;
    this.#books.bytesSent += length;
    this.#wire.send(c, script.address + from, length);
  }

  /** Sets the sent time of all questions of this turn to now, when the kernel gets them. */
  #stamp(): void {
    const stamps = this.#stamps;
    this.#now = performance.now();
    for (let i = 0; i < stamps.length; i += 2) {
      this.#flights.stamp(stamps[i]!, stamps[i + 1]!, this.#now);
    }
    stamps.length = 0;
  }

  // --- connecting ---

  /**
   * Begins as many handshakes as the limits allow. Returns the time until the next one may begin,
   * in ms.
   */
  #openSome(): number {
    const { connectRate } = this.#plan;
    while (this.#toOpen.length > 0 && this.#handshakes < MOST_HANDSHAKES) {
      if (connectRate > 0) {
        if (this.#nextConnect > this.#now) return this.#nextConnect - this.#now;
        // A late turn does not make up for the handshakes that it missed: that would be a burst.
        this.#nextConnect = Math.max(this.#nextConnect, this.#now - 1000 / connectRate);
        this.#nextConnect += 1000 / connectRate;
      }
      this.#open(this.#toOpen.shift()!);
    }
    return LONGEST_WAIT;
  }

  #open(c: number): void {
    this.#state[c] = CONNECTING;
    this.#handshakes++;
    this.#connectAt[c] = this.#now;
    if (Number.isNaN(this.#firstConnectAt[c]!)) this.#firstConnectAt[c] = this.#now;
    this.#asked[c] = 0;
    this.#answered[c] = 0;
    const errno = this.#wire.open(c);
    if (errno !== 0) this.connectFailed(c, errno);
  }

  #openLater(c: number): void {
    this.#timers.add(this.#now + RETRY_DELAY, { c });
  }

  connected(c: number): void {
    this.#handshakes--;
    this.#connected++;
    this.#opened++;
    this.#state[c] = OPEN;
    if (this.#flights.waitingOn(c) > 0) this.#makeReady(c);
  }

  connectFailed(c: number, errno: number): void {
    this.#handshakes--;
    this.#state[c] = CLOSED;
    const outcome = connectOutcomes[errno];
    this.#noteNow(outcome ?? 'connectFailed');
    if (outcome === undefined && this.#counts) this.#books.connectError(errnoName(errno));
    this.#openLater(c);
  }

  /** Counts an outcome that belongs to no question, in the phase in which it happens. */
  #noteNow(outcome: Outcome): void {
    if (this.#counts) this.#books.note(outcome);
  }

  /** True while what happens belongs to the run, and not to what comes before it. */
  get #counts(): boolean {
    const { phase } = this.#books;
    return phase === 'measuring' || phase === 'finishing';
  }

  /** Closes connections that exceeded a timeout. */
  #look(): void {
    const { timeout, connectTimeout } = this.#plan;
    const now = this.#now;
    if (now - this.#looked < Math.min(100, Math.max(5, timeout / 20, connectTimeout / 20))) return;
    this.#looked = now;
    for (let c = 0; c < this.#count; c++) {
      if (this.#state[c] === CONNECTING && now - this.#connectAt[c]! > connectTimeout) {
        this.#wire.close(c);
        this.connectFailed(c, ETIMEDOUT);
      } else if (this.#state[c] === OPEN && now - this.#flights.oldest(c) > timeout) {
        while (now - this.#flights.oldest(c) > timeout) this.#lost(c, 'timedOut');
        this.#drop(c);
      }
    }
  }

  // --- answers ---

  drained(c: number): void {
    if (this.#flights.waitingOn(c) > 0) this.#makeReady(c);
  }

  received(c: number, buffer: Buffer, from: number, to: number): void {
    this.#books.bytesReceived += to - from;
    let at = from;
    while (at < to) {
      if (this.#flights.flyingOn(c) === 0) {
        this.#noteNow('extraBytes');
        this.#drop(c);
        return;
      }
      at = this.#answers.read(c, this.#expected[c]!, buffer, at, to);
      if (at === MORE) break;
      if (at === WRONG) {
        this.#lost(c, 'wrong');
        this.#drop(c);
        return;
      }
      this.#answer(c);
    }
    this.#goOn(c);
  }

  #answer(c: number): void {
    const { arrived } = this.#wire;
    const books = this.#books;
    const flights = this.#flights;
    flights.take(c);
    this.#answered[c]!++;
    this.#expected[c] = (this.#expected[c]! + 1) % this.#script.count;
    this.#lastAnswer[c] = books.second;
    if (Number.isNaN(this.#firstAnswers[c]!)) {
      this.#firstAnswers[c] = arrived - Math.max(books.began, this.#firstConnectAt[c]!);
    }
    books.right++;
    if (books.counts(flights.due, arrived)) {
      books.answered(c, flights.due, flights.sent, arrived, this);
    }
    this.#wantNext(c, arrived);
  }

  /**
   * In the closed loop, the end of one question makes the next one due, until the measured time is
   * over.
   */
  #wantNext(c: number, from: number): void {
    if (this.#plan.loop === 'open' || this.#books.phase === 'finishing') return;
    if (this.#plan.think === 0) this.#flights.want(c);
    else {
      const due = from + this.#think();
      this.#timers.add(due, { c, due });
    }
  }

  #goOn(c: number): void {
    const { questionsPerConnection } = this.#plan;
    if (questionsPerConnection > 0 && this.#answered[c]! >= questionsPerConnection) {
      this.#close(c);
      this.#toOpen.push(c);
    } else if (this.#flights.waitingOn(c) > 0) this.#makeReady(c);
  }

  ended(c: number, errno: number): void {
    this.#connected--;
    this.#state[c] = CLOSED;
    const isInside = this.#answers.isInside(c);
    const how = errno === 0 ? 'closed' : 'reset';
    if (isInside && this.#flights.flyingOn(c) > 0) this.#lost(c, `${how}Inside`);
    this.#openAgain(c, `${how}Before`);
  }

  /** The oldest question in flight ended without an answer. */
  #lost(c: number, outcome: Outcome): void {
    this.#flights.take(c);
    if (this.#books.counts(this.#flights.due, this.#now)) this.#books.note(outcome);
    this.#wantNext(c, this.#now);
  }

  #close(c: number): void {
    if (this.#state[c] === OPEN) this.#connected--;
    this.#state[c] = CLOSED;
    this.#wire.close(c);
  }

  /** Closes a connection whose bytes can no longer be matched with questions. */
  #drop(c: number): void {
    this.#close(c);
    this.#openAgain(c, 'neverServed');
  }

  #openAgain(c: number, outcome: Outcome): void {
    while (this.#flights.flyingOn(c) > 0) this.#lost(c, outcome);
    this.#answers.forget(c);
    this.#expected[c] = this.#next[c]!;
    // If the server answered this connection before, it can be reached, and no delay is needed.
    if (this.#answered[c]! > 0) this.#toOpen.push(c);
    else this.#openLater(c);
  }

  /** Counts every question that is still open at the end as never served. */
  #leaveUnserved(): void {
    const { counts } = this.#books;
    for (let c = 0; c < this.#count; c++) {
      while (this.#flights.flyingOn(c) > 0) this.#lost(c, 'neverServed');
      while (this.#flights.waitingOn(c) > 0) {
        this.#flights.drop(c);
        if (counts.call(this.#books, this.#flights.due, this.#now)) this.#books.note('neverServed');
      }
    }
  }
}
