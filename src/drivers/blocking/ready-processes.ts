/**
 * Processes that are ready before clients come, as in a super-server. The super-server never accepts. It waits
 * until a client stands in the listener's queue, and orders one process to accept it. So the client is always held
 * by the kernel or by the process that serves it. A super-server that is killed loses no client.
 *
 * Two kinds of socket pairs connect them. Each process sleeps in recv(2) on its own pair: orders arrive there, and
 * it ends with the super-server. All processes report into one pair that they share.
 */
import { readSync, writeSync } from 'node:fs';
import { addressOf, INTERRUPTED } from '../../os/libc.ts';
import { Poll } from '../../os/poll.ts';
import { READABLE } from '../../os/readiness.ts';
import { acceptQueueLength, close, recv, setBlocking, socketPair } from '../../os/socket.ts';
import type { Bids, Crew, Worker } from '../../worker/contract.ts';
import { states } from '../../worker/states.ts';
import { type Accepted, acceptOne, isExhausted } from '../accept.ts';
import { ROOM_INTERVAL_MS } from '../timing.ts';
import { isOverAlready } from './gone.ts';
import { LONGEST_IDLE_MS, MOST_STARTING, SETTLE_MS } from './thread-cache.ts';

/** The process waits for an order. */
const READY = 1;
/** The process has accepted a client. */
const TOOK = 2;
/** The process had an order, and found no client or no room for one. */
const NONE = 3;
/** The process has ended. */
const GONE = 4;
/** Size of a report in bytes: the number of a process, and its state. */
const REPORT = 8;

/** Number of processes that wait for a client, if the cache follows the need. */
const SPARE = 1;

/**
 * Pause before the next start after a process has ended before it was ready, in ms; doubled each time, up to the
 * longest.
 */
const FIRST_BACK_OFF_MS = 100;
const LONGEST_BACK_OFF_MS = 5000;

interface Process {
  /** The socket on which it gets its orders. */
  readonly bid: number;
  isReady: boolean;
  /** When it began to wait, by `performance.now`. */
  since: number;
}

export class ReadyProcesses {
  readonly #worker: Crew;
  readonly #most: number;
  readonly #cache: number;
  readonly #processes = new Map<number, Process>();
  /** The waiting processes. The last one that began to wait gets the next order. */
  readonly #waiting: number[] = [];
  #starting = 0;
  /** The process that has an order and has not reported; 0: none. */
  #isBid = 0;
  #failures = 0;
  #restsUntil = 0;
  /** When the last process began to wait for an order, by `performance.now`. */
  #freeAt = Number.NEGATIVE_INFINITY;
  /** One time for all decisions of a turn, by `performance.now`. */
  #now = 0;
  /** True while as many processes start as clients wait: until one reports there is nothing to do. */
  #hasStartedForAll = false;
  #lastId = 0;
  readonly #reports: readonly [number, number];
  readonly #report = new Int32Array(REPORT / 4);
  readonly #poll = new Poll();
  readonly #listener: number;
  #isWatching = false;

