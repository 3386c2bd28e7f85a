/**
 * The supervisor: owns the listeners, starts the worker processes, replaces those that die, and stops
 * them. It never serves: a process whose thread sleeps in a system call can do nothing else.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { WorkerEvent } from '../architectures/architecture.ts';
import { type RowReading, SCOREBOARD_SIZE, Scoreboard } from '../architectures/scoreboard.ts';
import { dropHolder, prepareAdmission } from '../limits/admission.ts';
import { addressText, type SocketAddress } from '../os/address.ts';
import { createSharedMemory, mapSharedMemory } from '../os/memory.ts';
import { interrupt } from '../os/signal.ts';
import { close } from '../os/socket.ts';
import { randomSeed } from './door.ts';
import { ServeError } from './errors.ts';
import { eventReader, type Stamped, type StartEvent } from './journal.ts';
import { openListeners, removeSocketFile, resolveAddress } from './listen.ts';
import type { Plan } from './plan.ts';
import type { ServerEvent } from './server-event.ts';
import type { WorkerConfig } from './worker-config.ts';

/** A worker asleep in the kernel is woken again after that many ms until it has ended. */
const WAKE_AGAIN = 10;
/** How long the workers have to end by themselves, in ms, before they are killed. */
const GRACE = 700;
/** A worker that lived shorter than this, in ms, is replaced only after a while, longer each time. */
const SHORT_LIFE = 1000;
const LONGEST_WAIT = 5000;

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
const workerFile = new URL(`./worker${extension}`, import.meta.url);

/** Where Node keeps compiled code by default; with it a worker starts in a third of the time. */
const compileCache = join(tmpdir(), 'node-compile-cache');

interface WorkerProcess {
  readonly child: ChildProcess;
  readonly index: number;
  readonly startedAt: number;
  /** How many of its threads have yet to say that they serve. */
  unready: number;
}

export class Supervisor {
  readonly #plan: Plan;
  readonly #service: string;
  readonly #deliver: ((event: ServerEvent) => void) | undefined;
  readonly #scoreboardFd = createSharedMemory('mondo-scoreboard', SCOREBOARD_SIZE);
  readonly #scoreboard = new Scoreboard(mapSharedMemory(this.#scoreboardFd, SCOREBOARD_SIZE));
  readonly #workers = new Map<number, WorkerProcess>();
  readonly #restarts = new Set<NodeJS.Timeout>();
  /** How often in a row each worker died young. */
  readonly #deaths: number[] = [];
  readonly address: SocketAddress;
  readonly #listeners: readonly number[];
  #closing: Promise<void> | undefined;
  /** What workers told before all of them served: `listening` is to be the first. */
  readonly #early: ServerEvent[] = [];
  #isListening = false;
  #onReady: () => void = () => {};
  #onFatal: (error: Error) => void = () => {};
  #onEnded: () => void = () => {};

  /** Opens the listeners and starts the workers; resolves when all of them serve. */
  static async start(
    plan: Plan,
    service: string,
    deliver: ((event: ServerEvent) => void) | undefined,
  ): Promise<Supervisor> {
    const wanted = await resolveAddress(plan.host, plan.port);
    const { listeners, address } = openListeners(wanted, {
      backlog: plan.backlog,
      reuseport: plan.reuseport,
      count: plan.reuseport ? plan.threads * plan.processes : 1,
    });
    const supervisor = new Supervisor(plan, service, deliver, listeners, address);
    try {
      await supervisor.#startAll();
    } catch (error) {
      await supervisor.close();
      throw error;
    }
    return supervisor;
  }

  private constructor(
    plan: Plan,
    service: string,
    deliver: ((event: ServerEvent) => void) | undefined,
    listeners: readonly number[],
    address: SocketAddress,
  ) {
    this.#plan = plan;
    this.#service = service;
    this.#deliver = deliver;
    this.#listeners = listeners;
    this.address = address;
    prepareAdmission(this.#scoreboard.admission, randomSeed());
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

  /** Process ids of the workers. */
  get pids(): number[] {
    return [...this.#workers.values()].map(({ child }) => child.pid!);
  }

  /** Stops accepting, ends every conversation, and resolves when no worker is left. */
  close(): Promise<void> {
    this.#closing ??= this.#stop();
    return this.#closing;
  }

  #startAll(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#onReady = () => {
        for (const worker of this.#workers.values()) if (worker.unready > 0) return;
        this.#deliver?.({
          type: 'listening',
          address: this.where,
          architecture: this.#plan.traits.name,
          at: Date.now(),
        });
        for (const event of this.#early.splice(0)) this.#deliver?.(event);
        this.#isListening = true;
        this.#onReady = () => {};
        this.#onFatal = () => {};
        resolve();
      };
      this.#onFatal = reject;
      for (let index = 0; index < this.#plan.processes; index++) this.#startWorker(index);
    });
  }

