/**
 * Observes one server from its supervisor's process: by its events, its scoreboard and the kernel. It makes a frame of
 * what has changed, 20 times a second.
 */

import type { Server } from '../../../host/server.ts';
import type { ServerEvent } from '../../../host/server-event.ts';
import type { Refusal } from '../../../limits/admission.ts';
import { isRunning } from '../../../os/processes.ts';
import type { Traits } from '../../../worker/contract.ts';
import { clockOf } from '../clock.ts';
import type { StageOrder } from '../parts.ts';
import type { FrameRecord, ThreadsRecord } from '../shared/records.ts';
import { type Cost, StageCost } from './cost.ts';
import { peerOfSleeper, TaskStates, waitingAt } from './kernel.ts';
import { Lanes } from './lanes.ts';
import { Threads } from './threads.ts';
import { Visits } from './visits.ts';
import { wallClock } from './wall-clock.ts';

/** Intervals, in ms: of samples of the scoreboard, of frames, and of four looks into /proc; the last two at most. */
const SAMPLE = 10;
const FRAME = 50;
const TASKS = 250;
const THREADS = 1000;
const QUEUE = 500;
const COST = 1000;
/** Looks at the cost take at most this share of the time. */
const COST_SHARE = 0.02;
/** Time that the last events of a process that has ended take to come through its journal, in ms. */
const LATE = 200;

/** Reasons of `Server.counts` that refuse a client as it comes; all others end one. */
const refusals: Readonly<Record<Refusal | 'descriptor', true>> = {
  deny: true,
  allow: true,
  'accepts-per-second': true,
  'connections-per-address': true,
  connections: true,
  early: true,
  'proxy-untrusted': true,
  descriptor: true,
};

export interface Listener {
  readonly record: (record: FrameRecord | ThreadsRecord) => void;
  readonly pids: (pids: readonly number[]) => void;
}

type Changing = 'q' | 'c' | 'w' | 'm' | 'n';

export class Observer {
  readonly #s: number;
  /** ms since the epoch, in whole µs. */
  readonly #now: () => number;
  readonly #timeOf: (at: number) => number;
  readonly #listener: Listener;
  readonly #visits: Visits;
  readonly #lanes: Lanes;
  readonly #states = new TaskStates();
  readonly #threads = new Threads();
  readonly #cost = new StageCost();
  #server: Server | undefined;
  readonly #timers: NodeJS.Timeout[] = [];
  /** Processes that may have ended, with the time at which that is certain. */
  readonly #leaving = new Map<number, { readonly t: number; readonly due: number }>();
  readonly #sent = new Map<string, string>();
  #limit = 0;
  #waiting: number[] = [];
  #queueDue = 0;
  #costs: Cost | undefined;
  #costsDue = 0;
  #pids: readonly number[] = [];