  /**
   * @param most how many processes there may be at once; 0: any number
   * @param cache how many may wait for a client; -1: one more than were needed at once in the last minute; 0: none
   *   waits, one starts for each client
   */
  constructor(worker: Crew, { most, cache }: { most: number; cache: number }) {
    this.#worker = worker;
    this.#most = most > 0 ? most : Number.POSITIVE_INFINITY;
    this.#cache = cache;
    this.#listener = worker.listener;
    // A process with an order finds the client or no client, and never sleeps in accept.
    setBlocking(this.#listener, false);
    // Never closed, because the main thread of this process may report at any time.
    this.#reports = socketPair();
    setBlocking(this.#reports[0], false);
    this.#poll.register(this.#reports[0], READABLE);
    worker.ready();
  }

  /** Sleeps until a client waits and a process is ready to accept it. False if the caller must call again. */
  awaitClient(): boolean {
    this.#now = performance.now();
    this.#trim();
    this.#keepSpare();
    const hasRoom = this.#worker.admission.hasRoomFor(1);
    const mayBid = this.#isBid === 0 && this.#waiting.length > 0;
    const mayStart = this.#isBid === 0 && this.#mayStart() && !this.#hasStartedForAll;
    this.#watch(hasRoom && (mayBid || mayStart));
    this.#worker.row.state = states.waiting;
    if (this.#poll.wait(this.#timeout(hasRoom)) <= 0) return false;
    let isReadable = false;
    for (let fd = this.#poll.next(); fd >= 0; fd = this.#poll.next()) {
      if (fd === this.#listener) isReadable = true;
      else this.#readReports();
    }
    if (!isReadable || this.#isBid !== 0) return false;
    if (this.#waiting.length > 0) return true;
    this.#startForWaiting();
    return false;
  }

  /** Orders the process that began to wait last to accept a client. */
  bid(): void {
    const id = this.#waiting.pop()!;
    const process = this.#processes.get(id)!;
    process.isReady = false;
    try {
      writeSync(process.bid, 'a');
      this.#isBid = id;
    } catch (error) {
      // The process has ended, and its report is on its way.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
    }
  }

  /** Ends the waiting processes; a process with a client ends with that client. */
  close(): void {
    for (const { bid } of this.#processes.values()) close(bid);
    this.#processes.clear();
    close(this.#reports[0]);
  }

  #watch(wanted: boolean): void {
    if (wanted === this.#isWatching) return;
    this.#isWatching = wanted;
    if (wanted) this.#poll.register(this.#listener, READABLE);
    else this.#poll.unregister(this.#listener);
  }

  #timeout(hasRoom: boolean): number {
    // Other workers may make room, and give no notice.
    if (!hasRoom) return ROOM_INTERVAL_MS;
    const now = this.#now;
    if (this.#waiting.length === 0 && this.#startsAt > now) return Math.ceil(this.#startsAt - now);
    const oldest = this.#superfluous();
    return oldest === undefined ? -1 : Math.max(0, Math.ceil(oldest.since + LONGEST_IDLE_MS - now));
  }

  #readReports(): void {
    const bytes = new Uint8Array(this.#report.buffer);
    for (;;) {
      try {
        if (readSync(this.#reports[0], bytes) !== REPORT) return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code === 'EAGAIN' || code === 'EINTR') return;
        throw error;
      }
      this.#hasStartedForAll = false;
      const [id = 0, what] = this.#report;
      if (what === READY) this.#isReady(id);
      else if (what === GONE) this.#isGone(id);
      else if (what === NONE) this.#waits(id);
      if (id === this.#isBid) this.#isBid = 0;
    }
  }

  #isReady(id: number): void {
    const process = this.#processes.get(id);
    if (process === undefined) return;
    if (process.since === 0) this.#starting--;
    this.#failures = 0;
    const most = this.#cache < 0 ? Number.POSITIVE_INFINITY : Math.max(SPARE, this.#cache);
    if (process.since > 0 && this.#waiting.length >= most) this.#dismiss(id);
    else this.#waits(id);
  }

  #waits(id: number): void {
    const process = this.#processes.get(id);
    if (process === undefined) return;
    process.isReady = true;
    process.since = performance.now();
    this.#freeAt = process.since;
    this.#waiting.push(id);
  }

  #isGone(id: number): void {
    const process = this.#processes.get(id);
    if (process === undefined) return;
    if (process.isReady) this.#waiting.splice(this.#waiting.indexOf(id), 1);
    if (process.since === 0) {
      this.#starting--;
      const time = Math.min(LONGEST_BACK_OFF_MS, FIRST_BACK_OFF_MS * 2 ** this.#failures++);
      this.#restsUntil = performance.now() + time;
    }
    this.#processes.delete(id);
    close(process.bid);
  }

  /** Ends a waiting process: it reads the end of its socket pair. */
  #dismiss(id: number): void {
    close(this.#processes.get(id)!.bid);
    this.#processes.delete(id);
  }

  /** The process that has waited longest, if more processes wait than are needed. */
  #superfluous(): Process | undefined {
    if (this.#cache >= 0 || this.#waiting.length <= SPARE) return undefined;
    return this.#processes.get(this.#waiting[0]!);
  }

  #trim(): void {
    for (
      let oldest = this.#superfluous();
      oldest !== undefined && oldest.since + LONGEST_IDLE_MS <= this.#now;
      oldest = this.#superfluous()
    ) {
      this.#dismiss(this.#waiting.shift()!);
    }
  }

  #keepSpare(): void {
    if (this.#cache === 0 || this.#waiting.length + this.#starting >= SPARE) return;
    if (this.#isBid === 0 && this.#mayStart()) this.#start();
  }

  /** The earliest time of the next start. */
  get #startsAt(): number {
    // Without a cache no process serves a second client.
    return this.#cache === 0
      ? this.#restsUntil
      : Math.max(this.#restsUntil, this.#freeAt + SETTLE_MS);
  }

  #mayStart(): boolean {
    return (
      this.#processes.size < this.#most &&
      this.#starting < MOST_STARTING &&
      this.#startsAt <= this.#now
    );
  }

  #startForWaiting(): void {
    const clients = acceptQueueLength(this.#listener);
    while (this.#starting < clients && this.#mayStart()) this.#start();
    this.#hasStartedForAll = this.#starting > 0;
  }

  #start(): void {
    const pair = this.#pair();
    if (pair === undefined) return;
    const [bid, theirs] = pair;
    const id = ++this.#lastId;
    this.#processes.set(id, { bid, isReady: false, since: 0 });
    this.#starting++;
    const bids: Bids = { id, bid: theirs, report: this.#reports[1], once: this.#cache === 0 };
    this.#worker.startProcess({ bids });
  }

  #pair(): readonly [number, number] | undefined {
    try {
      return socketPair();
    } catch (error) {
      if (!isExhausted(error)) throw error;
      this.#restsUntil = performance.now() + FIRST_BACK_OFF_MS;
      const text = `Cannot start a process for now: ${(error as Error).message}; trying again every ${FIRST_BACK_OFF_MS} ms`;
      this.#worker.journal.record({ type: 'warning', text });
      return undefined;
    }
  }
}

/** Reports the state of a process, which need not be this one. The super-server may be gone. */
function reportState({ id, report }: Bids, what: number): void {
  try {
    writeSync(report, new Uint8Array(Int32Array.of(id, what).buffer));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== 'EPIPE' && code !== 'ECONNRESET') throw error;
  }
}

/** Reports that a process has ended. The thread that started the process calls this. */
export const reportGone = (bids: Bids): void => reportState(bids, GONE);

/** The clients of such a process: it waits for an order, accepts one client, serves it, and waits again. */
export function* clientsOnBid(worker: Worker, bids: Bids): Generator<Accepted> {
  reportState(bids, READY);
  while (isBid(worker, bids)) {
    const accepted = worker.isLeaving ? undefined : acceptOne(worker);
    if (accepted === undefined || isOverAlready(worker, accepted)) {
      reportState(bids, NONE);
      continue;
    }
    reportState(bids, TOOK);
    yield accepted;
    if (bids.once) return;
    reportState(bids, READY);
  }
}

const byte = Buffer.allocUnsafeSlow(1);
const byteAddress = addressOf(byte);

/** Sleeps until an order comes. False if the super-server is gone, or has dismissed this process. */
function isBid(worker: Worker, { bid }: Bids): boolean {
  for (;;) {
    worker.row.state = states.asleep;
    try {
      // `byte.length` keeps a reference to `byte`: otherwise the garbage collector could free it, and reuse its
      // address.
      const count = recv(bid, byteAddress, byte.length);
      if (count !== INTERRUPTED) return count > 0;
    } catch {
      return false;
    }
  }
}
