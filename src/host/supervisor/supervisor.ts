/**
 * The supervisor owns the listeners, starts the worker processes, and stops them. It replaces workers that die, and
 * all of them at a restart. It never serves: a process whose thread sleeps in a system call can do nothing else.
 */

import { dropHolder, dropHoldersOf, limitOf, prepareAdmission } from '../../limits/admission.ts';
import { addressText, type SocketAddress } from '../../os/address.ts';
import { createSharedMemory, mapSharedMemory } from '../../os/memory.ts';
import { type AcceptQueue, acceptQueueOf, close, shutdown } from '../../os/socket.ts';
import { readAnswerTimes } from '../../worker/answer-times.ts';
import type { WorkerEvent } from '../../worker/contract.ts';
import {
  type Header,
  openOf,
  type RowReading,
  SCOREBOARD_SIZE,
  Scoreboard,
} from '../../worker/scoreboard.ts';
import type { View } from '../admin/view.ts';
import { ServeError } from '../errors.ts';
import { type Identity, identityOf } from '../identity.ts';
import { type Bound, listenAll, openListeners, removeSocketFile } from '../listen.ts';
import { nameOf, serviceUrl } from '../load-service.ts';
import {
  changedPlan,
  checkedDrain,
  MOST_GENERATIONS,
  type Plan,
  type RestartOptions,
} from '../plan.ts';
import type { StopTimes } from '../presence.ts';
import { lackOfTasks } from '../scarcity.ts';
import type { ServerEvent } from '../server-event.ts';
import { randomSeed } from '../worker/door.ts';
import type { Stamped, StartEvent } from '../worker/journal.ts';
import { copiesText } from './copies.ts';
import { History } from './history.ts';
import { Shutdown } from './shutdown.ts';
import { StuckWatch } from './stuck.ts';
import {
  configOf,
  readJournal,
  reportOpen,
  type Starting,
  spawnWorker,
  type WorkerProcess,
} from './worker-process.ts';

/** Interval in which the same warning is reported once, in ms: each worker may find the same fault by itself. */
const WARNING_INTERVAL_MS = 5000;
/** A worker that lived for less than this, in ms, is replaced only after a delay, which grows each time. */
const SHORT_LIFE_MS = 1000;
const LONGEST_WAIT = 5000;
/**
 * Time that a worker may take until it serves, in ms, and further time for each that starts beside it: they share
 * processors.
 */
