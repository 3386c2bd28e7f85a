/**
 * The supervisor: owns the listeners, starts the worker processes, replaces those that die and all of them
 * when it is asked to, and stops them. It never serves: a process whose thread sleeps in a system call can do nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerEvent } from '../architectures/architecture.ts';
import { type RowReading, SCOREBOARD_SIZE, Scoreboard } from '../architectures/scoreboard.ts';
import { dropHolder, dropHoldersOf, prepareAdmission } from '../limits/admission.ts';
import { addressText, type SocketAddress } from '../os/address.ts';
import { createSharedMemory, mapSharedMemory } from '../os/memory.ts';
import { isRunning } from '../os/processes.ts';
import { interrupt, signalGroup } from '../os/signal.ts';
import { close, shutdown } from '../os/socket.ts';
import { randomSeed } from './door.ts';
import { ServeError } from './errors.ts';
import { type Identity, identityOf } from './identity.ts';
import { eventReader, type Stamped, type StartEvent } from './journal.ts';
import { openListeners, removeSocketFile, resolveAddress } from './listen.ts';
import type { Plan } from './plan.ts';
import type { ServerEvent } from './server-event.ts';
import { StuckWatch } from './stuck.ts';
import type { WorkerConfig } from './worker-config.ts';

/** A worker asleep in the kernel is woken again after that many ms until it has ended. */
const WAKE_AGAIN = 10;
/** How long the workers have to end by themselves after their drain, in ms, before they are killed. */
const GRACE = 700;
/** How many generations may be leaving at once: before one more, the next restart waits. */
const MOST_LEAVING = 4;
/** The same warning is told once in so many ms: of many workers each finds out for itself. */
const QUIET = 5000;
/** A worker that lived shorter than this, in ms, is replaced only after a while, longer each time. */
const SHORT_LIFE = 1000;
const LONGEST_WAIT = 5000;

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
const workerFile = new URL(`./worker${extension}`, import.meta.url);

/** Where Node keeps compiled code by default; with it a worker starts in a third of the time. */
const compileCache = join(tmpdir(), 'node-compile-cache');

/** A worker process, and what it has started: of a crew those may be there when it is gone. */
interface WorkerProcess {
  readonly child: ChildProcess;
  readonly index: number;
  readonly generation: number;
  readonly startedAt: number;
  /** How many of its threads have yet to say that they serve. */
  unready: number;
  /** True if it has ended itself, and only others are left of it. */
  isGone: boolean;
  /** Whoever waits for it to serve, until it does. */
  starting: { readonly ready: () => void; readonly failed: (error: Error) => void } | undefined;
  /** Set once it was told to leave: when it is killed if it has not. */
  killing: NodeJS.Timeout | undefined;
}

export class Supervisor {
  readonly #plan: Plan;
  readonly #service: string;
  readonly #deliver: ((event: ServerEvent) => void) | undefined;
  readonly #scoreboardFd = createSharedMemory('mondo-scoreboard', SCOREBOARD_SIZE);
  readonly #scoreboard = new Scoreboard(mapSharedMemory(this.#scoreboardFd, SCOREBOARD_SIZE));
  readonly #workers = new Set<WorkerProcess>();
  readonly #replacements = new Set<NodeJS.Timeout>();
  /** How often in a row each worker died young. */
  readonly #deaths: number[] = [];
  readonly address: SocketAddress;
  readonly #listeners: readonly number[];
  readonly #identity: Identity | undefined;
  readonly #stuck: StuckWatch | undefined;
  #generation = 1;
  #restarting: Promise<void> | undefined;
  /** The restart that waits for its turn. */
  #nextRestart: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #waking: NodeJS.Timeout | undefined;
  /** What workers told before all of them served: `listening` is to be the first. */
  readonly #early: ServerEvent[] = [];
  #isListening = false;
  readonly #lastWarned = new Map<string, number>();
  #onEnded: () => void = () => {};

