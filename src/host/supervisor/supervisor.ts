/**
 * The supervisor: owns the listeners, starts the worker processes, replaces those that die and all of them
 * when it is asked to, and stops them. It never serves: a process whose thread sleeps in a system call can do nothing else.
 */

import { dropHolder, dropHoldersOf, prepareAdmission } from '../../limits/admission.ts';
import { addressText, type SocketAddress } from '../../os/address.ts';
import { createSharedMemory, mapSharedMemory } from '../../os/memory.ts';
import { close, shutdown } from '../../os/socket.ts';
import type { WorkerEvent } from '../../worker/contract.ts';
import { openOf, type RowReading, SCOREBOARD_SIZE, Scoreboard } from '../../worker/scoreboard.ts';
import { ServeError } from '../errors.ts';
import { type Identity, identityOf } from '../identity.ts';
import { openListeners, removeSocketFile, resolveAddress, type SocketFile } from '../listen.ts';
import { nameOf } from '../load-service.ts';
import { checkedDrain, MOST_GENERATIONS, type Plan } from '../plan.ts';
import type { ServerEvent } from '../server-event.ts';
import { randomSeed } from '../worker/door.ts';
import type { Stamped, StartEvent } from '../worker/journal.ts';
import { Farewell } from './shutdown.ts';
import { StuckWatch } from './stuck.ts';
import {
  configOf,
  readJournal,
  type Starting,
  spawnWorker,
  type WorkerProcess,
} from './worker-process.ts';

/** The same warning is told once in so many ms: of many workers each finds out for itself. */
const QUIET = 5000;
/** A worker that lived shorter than this, in ms, is replaced only after a while, longer each time. */
const SHORT_LIFE = 1000;
const LONGEST_WAIT = 5000;
/** How long a worker may take to serve, in ms, and how much longer for each that starts beside it: they share processors. */
const START_TIME = 30_000;
const START_SHARE = 500;
/** How many processes in one place may be killed from outside while they start, before the start fails. */
const MOST_KILLED = 5;
/** Signals by which a process ends for a fault of its own. */
const OWN_FAULTS: ReadonlySet<string> = new Set([
  ...['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP', 'SIGXCPU'],
]);

export class Supervisor {
  readonly #plan: Plan;
  readonly #service: string;
  readonly #deliver: ((event: ServerEvent) => void) | undefined;
  readonly #scoreboardFd = createSharedMemory('mondo-scoreboard', SCOREBOARD_SIZE);
  readonly #scoreboard = new Scoreboard(mapSharedMemory(this.#scoreboardFd, SCOREBOARD_SIZE));
  readonly #workers = new Set<WorkerProcess>();
  /** Each with who waits for it, if it is to be among the first of its generation. */
  readonly #replacements = new Map<NodeJS.Timeout, Starting | undefined>();
  /** How often in a row each worker died young. */
  readonly #deaths: number[] = [];
  readonly address: SocketAddress;
  readonly #file: SocketFile | undefined;
  readonly #listeners: readonly number[];
  readonly #identity: Identity | undefined;
  readonly #startTime: number;
  readonly #farewell: Farewell;
  readonly #stuck: StuckWatch | undefined;
  #generation = 1;
  /** Whose workers are replaced when they die: the generation that serves, and one that is starting. */
  readonly #living = new Set([1]);
  #restarting: Promise<void> | undefined;
  /** The restart that waits for its turn. */
  #nextRestart: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** When nobody has any time left as it stops, by `performance.now`. */
  #endsAt = Number.POSITIVE_INFINITY;
  /** What workers told before all of them served: `listening` is to be the first. */
  readonly #early: ServerEvent[] = [];
  #isListening = false;
  readonly #lastWarned = new Map<string, number>();
  #onEnded: () => void = () => {};