  constructor({ s, epoch }: StageOrder, traits: Traits, listener: Listener) {
    this.#s = s;
    const clock = clockOf(epoch);
    this.#now = () => Math.round(clock() * 1000) / 1000;
    this.#timeOf = wallClock(clock);
    this.#listener = listener;
    const isBlocking = traits.ioModel === 'blocking calls';
    this.#visits = new Visits({
      s,
      isHandedOver: traits.arrangement === 'crew' && traits.assistants === 'threads',
      rowOf: (tid) => this.#rowOf(tid),
      sleeper: (tid) => this.#sleeper(tid),
    });
    this.#lanes = new Lanes(
      (tid) => (isBlocking ? this.#visits.servedBy(tid) : -1),
      (tid) => this.#states.of(tid),
    );
  }

  /** The worker processes, and those that they have started. */
  get pids(): readonly number[] {
    return this.#pids;
  }

  hear(event: ServerEvent): void {
    const t = this.#timeOf(event.at);
    if (event.type === 'stuck') this.#lanes.stuck(event.tid);
    else this.#visits.hear(event, t);
  }

  begin(server: Server): void {
    this.#server = server;
    this.#sample();
    this.#readStates();
    this.#frame();
    this.#every(SAMPLE, () => this.#sample());
    this.#every(FRAME, () => this.#frame());
    this.#every(TASKS, () => this.#readStates());
    this.#every(THREADS, () => this.#tellThreads());
  }

  /** The server has ended: makes the last frame. */
  end(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#visits.over(this.#now());
    this.#frame();
  }

  #every(ms: number, look: () => void): void {
    this.#timers.push(setInterval(look, ms));
  }

  #rowOf(tid: number): number {
    // A thread that has just started may be in no sample yet.
    if (this.#lanes.rowOf(tid) === -1) this.#sample();
    return this.#lanes.rowOf(tid);
  }

  #sleeper(tid: number): string | undefined {
    const task = this.#lanes.tasks.find((one) => one.tid === tid);
    return task && peerOfSleeper(task, this.#server!.port);
  }

  #sample(): void {
    const now = this.#now();
    const { risen, gone } = this.#lanes.sample(this.#server?.workers() ?? []);
    for (const { tid, count } of risen) this.#visits.rose(tid, count);
    for (const { pid } of gone) this.#leaving.set(pid, { t: now, due: now + LATE });
    this.#visits.handOver(now, (tid) => this.#lanes.rowOf(tid) !== -1);
  }

  #readStates(): void {
    this.#states.look(this.#lanes.tasks);
    this.#visits.confirm(this.#now());
  }

  /** The kernel's list is long: it is read only while clients wait. */
  #readQueue(now: number, waiting: number): void {
    if (waiting === 0) this.#waiting = [];
    if (waiting === 0 || now < this.#queueDue) return;
    this.#queueDue = now + QUEUE;
    this.#waiting = this.#visits.waiting(waitingAt(this.#server!.port), now);
  }

  #readCost(): void {
    const from = performance.now();
    if (from < this.#costsDue) return;
    this.#costs = this.#cost.read(this.#server!.pids);
    const end = performance.now();
    this.#costsDue = end + Math.max(COST, (end - from) / COST_SHARE);
  }

  #tellThreads(): void {
    const found = this.#threads.look(this.#lanes.tasks, (tid) => this.#states.of(tid));
    const t = this.#now();
    if (found !== undefined) this.#listener.record({ k: 'z', t, s: this.#s, ...found });
  }

  #endLeaving(now: number): void {
    for (const [pid, { t, due }] of this.#leaving) {
      if (now < due) continue;
      this.#leaving.delete(pid);
      if (!isRunning(pid)) this.#visits.lost(pid, t);
    }
  }

  #frame(): void {
    const server = this.#server!;
    const now = this.#now();
    this.#endLeaving(now);
    const queue = server.queue();
    if (queue !== undefined) this.#readCost();
    this.#limit = queue?.limit ?? this.#limit;
    this.#readQueue(now, queue?.waiting ?? 0);
    // Before the sample: an answer that is counted has its lane and its client in this frame.
    const counts = countsOf(server);
    this.#sample();
    const t = this.#now();
    this.#states.lookAtNew(this.#lanes.tasks);
    const [l, e] = [this.#lanes.frame(), this.#visits.frame(t)];
    const frame = {
      ...this.#changed('q', [queue?.waiting ?? 0, this.#limit, server.queued]),
      ...this.#changed('c', [this.#lanes.open, ...counts]),
      ...(l.length > 0 ? { l } : {}),
      ...(e.length > 0 ? { e } : {}),
      ...this.#changed('w', this.#waiting),
      ...this.#changed('m', this.#costs?.sum ?? []),
      ...this.#changed('n', this.#costs?.each ?? []),
    };
    this.#tellPids(server);
    if (Object.keys(frame).length > 0) this.#listener.record({ k: 'f', s: this.#s, t, ...frame });
  }

  /** The field if it has changed since the last frame that had it. */
  #changed(key: Changing, value: number[]): { readonly [Key in Changing]?: number[] } {
    const text = value.join();
    if ((this.#sent.get(key) ?? '') === text) return {};
    this.#sent.set(key, text);
    return { [key]: value };
  }

  #tellPids(server: Server): void {
    const pids = [...new Set([...server.pids, ...this.#lanes.tasks.map(({ pid }) => pid)])];
    if (pids.join() === this.#pids.join()) return;
    this.#pids = pids;
    this.#listener.pids(pids);
  }
}

/** Ever-growing: accepted, answered, ended by a limit, refused. */
function countsOf(server: Server): number[] {
  const { questions, connections } = server.served();
  let [limited, refused] = [0, 0];
  for (const [reason, count] of Object.entries(server.counts())) {
    if (Object.hasOwn(refusals, reason)) refused += count;
    else limited += count;
  }
  return [connections, questions, limited, refused];
}