  /** Opens the listeners and starts the workers; resolves when all of them serve. */
  static async start(
    plan: Plan,
    service: string,
    deliver: ((event: ServerEvent) => void) | undefined,
  ): Promise<Supervisor> {
    const identity = identityOf(plan.user, plan.group);
    const wanted = await resolveAddress(plan.host, plan.port);
    const { listeners, address } = openListeners(wanted, {
      backlog: plan.backlog,
      reuseport: plan.reuseport,
      count: plan.reuseport ? plan.threads * plan.processes : 1,
    });
    const supervisor = new Supervisor(plan, service, deliver, listeners, address, identity);
    try {
      await supervisor.#startAll();
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
    listeners: readonly number[],
    address: SocketAddress,
    identity: Identity | undefined,
  ) {
    this.#plan = plan;
    this.#service = service;
    this.#deliver = deliver;
    this.#listeners = listeners;
    this.address = address;
    this.#identity = identity;
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
    return [...this.#workers].filter(({ isGone }) => !isGone).map(({ child }) => child.pid!);
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
  close(drain = this.#plan.drain): Promise<void> {
    if (this.#closing === undefined) this.#closing = this.#stop(drain);
    else if (this.#workers.size > 0) this.#hasten(drain);
    return this.#closing;
  }

  async #replaceAll(): Promise<void> {
    if (this.#closing !== undefined) throw stopping();
    // Only in so far as clients stay: without it they could have the machine full of old workers.
    while (this.#generationsLeaving() >= MOST_LEAVING) await this.#nextEnd();
    if (this.#closing !== undefined) throw stopping();
    const old = [...this.#workers].filter(({ killing }) => killing === undefined);
    this.#clearReplacements();
    this.#generation++;
    try {
      await this.#startAll();
    } catch (error) {
      this.#fallBack(error as Error);
      throw error;
    }
    // All have been told to stop meanwhile: whoever is told to serve again would do so on a closed listener.
    if (this.#closing !== undefined) throw stopping();
    this.#scoreboard.leave(this.#plan.drain, this.#generation);
    for (const worker of old) if (this.#workers.has(worker)) this.#seeOff(worker, this.#plan.drain);
    this.#deliver?.({ type: 'restarted', generation: this.#generation, at: Date.now() });
  }

  /** The new workers could not be started: without them the old ones serve on. */
  #fallBack(error: Error): void {
    for (const worker of this.#workers) {
      if (worker.generation === this.#generation) this.#seeOff(worker, 0, 'SIGKILL');
    }
    if (this.#closing !== undefined) return;
    const serving = [...this.#workers].filter(
      ({ killing, isGone }) => killing === undefined && !isGone,
    );
    for (let index = 0; index < this.#plan.processes; index++) {
      if (!serving.some((worker) => worker.index === index)) this.#startWorker(index);
    }
    const text = `Cannot restart, the old workers serve on: ${error.message}`;
    this.#deliver?.({ type: 'warning', text, ...own() });
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
  async #startAll(): Promise<void> {
    const starting: Promise<void>[] = [];
    for (let index = 0; index < this.#plan.processes; index++) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      this.#startWorker(index).starting = { ready: resolve, failed: reject };
      starting.push(promise);
    }
    await Promise.all(starting);
  }

  #startWorker(index: number): WorkerProcess {
    const { threads, traits, think, limits, dryRun, page, reuseport } = this.#plan;
    const config: WorkerConfig = {
      architecture: traits.name as WorkerConfig['architecture'],
      service: this.#service,
      think,
      limits,
      dryRun,
      threads,
      listeners: reuseport ? threads : 1,
      journal: this.#deliver !== undefined,
      backlog: this.#plan.backlog,
      options: page,
      whenFull: this.#plan.whenFull,
      generation: this.#generation,
      processes: this.#plan.processes,
      index,
      parent: process.pid,
    };
    const first = reuseport ? index * threads : 0;
    const listeners = this.#listeners.slice(first, first + config.listeners);
    const child = spawn(process.execPath, [workerFile.pathname, JSON.stringify(config)], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', this.#scoreboardFd, ...listeners],
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
      ...this.#identity,
    });
    const worker: WorkerProcess = {
      child,
      index,
      generation: this.#generation,
      startedAt: Date.now(),
      unready: this.#isCrew ? 1 : threads,
      isGone: false,
      starting: undefined,
      killing: undefined,
    };
    this.#workers.add(worker);
    const journal = child.stdio[3] as Socket;
    journal.setEncoding('utf8');
    journal.on(
      'data',
      eventReader((event) => this.#receive(worker, event)),
    );
    child.on('error', (error) => {
      const failure = new ServeError('failed', `Cannot start a worker: ${error.message}`);
      worker.starting?.failed(failure);
      // Of a process that never was there may be no 'close'.
      if (child.pid === undefined) this.#workers.delete(worker);
    });
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
    return worker;
  }

  #receive(worker: WorkerProcess, event: Stamped<WorkerEvent | StartEvent>): void {
    if (event.type === 'ready') {
      worker.unready--;
      if (worker.unready > 0) return;
      worker.starting?.ready();
      worker.starting = undefined;
    } else if (event.type === 'fatal') {
      // Whoever waits for it is told by the rejection.
      if (worker.starting !== undefined) {
        worker.starting.failed(new ServeError('failed', event.text));
      } else if (this.#isListening) {
        this.#deliver?.({ ...event, type: 'crashed', error: event.text });
      }
    } else {
      if (event.type === 'warning' && this.#wasWarned(event.text, event.at)) return;
      const told = { ...event, worker: worker.index };
      if (this.#isListening) this.#deliver?.(told);
      else this.#early.push(told);
    }
  }

  #wasWarned(text: string, at: number): boolean {
    const last = this.#lastWarned.get(text);
    if (last !== undefined && at - last < QUIET) return true;
    this.#lastWarned.set(text, at);
    return false;
  }

  #ended(worker: WorkerProcess, code: number | null, signal: string | null): void {
    worker.isGone = true;
    const pid = worker.child.pid ?? 0;
    const lost = this.#freeRows(worker, (row) => row.pid === pid);
    // Whoever is served on by a process of its own is not counted any more: nobody would see it leave.
    if (pid > 0) dropHolder(this.#scoreboard.admission, pid);
    if (this.#isCrew && worker.killing !== undefined) this.#wakeLeaving();
    const how = signal === null ? `exit code ${code}` : signal;
    worker.starting?.failed(
      new ServeError('failed', `Cannot start a worker: it ended with ${how}`),
    );
    if (worker.killing !== undefined || this.#closing !== undefined) return;
    // Others are about to take the place of all, or it is for them to say that they cannot.
    const isReplaced = this.#restarting !== undefined && worker.generation < this.#generation;
    if (worker.starting !== undefined || isReplaced) return;
    const young = Date.now() - worker.startedAt < SHORT_LIFE;
    const deaths = young ? (this.#deaths[worker.index] ?? 0) + 1 : 0;
    this.#deaths[worker.index] = deaths;
    const delay = deaths === 0 ? 0 : Math.min(LONGEST_WAIT, 50 * 2 ** deaths);
    const replacement = setTimeout(() => {
      this.#replacements.delete(replacement);
      this.#startWorker(worker.index);
    }, delay);
    this.#replacements.add(replacement);
    // Last: whoever hears of it may close the server, or throw.
    this.#deliver?.({ type: 'died', worker: worker.index, pid, how, lost, delay, at: Date.now() });
  }

  /** Nothing is left of a worker, nor of what it had started. */
  #familyEnded(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    clearTimeout(worker.killing);
    const { pid } = worker.child;
    if (pid !== undefined) {
      this.#freeRows(worker, (row) => row.family === pid);
      dropHoldersOf(this.#scoreboard.admission, pid);
    }
    this.#onEnded();
  }

  /** @returns how many connections were lost with those rows */
  #freeRows(worker: WorkerProcess, isGone: (row: RowReading) => boolean): number {
    const lost = openOf(this.#scoreboard.freeRows(isGone));
    // Whoever was killed as its time was over could not count them itself.
    if (worker.killing !== undefined) this.#scoreboard.addCut(lost);
    return lost;
  }

  async #stop(drain: number): Promise<void> {
    this.#clearReplacements();
    const accepted = this.read().map((row) => row.accepted);
    const before = this.#scoreboard.departed;
    this.#scoreboard.leave(drain);
    for (const listener of this.#listeners) {
      // The kernel turns away whoever comes from now on, though workers that have yet to end hold it too.
      shutdown(listener);
      close(listener);
    }
    removeSocketFile(this.address);
    this.#hasten(drain);
    while (this.#workers.size > 0) await this.#nextEnd();
    this.#stuck?.close();
    const after = this.#scoreboard.departed;
    this.#scoreboard.unmap();
    close(this.#scoreboardFd);
    const answered = after.answered - before.answered;
    const cut = after.cut - before.cut;
    if (this.#isListening) {
      this.#deliver?.({ type: 'stopped', accepted, answered, cut, at: Date.now() });
    }
  }

  /** Nobody is to stay longer than that, in ms from now. */
  #hasten(drain: number): void {
    this.#scoreboard.drain = drain;
    for (const worker of this.#workers) this.#seeOff(worker, drain);
  }

  /** Tells a worker to leave, or one that was told that it has less time. */
  #seeOff(worker: WorkerProcess, drain: number, signal?: NodeJS.Signals): void {
    const { child, killing, isGone } = worker;
    clearTimeout(killing);
    // Whose process has ended meanwhile was lost then, and not cut off now.
    if (isGone) {
      this.#scoreboard.freeRows(({ family, pid }) => family === child.pid && !isRunning(pid));
    }
    worker.killing = setTimeout(() => {
      child.kill('SIGKILL');
      if (this.#isCrew) signalGroup(child.pid!, 'SIGKILL');
    }, drain + GRACE);
    if (signal !== undefined) child.kill(signal);
    else if (!this.#servesOnMain && killing === undefined) child.kill('SIGTERM');
    this.#wakeLeaving();
  }

  /** Who sleeps in the kernel is woken until it has left; where others serve, their worker does that as long as it lives. */
  #wakeLeaving(): void {
    const wake = () => {
      const asleep = [...this.#workers].filter(
        ({ killing, isGone }) => killing !== undefined && (this.#servesOnMain || isGone),
      );
      for (const { child, isGone } of asleep) {
        if (isGone) signalGroup(child.pid!, 'wake');
        else interrupt(child.pid!, child.pid!);
      }
      if (asleep.length > 0) return;
      clearInterval(this.#waking);
      this.#waking = undefined;
    };
    this.#waking ??= setInterval(wake, WAKE_AGAIN);
    wake();
  }

  get #isCrew(): boolean {
    return this.#plan.traits.arrangement === 'crew';
  }

  get #servesOnMain(): boolean {
    return this.#plan.traits.arrangement === 'alone' && this.#plan.threads === 1;
  }

  #clearReplacements(): void {
    for (const replacement of this.#replacements) clearTimeout(replacement);
    this.#replacements.clear();
  }
}

const openOf = (rows: readonly RowReading[]) => rows.reduce((sum, { open }) => sum + open, 0);

const stopping = () => new ServeError('failed', 'Cannot restart: the server is stopping');

/** The stamps of an event that is the supervisor's own. */
const own = () => ({ at: Date.now(), pid: process.pid, tid: process.pid, worker: -1 });