  /**
   * Opens the listeners and starts the workers; resolves when all of them serve.
   *
   * @param startTime how long a worker may take to serve, in ms
   */
  static async start(
    plan: Plan,
    service: string,
    deliver: ((event: ServerEvent) => void) | undefined,
    startTime = START_TIME + START_SHARE * plan.processes * plan.threads,
  ): Promise<Supervisor> {
    const identity = identityOf(plan.user, plan.group);
    const wanted = await resolveAddress(plan.host, plan.port);
    const { listeners, address, file } = openListeners(wanted, {
      backlog: plan.backlog,
      reuseport: plan.reuseport,
      count: plan.reuseport ? plan.threads * plan.processes : 1,
    });
    const supervisor = new Supervisor(plan, service, deliver, {
      listeners,
      address,
      file,
      identity,
      startTime,
    });
    try {
      await supervisor.#startAll(supervisor.#generation);
    } catch (error) {
      await supervisor.close(0);
      throw error;
    }
    supervisor.#tellListening();
    return supervisor;
  }

  private constructor(
    plan: Plan,
    service: string,
    deliver: ((event: ServerEvent) => void) | undefined,
    parts: {
      readonly listeners: readonly number[];
      readonly address: SocketAddress;
      readonly file: SocketFile | undefined;
      readonly identity: Identity | undefined;
      readonly startTime: number;
    },
  ) {
    this.#plan = plan;
    this.#service = service;
    this.#deliver = deliver;
    this.#listeners = parts.listeners;
    this.address = parts.address;
    this.#file = parts.file;
    this.#identity = parts.identity;
    this.#startTime = parts.startTime;
    this.#farewell = new Farewell(this.#workers, this.#scoreboard, plan);
    this.#scoreboard.replace(this.#generation, plan.drain);
    prepareAdmission(this.#scoreboard.admission, randomSeed());
    if (deliver !== undefined && plan.stuck > 0) {
      this.#stuck = new StuckWatch(
        plan.stuck,
        plan.traits.arrangement === 'node',
        () => this.read(),
        (stuck) => deliver({ ...stuck, type: 'stuck', at: Date.now() }),
      );
    }
  }

  get where(): string {
    return addressText(this.address);
  }

  /** What each worker is doing at this moment. */
  read(): RowReading[] {
    return this.#scoreboard.read();
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#scoreboard.counts;
  }

  get queued(): number {
    return this.#scoreboard.queued;
  }