const START_TIME = 30_000;
const START_SHARE = 500;
/** How many processes in one place may be killed from outside while they start. After more, the start fails. */
const MOST_KILLED = 5;
/** Signals that end a process for a fault of its own. */
const OWN_FAULTS: ReadonlySet<string> = new Set([
  ...['SIGABRT', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGSEGV', 'SIGSYS', 'SIGTRAP', 'SIGXCPU'],
]);

type StartTime = (plan: Plan) => number;

/** A plan with the URL of the service. */
type ServingPlan = Plan & { readonly service: string };

export class Supervisor {
  /** A restart may change it. */
  #plan: ServingPlan;
  readonly #deliver: ((event: ServerEvent) => void) | undefined;
  readonly #scoreboardFd = createSharedMemory('mondo-scoreboard', SCOREBOARD_SIZE);
  readonly #scoreboard = new Scoreboard(mapSharedMemory(this.#scoreboardFd, SCOREBOARD_SIZE));
  readonly #workers = new Set<WorkerProcess>();
  /** Timers of replacements. Each has the waiting caller if the worker is one of the first of its generation. */
  readonly #replacements = new Map<NodeJS.Timeout, Starting | undefined>();
  /** By worker: number of deaths in a row after a short life. */
  readonly #deaths: number[] = [];
  readonly address: SocketAddress;
  readonly #bound: Bound;
  readonly #identity: Identity | undefined;
  readonly #startTime: StartTime;
  readonly #shutdown: Shutdown;
  #stuck: StuckWatch | undefined;
  readonly #history = new History();
  #generation = 1;
  /**
   * Generations whose workers are replaced when they die, each with its plan: the one that serves, and one that is
   * starting.
   */
  readonly #living = new Map<number, ServingPlan>();
  /** The plan for the next restart. */
  #nextPlan: ServingPlan;
  #restarting: Promise<void> | undefined;
  /** The restart that waits for its turn. */
  #nextRestart: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** When the drain of a stop ends, by `performance.now`. */
  #endsAt = Number.POSITIVE_INFINITY;
  /** Events of workers from before all of them served: `listening` must be the first event. */
  readonly #early: ServerEvent[] = [];
  #isListening = false;
  /** True if the service does not say what it shares. */
  #isUndeclared = false;
  /** True once workers may accept: clients can connect, or the server stops. */
  #isOpen = false;
  readonly #lastWarned = new Map<string, number>();
  #onEnded: () => void = () => {};

  /**
   * Binds the listeners, starts the workers, and listens when all of them can serve.
   *
   * @param startTime time that the next worker may take until it serves, in ms
   */
  static async start(
    plan: Plan,
    service: string,
    deliver: ((event: ServerEvent) => void) | undefined,
    startTime: StartTime = ({ processes, threads }) =>
      START_TIME + START_SHARE * processes * threads,
  ): Promise<Supervisor> {
    const identity = identityOf(plan.user, plan.group);
    const bound = await openListeners(plan);
    const serving = { ...plan, service };
    const supervisor = new Supervisor(serving, deliver, { bound, identity, startTime });
    try {
      await supervisor.#startAll(supervisor.#generation, serving);
      supervisor.#listen();
    } catch (error) {
      await supervisor.close(0);
      throw error;
    }
    supervisor.#reportListening();
    return supervisor;
  }

  private constructor(
    plan: ServingPlan,
    deliver: ((event: ServerEvent) => void) | undefined,
    parts: {
      readonly bound: Bound;
      readonly identity: Identity | undefined;
      readonly startTime: StartTime;
    },
  ) {
    this.#plan = plan;
    this.#nextPlan = plan;
    this.#living.set(this.#generation, plan);
    this.#deliver = deliver;
    this.#bound = parts.bound;
    this.address = parts.bound.address;
    this.#identity = parts.identity;
    this.#startTime = parts.startTime;
    this.#shutdown = new Shutdown(this.#workers, this.#scoreboard, plan);
    this.#scoreboard.replace(this.#generation, plan.drain);
    prepareAdmission(this.#scoreboard.admission, randomSeed());
    this.#stuck = this.#watchFor(plan);
  }

  /** Undefined if no reader could learn what it finds. */
  #watchFor({ admin, isManaged, stuck, traits }: Plan): StuckWatch | undefined {
    const deliver = this.#deliver;
    const hasReader = deliver !== undefined || admin !== undefined || isManaged;
    if (!hasReader || stuck === 0) return undefined;
    return new StuckWatch(
      stuck,
      traits.arrangement === 'node',
      () => this.read(),
      (found) => deliver?.({ ...found, type: 'stuck', at: Date.now() }),
    );
  }

  get where(): string {
    return addressText(this.address);
  }

  get stopTimes(): StopTimes {
    return this.#plan;
  }

  /** Its descriptors. */
  get listeners(): readonly number[] {
    return this.#bound.listeners;
  }

  /** What each worker is doing at this moment. */
  read(): RowReading[] {
    return this.#scoreboard.read();
  }

  get counts(): Readonly<Record<string, number>> {
    return this.#scoreboard.counts;
  }

  get proxyHeaders(): Readonly<Record<Header, number>> {
    return this.#scoreboard.headers;
  }

  get served(): { readonly questions: number; readonly connections: number } {
    return this.#scoreboard.served;
  }

  get queued(): number {
    return this.#scoreboard.queued;
  }

  /** The accept queues of all listeners together. Undefined if they are unknown, or closed. */
  queue(): AcceptQueue | undefined {
    if (this.#closing !== undefined) return undefined;
    const sum = { waiting: 0, limit: 0 };
    for (const listener of this.listeners) {
      const queue = acceptQueueOf(listener);
      if (queue === undefined) return undefined;
      sum.waiting += queue.waiting;
      sum.limit += queue.limit;
    }
    return sum;
  }

  /** What the admin listener shows. It stays readable after the end. */
  get view(): View {
    const [board, history] = [this.#scoreboard, this.#history];
    const serving = [...this.#workers].filter(
      ({ isServing, isGone, killing }) => isServing && !isGone && killing === undefined,
    ).length;
    const workers = () => board.read();
    const { traits, metricsLatency } = this.#plan;
    return {
      architecture: traits.name,
      where: this.where,
      generation: this.#generation,
      serving,
      stuck: this.#stuck?.count ?? 0,
      connections: { open: openOf(workers()), limit: limitOf(board.admission) },
      unsent: board.unsent(),
      dropped: board.dropped,
      ...history,
      restarts: history.restarts,
      pids: [process.pid, ...new Set([...this.pids, ...workers().map(({ pid }) => pid)])],
      workers,
      work: () => board.work(),
      limited: () => board.allCounts,
      headers: () => board.headers,
      ended: () => board.ended,
      answerTimes: () => (metricsLatency ? readAnswerTimes(board.answerTimes) : undefined),
      queue: () => this.queue(),
    };
  }

  /** Process ids of the workers, including those that are leaving. */
  get pids(): number[] {
    return [...this.#workers].filter(({ isGone }) => !isGone).map(({ pid }) => pid);
  }

  /**
   * Replaces all workers. Resolves when the new ones serve. Rejects if they cannot start; the old ones then
   * continue, with the old options.
   *
   * @throws ServeError if an option makes no sense
   */
  restart(options: RestartOptions = {}): Promise<void> {
    try {
      const plan = changedPlan(this.#nextPlan, options);
      const service =
        options.service === undefined ? this.#nextPlan.service : serviceUrl(options.service);
      this.#nextPlan = { ...plan, service };
    } catch (error) {
      this.#warnOfRestart(error as Error);
      throw error;
    }
    if (this.#restarting === undefined) {
      this.#restarting = this.#replaceAll().finally(() => {
        this.#restarting = undefined;
      });
      return this.#restarting;
    }
    // A waiting restart also takes up later changes of the service and of the options, so one is enough.
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
    // Old workers stay only while they have clients. Without this limit, clients could fill the machine with old
    // workers.
    while (this.#generationsLeaving() >= MOST_GENERATIONS - 1) await this.#nextEnd();
    if (this.#closing !== undefined) throw stopping();
    const generation = ++this.#generation;
    const plan = this.#nextPlan;
    this.#living.set(generation, plan);
    const isOtherService = plan.service !== this.#plan.service;
    if (isOtherService) this.#isUndeclared = false;
    try {
      await this.#startAll(generation, plan);
    } catch (error) {
      if (this.#nextPlan === plan) this.#nextPlan = this.#plan;
      this.#history.noteRestart(false);
      this.#fallBack(generation, error as Error);
      throw this.#closing === undefined ? error : stopping();
    }
    // All workers have received the order to stop. An order to serve would make them serve on a closed listener.
    if (this.#closing !== undefined) throw stopping();
    if (plan.stuck !== this.#plan.stuck) {
      this.#stuck?.close();
      this.#stuck = this.#watchFor(plan);
    }
    this.#plan = plan;
    for (const living of this.#living.keys()) {
      if (living !== generation) this.#living.delete(living);
    }
    this.#scoreboard.replace(generation, this.#plan.drain);
    for (const worker of this.#workers) {
      if (worker.generation !== generation && worker.killing === undefined) {
        this.#shutdown.order(worker, this.#plan.drain);
      }
    }
    this.#history.noteRestart(true);
    this.#deliver?.({ type: 'restarted', generation, at: Date.now() });
    if (isOtherService) this.#warnOfCopies();
  }

  /** The new workers could not all start: the old ones continue to serve. */
  #fallBack(generation: number, error: Error): void {
    this.#living.delete(generation);
    if (this.#closing !== undefined) return;
    this.#scoreboard.withdraw(generation, this.#plan.drain);
    for (const worker of this.#workers) {
      if (worker.generation !== generation) continue;
      // The new workers that serve already have clients.
      if (worker.isServing) this.#shutdown.order(worker, this.#plan.drain);
      else this.#shutdown.order(worker, 0, 'SIGKILL');
    }
    this.#warnOfRestart(error);
  }

  #warnOfRestart({ message }: Error): void {
    this.#warn(`Cannot restart, the old workers continue to serve: ${message}`);
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

  /** Lets clients connect, now that each worker can serve. */
  #listen(): void {
    if (!this.#bound.isInherited) listenAll(this.listeners, this.address, this.#plan.backlog);
    this.#letAccept();
  }

  /** Workers that serve wait for this, because accept(2) fails at a socket that does not listen. */
  #letAccept(): void {
    this.#isOpen = true;
    for (const { child } of this.#workers) reportOpen(child);
  }

  #reportListening(): void {
    this.#deliver?.({
      type: 'listening',
      address: this.where,
      architecture: this.#plan.traits.name,
      at: Date.now(),
    });
    this.#warnOfCopies();
    for (const event of this.#early.splice(0)) this.#deliver?.(event);
    this.#isListening = true;
  }

  #warnOfCopies(): void {
    const text = this.#isUndeclared ? copiesText(this.#plan, this.#plan.service) : undefined;
    if (text !== undefined) this.#warn(text);
  }

  /** Starts a worker process for each index; resolves when all of them serve, rejects if one cannot. */
  async #startAll(generation: number, plan: ServingPlan): Promise<void> {
    const lack = this.#lackOfTasks(plan, plan.processes);
    if (lack !== undefined) throw lack;
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const missing = new Set<number>();
    for (let index = 0; index < plan.processes; index++) {
      missing.add(index);
      this.#startWorker(index, generation, {
        killed: 0,
        ready: () => {
          missing.delete(index);
          if (missing.size === 0) resolve();
        },
        // One that served may be killed while the others start.
        lost: () => missing.add(index),
        failed: reject,
      });
    }
    await promise;
    for (const worker of this.#workers) {
      if (worker.generation === generation) worker.starting = undefined;
    }
  }

  /** @param starting the caller that waits for it; undefined: it replaces a worker that died */
  #startWorker(index: number, generation: number, starting?: Starting): void {
    const plan = this.#living.get(generation) ?? this.#plan;
    const { threads, reuseport, service } = plan;
    // All that start together have been counted together: each of them takes room a moment after its start.
    const lack = starting === undefined ? this.#lackOfTasks(plan, 1) : undefined;
    if (lack !== undefined) {
      this.#cannotReplace(index, generation, lack);
      return;
    }
    const journal = this.#deliver !== undefined;
    const config = configOf(plan, { service, journal, index, generation });
    const first = reuseport ? index * threads : 0;
    const listeners = this.listeners.slice(first, first + config.listeners);
    const inherited = [this.#scoreboardFd, ...listeners];
    const child = spawnWorker(config, inherited, this.#identity, (error) => {
      if (starting === undefined) this.#cannotReplace(index, generation, error);
      else starting.failed(error);
    });
    if (child === undefined) return;
    const startTime = this.#startTime(plan);
    const worker: WorkerProcess = {
      child,
      pid: child.pid!,
      index,
      generation,
      startedAt: Date.now(),
      unready: threadsThatSay(plan),
      servesOnMain: plan.traits.arrangement === 'alone' && threads === 1,
      isServing: false,
      hasFailed: false,
      isGone: false,
      starting,
      late: setTimeout(() => this.#isLate(worker, startTime, service), startTime),
      orderedAt: Number.POSITIVE_INFINITY,
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
    if (this.#isOpen) reportOpen(child);
    // Not 'close', although the journal has then been read to its end. The processes of a crew hold the journal
    // too, and until they have ended the server would not accept.
    child.on('exit', (code, signal) => {
      if (!this.#isCrew || worker.unready > 0) return;
      // Not at once: an error that our listener throws would prevent 'close'.
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

  /** A start that takes too long fails, so that the caller does not wait for it. */
  #isLate(worker: WorkerProcess, startTime: number, service: string): void {
    const { starting, killing, child } = worker;
    if (killing !== undefined) return;
    const text = `Cannot start a worker: it does not serve after ${startTime} ms; see what ${nameOf(service)} waits for while it is loaded`;
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
      if (event.undeclared === true) this.#isUndeclared = true;
      worker.isServing = true;
      if (worker.killing !== undefined) this.#shutdown.giveTime(worker);
      worker.unready--;
      if (worker.unready > 0) return;
      clearTimeout(worker.late);
      worker.starting?.ready();
    } else if (event.type === 'fatal') {
      worker.hasFailed = true;
      // The caller that waits for it learns the reason from the rejection.
      if (worker.starting !== undefined) {
        worker.starting.failed(new ServeError('failed', event.text, { lacks: event.lacks }));
      } else if (this.#isListening) {
        this.#deliver?.({ ...event, type: 'crashed', error: event.text });
      }
    } else {
      if (event.type === 'warning' && this.#wasWarned(event.text, event.at)) return;
      this.#report({ ...event, worker: worker.index });
    }
  }

  /** Keeps events that come before `listening` until that is reported. */
  #report(event: ServerEvent): void {
    if (this.#isListening) this.#deliver?.(event);
    else this.#early.push(event);
  }

  #wasWarned(text: string, at: number): boolean {
    const last = this.#lastWarned.get(text);
    if (last !== undefined && at - last < WARNING_INTERVAL_MS) return true;
    for (const [told, when] of this.#lastWarned) {
      if (at - when >= WARNING_INTERVAL_MS) this.#lastWarned.delete(told);
    }
    this.#lastWarned.set(text, at);
    return false;
  }

  #ended(worker: WorkerProcess, code: number | null, signal: string | null): void {
    worker.isGone = true;
    clearTimeout(worker.late);
    const { pid, index, generation } = worker;
    const lost = this.#freeRows((row) => row.pid === pid);
    // Clients that are served by their own processes are not counted any more: no process would see them leave.
    dropHolder(this.#scoreboard.admission, pid);
    if (this.#isCrew && worker.killing !== undefined) this.#shutdown.wake();
    const how = signal === null ? `exit code ${code}` : signal;
    const { starting, killing } = worker;
    this.#history.noteExit(killing !== undefined, code);
    const mayReplace = killing === undefined && this.#closing === undefined;
    if (killing !== undefined) this.#reportLost(worker, how, lost);
    if (starting !== undefined && !(mayReplace && wasKilledFromOutside(worker, signal))) {
      starting.failed(new ServeError('failed', `Cannot start a worker: it ended with ${how}`));
      return;
    }
    if (!mayReplace) return;
    starting?.lost();
    const isYoung = Date.now() - worker.startedAt < SHORT_LIFE_MS;
    const delay = this.#replace(index, generation, isYoung, starting);
    // Report it last: a listener may close the server, or throw.
    this.#report({ type: 'died', worker: index, pid, how, lost, delay, at: Date.now() });
  }

  /** A leaving worker did not end by itself. During a stop, its connections are counted among those cut off. */
  #reportLost({ index, pid }: WorkerProcess, how: string, lost: number): void {
    if (lost === 0 || this.#closing !== undefined) return;
    const delay = undefined;
    this.#deliver?.({ type: 'died', worker: index, pid, how, lost, delay, at: Date.now() });
  }

  /** Starts another worker in the place of a dead one. Returns the delay, in ms. */
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

  /** A worker, and everything that it had started, has ended. */
  #familyEnded(worker: WorkerProcess): void {
    this.#workers.delete(worker);
    clearTimeout(worker.killing);
    const lost = this.#freeRows((row) => row.family === worker.pid);
    dropHoldersOf(this.#scoreboard.admission, worker.pid);
    this.#onEnded();
    // Threads that could not free their rows were killed.
    if (worker.killing !== undefined) this.#reportLost(worker, 'SIGKILL', lost);
  }

  /** @returns the number of connections lost with those rows */
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
    // Do it before the listeners close: a worker that finds a closed listener looks for the reason.
    this.#scoreboard.stop(drain);
    this.#letAccept();
    removeSocketFile(this.#bound.file);
    for (const listener of this.listeners) {
      // The kernel refuses new clients after this, although workers that have not ended yet hold the listener too. If
      // another process keeps the listener, the clients in its queue belong to the next server there.
      if (!this.#plan.isKept) shutdown(listener);
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

  /** Shortens the drain to `drain` ms from now; a longer time than before has no effect. */
  #hasten(drain: number): void {
    this.#endsAt = Math.min(this.#endsAt, performance.now() + drain);
    const left = this.#endsAt - performance.now();
    this.#scoreboard.stop(left);
    for (const worker of this.#workers) this.#shutdown.order(worker, left);
  }

  #lackOfTasks(plan: Plan, processes: number): ServeError | undefined {
    const isOne = plan.threads === 1 && !this.#isCrew;
    const uid = this.#identity?.uid ?? process.geteuid?.() ?? 0;
    const lack = lackOfTasks(processes, isOne ? 0 : threadsThatSay(plan), uid);
    return lack === undefined
      ? undefined
      : new ServeError('failed', `Cannot start a worker: ${lack.text}`);
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

/** Number of threads of a worker that report that they serve. */
function threadsThatSay({ traits, threads }: Plan): number {
  if (traits.arrangement !== 'crew') return threads;
  return traits.pool === true ? 1 + threads : 1;
}

/** True if another process has killed a starting worker, and not too many in its place before it. */
function wasKilledFromOutside(worker: WorkerProcess, signal: string | null): boolean {
  if (signal === null || OWN_FAULTS.has(signal) || worker.hasFailed) return false;
  return ++worker.starting!.killed <= MOST_KILLED;
}

const stopping = () => new ServeError('failed', 'Cannot restart: the server is stopping');

/** The stamps of an event that is the supervisor's own. */
const own = { pid: process.pid, tid: process.pid, worker: -1 } as const;