  #startWorker(index: number): void {
    const { threads, processes, traits, think, limits, dryRun, page, reuseport } = this.#plan;
    const config: WorkerConfig = {
      architecture: traits.name as WorkerConfig['architecture'],
      service: this.#service,
      think,
      limits,
      dryRun,
      workers: threads * processes,
      threads,
      listeners: reuseport ? threads : 1,
      journal: this.#deliver !== undefined,
      backlog: this.#plan.backlog,
      options: page,
      whenFull: this.#plan.whenFull,
      processes: this.#plan.processes,
      index,
      parent: process.pid,
    };
    const first = reuseport ? index * threads : 0;
    const listeners = this.#listeners.slice(first, first + config.listeners);
    const child = spawn(process.execPath, [workerFile.pathname, JSON.stringify(config)], {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', this.#scoreboardFd, ...listeners],
      env: { NODE_COMPILE_CACHE: compileCache, ...process.env },
    });
    const worker: WorkerProcess = {
      child,
      index,
      startedAt: Date.now(),
      unready: traits.arrangement === 'crew' ? 1 : threads,
    };
    this.#workers.set(index, worker);
    const journal = child.stdio[3] as Socket;
    journal.setEncoding('utf8');
    journal.on(
      'data',
      eventReader((event) => this.#receive(worker, event)),
    );
    child.on('error', (error) =>
      this.#onFatal(new ServeError('failed', `Cannot start a worker: ${error.message}`)),
    );
    // 'close' and not 'exit': the journal has been read to its end by then.
    child.on('close', (code, signal) => this.#ended(worker, code, signal));
  }

  #receive(worker: WorkerProcess, event: Stamped<WorkerEvent | StartEvent>): void {
    if (event.type === 'ready') {
      worker.unready--;
      this.#onReady();
    } else if (event.type === 'fatal') {
      this.#onFatal(new ServeError('failed', event.text));
      // Before it listens the caller is told, by the rejection.
      if (this.#isListening) this.#deliver?.({ ...event, type: 'crashed', error: event.text });
    } else {
      const told = { ...event, worker: worker.index };
      if (this.#isListening) this.#deliver?.(told);
      else this.#early.push(told);
    }
  }

  #ended(worker: WorkerProcess, code: number | null, signal: string | null): void {
    this.#workers.delete(worker.index);
    const pid = worker.child.pid ?? 0;
    this.#scoreboard.freeRowsOf(pid);
    dropHolder(this.#scoreboard.admission, pid);
    this.#onEnded();
    if (this.#closing !== undefined) return;
    const how = signal === null ? `exit code ${code}` : signal;
    if (worker.unready > 0) {
      this.#onFatal(new ServeError('failed', `Cannot start a worker: it ended with ${how}`));
    }
    const young = Date.now() - worker.startedAt < SHORT_LIFE;
    const deaths = young ? (this.#deaths[worker.index] ?? 0) + 1 : 0;
    this.#deaths[worker.index] = deaths;
    const delay = deaths === 0 ? 0 : Math.min(LONGEST_WAIT, 50 * 2 ** deaths);
    this.#deliver?.({ type: 'died', worker: worker.index, pid, how, delay, at: Date.now() });
    const restart = setTimeout(() => {
      this.#restarts.delete(restart);
      this.#startWorker(worker.index);
    }, delay);
    this.#restarts.add(restart);
  }

  async #stop(): Promise<void> {
    for (const restart of this.#restarts) clearTimeout(restart);
    const accepted = this.read().map((row) => row.accepted);
    this.#scoreboard.stop();
    // The kernel turns away whoever comes from now on, even while workers have yet to end.
    for (const listener of this.#listeners) close(listener);
    removeSocketFile(this.address);
    await this.#endWorkers();
    this.#scoreboard.unmap();
    close(this.#scoreboardFd);
    if (this.#isListening) this.#deliver?.({ type: 'stopped', accepted, at: Date.now() });
  }

  #endWorkers(): Promise<void> {
    const { arrangement } = this.#plan.traits;
    const servesOnMain = arrangement === 'alone' && this.#plan.threads === 1;
    const wake = () => {
      for (const { child } of this.#workers.values()) interrupt(child.pid!, child.pid!);
    };
    const kill = (signal: NodeJS.Signals) => {
      for (const { child } of this.#workers.values()) child.kill(signal);
    };
    return new Promise((resolve) => {
      const waking = setInterval(servesOnMain ? wake : () => {}, WAKE_AGAIN);
      const killing = setTimeout(kill, GRACE, 'SIGKILL');
      this.#onEnded = () => {
        if (this.#workers.size > 0) return;
        clearInterval(waking);
        clearTimeout(killing);
        resolve();
      };
      if (servesOnMain) wake();
      else kill('SIGTERM');
      this.#onEnded();
    });
  }
}