  /** Process ids of the workers, of those that are leaving too. */
  get pids(): number[] {
    return [...this.#workers].filter(({ isGone }) => !isGone).map(({ pid }) => pid);
  }

  /** Puts new workers in place of all; resolves when they serve, rejects if they cannot and the old ones serve on. */
  restart(): Promise<void> {
    if (this.#restarting === undefined) {
      this.#restarting = this.#replaceAll().finally(() => {
        this.#restarting = undefined;
      });
      return this.#restarting;
    }
    // What has changed since that one began is to be picked up as well: but once is enough.
    this.#nextRestart ??= this.#restarting
      .catch(() => {})
      .then(() => {
        this.#nextRestart = undefined;
        return this.restart();
      });
    return this.#nextRestart;
  }

  /** Stops accepting, lets the workers leave, and resolves when none is left. @param drain in ms */
  async close(drain = this.#plan.drain): Promise<void> {
    checkedDrain('a deadline in ms', drain);
    if (this.#closing === undefined) this.#closing = this.#stop(drain);
    else if (this.#workers.size > 0) this.#hasten(drain);
    return this.#closing;
  }

  async #replaceAll(): Promise<void> {
    if (this.#closing !== undefined) throw stopping();
    // Only in so far as clients stay: without it they could have the machine full of old workers.
    while (this.#generationsLeaving() >= MOST_GENERATIONS - 1) await this.#nextEnd();
    if (this.#closing !== undefined) throw stopping();
    const generation = ++this.#generation;
    this.#living.add(generation);
    try {
      await this.#startAll(generation);
    } catch (error) {
      this.#fallBack(generation, error as Error);
      throw this.#closing === undefined ? error : stopping();
    }
    // All have been told to stop meanwhile: whoever is told to serve again would do so on a closed listener.
    if (this.#closing !== undefined) throw stopping();
    for (const living of this.#living) if (living !== generation) this.#living.delete(living);
    this.#scoreboard.replace(generation, this.#plan.drain);
    for (const worker of this.#workers) {
      if (worker.generation !== generation && worker.killing === undefined) {
        this.#farewell.tell(worker, this.#plan.drain);
      }
    }
    this.#deliver?.({ type: 'restarted', generation, at: Date.now() });
  }

  /** The new workers could not all be started: without them the old ones serve on. */
  #fallBack(generation: number, error: Error): void {
    this.#living.delete(generation);
    if (this.#closing !== undefined) return;
    this.#scoreboard.withdraw(generation, this.#plan.drain);
    for (const worker of this.#workers) {
      if (worker.generation !== generation) continue;
      // Those that serve have clients by now.
      if (worker.isServing) this.#farewell.tell(worker, this.#plan.drain);
      else this.#farewell.tell(worker, 0, 'SIGKILL');
    }
    this.#warn(`Cannot restart, the old workers serve on: ${error.message}`);
  }

  #warn(text: string): void {
    this.#deliver?.({ type: 'warning', text, at: Date.now(), ...own });
  }

  #generationsLeaving(): number {
    const leaving = [...this.#workers].filter(({ killing }) => killing !== undefined);
    return new Set(leaving.map(({ generation }) => generation)).size;
  }

  #nextEnd(): Promise<void> {
    return new Promise((resolve) => {
      const before = this.#onEnded;
      this.#onEnded = () => {
        this.#onEnded = before;
        before();
        resolve();
      };
    });
  }

  #tellListening(): void {
    this.#deliver?.({
      type: 'listening',
      address: this.where,
      architecture: this.#plan.traits.name,
      at: Date.now(),
    });
    for (const event of this.#early.splice(0)) this.#deliver?.(event);
    this.#isListening = true;
  }

  /** Starts a worker process for each index; resolves when all of them serve, rejects if one cannot. */
  async #startAll(generation: number): Promise<void> {
    const starting: Promise<void>[] = [];
    for (let index = 0; index < this.#plan.processes; index++) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#startWorker(index, generation, { killed: 0, ready: resolve, failed: reject });
      starting.push(promise);
    }
    await Promise.all(starting);
  }

  /** @param starting who waits for it; without one it is in the place of a worker that died */
  #startWorker(index: number, generation: number, starting?: Starting): void {
    const { threads, reuseport } = this.#plan;
    const [service, journal] = [this.#service, this.#deliver !== undefined];
    const config = configOf(this.#plan, { service, journal, index, generation });
    const first = reuseport ? index * threads : 0;
    const listeners = this.#listeners.slice(first, first + config.listeners);
    const inherited = [this.#scoreboardFd, ...listeners];
    const child = spawnWorker(config, inherited, this.#identity, (error) => {
      if (starting === undefined) this.#cannotReplace(index, generation, error);
      else starting.failed(error);
    });
    if (child === undefined) return;
    const worker: WorkerProcess = {
      child,
      pid: child.pid!,
      index,
      generation,
      startedAt: Date.now(),
      unready: this.#threadsThatSay,
      isServing: false,
      hasFailed: false,
      isGone: false,
      starting,
      late: setTimeout(() => this.#isLate(worker), this.#startTime),
      toldAt: Number.POSITIVE_INFINITY,
      leavesBy: Number.POSITIVE_INFINITY,
      killing: undefined,
    };
    this.#workers.add(worker);
    readJournal(
      child,
      (event) => this.#receive(worker, event),
      (text) =>
        this.#receive(worker, { type: 'warning', text, at: Date.now(), ...own, pid: worker.pid }),
    );
    // 'close' and not 'exit': the journal has been read to its end by then. But whoever a crew has started
    // holds the journal too, and until it has ended nobody would accept.
    child.on('exit', (code, signal) => {
      if (!this.#isCrew || worker.unready > 0) return;
      // Not at once: what a listener of ours throws would keep 'close' from coming.
      setImmediate(() => {
        if (!worker.isGone) this.#ended(worker, code, signal);
      });
    });
    child.on('close', (code, signal) => {
      try {
        if (!worker.isGone) this.#ended(worker, code, signal);
      } finally {
        this.#familyEnded(worker);
      }
    });
  }

  /** Whatever it waits for, nobody is to wait with it. */
  #isLate(worker: WorkerProcess): void {
    const { starting, killing, child } = worker;
    if (killing !== undefined) return;
    const text = `Cannot start a worker: it does not serve after ${this.#startTime} ms; see what ${nameOf(this.#service)} waits for while it is loaded`;
    if (starting !== undefined) {
      worker.hasFailed = true;
      starting.failed(new ServeError('failed', text));
      return;
    }
    this.#warn(text);
    child.kill('SIGKILL');
  }

  #receive(worker: WorkerProcess, event: Stamped<WorkerEvent | StartEvent>): void {
    if (event.type === 'ready') {
      worker.isServing = true;
      if (worker.killing !== undefined) this.#farewell.giveTime(worker);
      worker.unready--;
      if (worker.unready > 0) return;
      clearTimeout(worker.late);
      worker.starting?.ready();
      worker.starting = undefined;
    } else if (event.type === 'fatal') {
      worker.hasFailed = true;
      // Whoever waits for it is told by the rejection.
      if (worker.starting !== undefined) {
        worker.starting.failed(new ServeError('failed', event.text, { lacks: event.lacks }));
      } else if (this.#isListening) {
        this.#deliver?.({ ...event, type: 'crashed', error: event.text });
      }
    } else {
      if (event.type === 'warning' && this.#wasWarned(event.text, event.at)) return;
      this.#tell({ ...event, worker: worker.index });
    }
  }

  /** Events that come before `listening` are kept until it has been told. */
  #tell(event: ServerEvent): void {
    if (this.#isListening) this.#deliver?.(event);
    else this.#early.push(event);
  }

  #wasWarned(text: string, at: number): boolean {
    const last = this.#lastWarned.get(text);
    if (last !== undefined && at - last < QUIET) return true;
    for (const [told, when] of this.#lastWarned) {
      if (at - when >= QUIET) this.#lastWarned.delete(told);
    }
    this.#lastWarned.set(text, at);
    return false;
  }

  #ended(worker: WorkerProcess, code: number | null, signal: string | null): void {
    worker.isGone = true;
    clearTimeout(worker.late);
    const { pid, index, generation } = worker;
    const lost = this.#freeRows((row) => row.pid === pid);
    // Whoever is served on by a process of its own is not counted any more: nobody would see it leave.
    dropHolder(this.#scoreboard.admission, pid);
    if (this.#isCrew && worker.killing !== undefined) this.#farewell.wake();
    const how = signal === null ? `exit code ${code}` : signal;
    const { starting, killing } = worker;
    const mayReplace = killing === undefined && this.#closing === undefined;
    if (killing !== undefined) this.#tellLost(worker, how, lost);
    if (starting !== undefined && !(mayReplace && wasKilledFromOutside(worker, signal))) {
      starting.failed(new ServeError('failed', `Cannot start a worker: it ended with ${how}`));
      return;
    }
    if (!mayReplace) return;
    const isYoung = Date.now() - worker.startedAt < SHORT_LIFE;
    const delay = this.#replace(index, generation, isYoung, starting);
    // Last: a listener may close the server, or throw.
    this.#tell({ type: 'died', worker: index, pid, how, lost, delay, at: Date.now() });
  }

  /** Whoever was to leave in peace did not. As the server stops they are counted among those that were cut off. */
  #tellLost({ index, pid }: WorkerProcess, how: string, lost: number): void {
    if (lost === 0 || this.#closing !== undefined) return;
    const delay = undefined;
    this.#deliver?.({ type: 'died', worker: index, pid, how, lost, delay, at: Date.now() });
  }

  /** Starts another in the place of a worker; returns after how many ms. */
  #replace(index: number, generation: number, diedYoung: boolean, starting?: Starting): number {
    const deaths = diedYoung ? (this.#deaths[index] ?? 0) + 1 : 0;
    this.#deaths[index] = deaths;
    const delay = deaths === 0 ? 0 : Math.min(LONGEST_WAIT, 50 * 2 ** deaths);
    const replacement = setTimeout(() => {
      this.#replacements.delete(replacement);
      if (this.#living.has(generation)) this.#startWorker(index, generation, starting);
    }, delay);
    this.#replacements.set(replacement, starting);
    return delay;
  }

  #cannotReplace(index: number, generation: number, error: Error): void {
    if (this.#closing !== undefined || !this.#living.has(generation)) return;
    this.#replace(index, generation, true);
    if (!this.#wasWarned(error.message, Date.now())) this.#warn(`${error.message}; trying again`);
  }

  /** Nothing is left of a worker, nor of what it had started. */
  #familyEnded(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    clearTimeout(worker.killing);
    const lost = this.#freeRows((row) => row.family === worker.pid);
    dropHoldersOf(this.#scoreboard.admission, worker.pid);
    this.#onEnded();
    // Who could not free their rows were killed.
    if (worker.killing !== undefined) this.#tellLost(worker, 'SIGKILL', lost);
  }

  /** @returns how many connections were lost with those rows */
  #freeRows(isGone: (row: RowReading) => boolean): number {
    const lost = openOf(this.#scoreboard.freeRows(isGone));
    if (this.#closing !== undefined) this.#scoreboard.addCut(lost);
    return lost;
  }

  async #stop(drain: number): Promise<void> {
    for (const [replacement, starting] of this.#replacements) {
      clearTimeout(replacement);
      starting?.failed(stopping());
    }
    this.#replacements.clear();
    const before = this.#scoreboard.departed;
    // Before the listeners are closed: whoever finds them so looks why.
    this.#scoreboard.stop(drain);
    removeSocketFile(this.#file);
    for (const listener of this.#listeners) {
      // The kernel turns away whoever comes from now on, though workers that have yet to end hold it too.
      shutdown(listener);
      close(listener);
    }
    this.#hasten(drain);
    while (this.#workers.size > 0) await this.#nextEnd();
    this.#stuck?.close();
    const after = this.#scoreboard.departed;
    const served = this.#scoreboard.served;
    const accepted = this.#scoreboard.acceptedIn(this.#places);
    this.#scoreboard.unmap();
    close(this.#scoreboardFd);
    const drained = after.answered - before.answered;
    const cut = after.cut - before.cut;
    if (this.#isListening) {
      this.#deliver?.({ type: 'stopped', ...served, drained, cut, accepted, at: Date.now() });
    }
  }

  /** Nobody is to stay longer than that, in ms from now; nor than was said before. */
  #hasten(drain: number): void {
    this.#endsAt = Math.min(this.#endsAt, performance.now() + drain);
    const left = this.#endsAt - performance.now();
    this.#scoreboard.stop(left);
    for (const worker of this.#workers) this.#farewell.tell(worker, left);
  }

  /** How many threads of a worker say that they serve. */
  get #threadsThatSay(): number {
    const { traits, threads } = this.#plan;
    if (!this.#isCrew) return threads;
    return traits.pool === true ? 1 + threads : 1;
  }

  /** How many workers serve at the same time; 0 if that is one, or their number changes with the clients'. */
  get #places(): number {
    const { traits, threads, processes } = this.#plan;
    const places = this.#isCrew && traits.pool !== true ? 0 : threads * processes;
    return places > 1 ? places : 0;
  }

  get #isCrew(): boolean {
    return this.#plan.traits.arrangement === 'crew';
  }
}

/** True if another process has killed a worker that was starting, and not too many in its place before it. */
function wasKilledFromOutside(worker: WorkerProcess, signal: string | null): boolean {
  if (signal === null || OWN_FAULTS.has(signal) || worker.hasFailed) return false;
  return ++worker.starting!.killed <= MOST_KILLED;
}

const stopping = () => new ServeError('failed', 'Cannot restart: the server is stopping');

/** The stamps of an event that is the supervisor's own. */
const own = { pid: process.pid, tid: process.pid, worker: -1 } as const;
