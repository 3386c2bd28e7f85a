/** The surroundings of a worker on system calls, one for each serving thread. */

import type { Server } from 'node:net';
import { Clients } from '../../lifecycle/clients.ts';
import type { Orders } from '../../lifecycle/drain.ts';
import type { Admission } from '../../limits/admission.ts';
import { mapSharedMemory } from '../../os/memory.ts';
import { threadId } from '../../os/signal.ts';
import { dup, shutdown } from '../../os/socket.ts';
import { isProtocol } from '../../protocol/service.ts';
import { speakersOf } from '../../protocol/speaker.ts';
import { AnswerTimes } from '../../worker/answer-times.ts';
import {
  type Architecture,
  type Assistant,
  type Crew,
  isLoop,
  type Journal,
  type NodeHost,
  type PageOptions,
  type Task,
  type Worker,
} from '../../worker/contract.ts';
import type { Reason } from '../../worker/reasons.ts';
import { type Row, SCOREBOARD_SIZE, Scoreboard } from '../../worker/scoreboard.ts';
import { loadModule, nameOf } from '../load-service.ts';
import { beatFor } from '../supervisor/stuck.ts';
import { createAnswerThread, needsAnswerThread } from './answer-elsewhere.ts';
import { conversationFactory } from './conversation-factory.ts';
import { type Door, sharedAdmission } from './door.ts';
import { journalInto, writeEvent } from './journal.ts';
import { closeService, openAnswers, openService } from './life.ts';
import { opened, sleepUntilOpen } from './opening.ts';
import { proxyParts } from './proxies.ts';
import { JOURNAL_FD, SCOREBOARD_FD, type WorkerConfig } from './worker-config.ts';

/** What a crew's process does for the serving thread: it starts assistants, and waits for them. */
export interface Starter {
  startThread(task: Task): void;
  startProcess(task: Task): void;
  /** @param stopping called again and again; the wait ends when it returns true */
  waitForProcesses(stopping: () => boolean): void;
}

/** The parts that all kinds of workers have. */
interface Parts {
  readonly listener: number;
  readonly hasOwnListener: boolean;
  readonly mostQueued: number;
  readonly awaits: boolean;
  readonly journal: Journal;
  readonly row: Row;
  readonly options: PageOptions;
  readonly clients: Clients;
  readonly admission: Admission;
  readonly conversation: Worker['conversation'];
  readonly ready: () => void;
  readonly noteQueued: (depth: number) => void;
}

class ServingWorker implements Worker {
  readonly listener: number;
  readonly hasOwnListener: boolean;
  readonly mostQueued: number;
  readonly awaits: boolean;
  readonly journal: Journal;
  readonly row: Row;
  readonly options: PageOptions;
  readonly clients: Clients;
  readonly admission: Admission;
  readonly conversation: Worker['conversation'];
  readonly ready: () => void;

  constructor(parts: Parts) {
    this.listener = parts.listener;
    this.hasOwnListener = parts.hasOwnListener;
    this.mostQueued = parts.mostQueued;
    this.awaits = parts.awaits;
    this.journal = parts.journal;
    this.row = parts.row;
    this.options = parts.options;
    this.clients = parts.clients;
    this.admission = parts.admission;
    this.conversation = parts.conversation;
    this.ready = parts.ready;
  }

  get isLeaving(): boolean {
    return this.clients.isLeaving;
  }
}

class ServingAssistant extends ServingWorker implements Assistant {
  readonly noteQueued: (depth: number) => void;
  readonly startThread: ((task: Task) => void) | undefined;

  constructor(parts: Parts, starter: Starter | undefined) {
    super(parts);
    this.noteQueued = parts.noteQueued;
    this.startThread = starter?.startThread;
  }
}

/** For a process without a crew: one that serves one client, or one that a real inetd runs. */
export const assistantOf = (parts: Parts): Assistant => new ServingAssistant(parts, undefined);

class ServingCrew extends ServingAssistant implements Crew {
  readonly threads: number;
  override readonly startThread: (task: Task) => void;
  readonly startProcess: (task: Task) => void;
  readonly #starter: Starter;

  constructor(parts: Parts, threads: number, starter: Starter) {
    super(parts, starter);
    this.threads = threads;
    this.#starter = starter;
    this.startThread = starter.startThread;
    this.startProcess = starter.startProcess;
  }

  waitForProcesses(): void {
    this.#starter.waitForProcesses(() => this.isLeaving);
  }
}

class ServingHost extends ServingWorker implements NodeHost {
  readonly stopped: Promise<void>;
  readonly canPause = true;
  readonly mostWaiting = 1;
  readonly beat: number;
  readonly #backlog: number;
  readonly #isKept: boolean;
  readonly #orders: Orders;

  constructor(parts: Parts, config: WorkerConfig, orders: Orders, stopped: Promise<void>) {
    super(parts);
    this.stopped = stopped;
    this.beat = beatFor(config.stuck);
    this.#backlog = config.backlog;
    this.#isKept = config.isKept;
    this.#orders = orders;
  }

  async listen(server: Server): Promise<void> {
    this.ready();
    await opened();
    // Listening would undo the shutdown of a stop.
    if (this.#orders.order === 'stop') return;
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      // Node closes the descriptor with its server, and another server may follow, so pass a copy. The backlog is a
      // separate argument: with a descriptor Node ignores the one in the options, and uses 511.
      server.listen({ fd: dup(this.listener) }, this.#backlog, () => {
        // Listening again undoes the shutdown of a stop that came during this call.
        if (this.#orders.order === 'stop' && !this.#isKept) shutdown(this.listener);
        resolve();
      });
    });
  }
}

/** What a thread needs to serve, once its service is loaded. */
export interface Context {
  /**
   * Runs the architecture's `serve`; returns when the worker has left.
   *
   * @param starter for a crew
   * @param stopped for an architecture on Node's loop: resolves when the worker must leave
   */
  serve(starter: Starter | undefined, stopped: Promise<void>): void | Promise<void>;
  /** Runs the architecture's `assist`. @param starter in a thread */
  assist(task: Task, starter: Starter | undefined): void;
  /** Closes the service, and frees what the context holds. */
  dispose(): Promise<void>;
}

/** @param thread index among the serving threads, from 0; undefined for a thread that comes and goes */
export async function createContext(
  config: WorkerConfig,
  architecture: Architecture,
  listener: number,
  isAssistant: boolean,
  door: Door,
  thread: number | undefined,
): Promise<Context> {
  const tid = threadId();
  const scoreboard = new Scoreboard(mapSharedMemory(SCOREBOARD_FD, SCOREBOARD_SIZE));
  const family = config.assistant === undefined ? process.pid : config.parent;
  const place = thread === undefined ? undefined : config.index * config.threads + thread;
  const row = scoreboard.claim(process.pid, tid, family, place, config.generation);
  const orders = scoreboard.orders(config.generation);
  const isOnNode = architecture.arrangement === 'node';
  const free = () => {
    row.free();
    // A thread that only assisted ends before its process. The others end with the mapping.
    if (isAssistant) scoreboard.unmap();
  };
  const mayAwait = isLoop(architecture);
  // The first thread of a crew answers no question.
  const answers = isAssistant || architecture.arrangement !== 'crew';
  const opening = openedService(config, thread, mayAwait, answers);
  const { service, shared, answerThread, speakers } = await opening.catch((error) => {
    // Another thread may try again, as long as the client waits.
    free();
    throw error;
  });
  const count = (reason: Reason) => scoreboard.count(reason);
  const { conversation, exceeded } = conversationFactory(
    config,
    service,
    speakers,
    count,
    row.work,
    (slot) => clients.preambleOf(slot),
    config.metricsLatency
      ? new AnswerTimes(scoreboard.answerTimes, () => performance.now())
      : undefined,
  );
  const admission = sharedAdmission(config, scoreboard.admission, door, count);
  const journal = journalInto(JOURNAL_FD, tid, config.journal, () => scoreboard.countDropped());
  const clients = new Clients({
    limits: config.limits,
    orders,
    sparesNewcomers: config.isKept,
    row,
    journal,
    countEnd: (how) => scoreboard.countEnd(how),
    exceeded,
    unsentOfAll: () => scoreboard.unsent(),
    release: (holds) => (isOnNode ? admission.exit(holds) : admission.leave(holds)),
    proxy: proxyParts(config.proxy, admission, isOnNode ? 'tickets' : 'descriptors', (result) =>
      scoreboard.countHeader(result),
    ),
  });
  // Assistants serve in a server that has already started, except those of a pool: see thread.ts.
  let isReady = isAssistant;
  const parts: Parts = {
    listener,
    hasOwnListener: config.reuseport,
    mostQueued: config.backlog * (config.reuseport ? config.threads * config.processes : 1),
    // Dialogues of a protocol show it only with their first promise.
    awaits: mayAwait && !isProtocol(service) && service.answerAsync !== undefined,
    journal,
    row,
    options: config.options,
    clients,
    admission,
    conversation,
    ready() {
      if (isReady) return;
      isReady = true;
      const undeclared = shared === undefined ? { undeclared: true } : {};
      const at = Date.now();
      writeEvent(JOURNAL_FD, { type: 'ready', ...undeclared, at, pid: process.pid, tid });
      if (!isOnNode) sleepUntilOpen(() => clients.isLeaving);
    },
    noteQueued(depth) {
      scoreboard.queued = depth;
    },
  };
  return {
    serve(starter, stopped) {
      if (architecture.arrangement === 'crew')
        return architecture.serve(new ServingCrew(parts, config.threads, starter!));
      if (architecture.arrangement === 'node')
        return architecture.serve(new ServingHost(parts, config, orders, stopped));
      return architecture.serve(new ServingWorker(parts));
    },
    assist(task, starter) {
      if (architecture.arrangement !== 'crew') return;
      architecture.assist(new ServingAssistant(parts, starter), task);
    },
    async dispose() {
      await answerThread.close();
      await closeService(service, (text) => journal.record({ type: 'warning', text }));
      free();
    },
  };
}

/** The service of one thread, and what answers its questions. @param answers false if it answers none */
async function openedService(
  config: WorkerConfig,
  thread: number | undefined,
  mayAwait: boolean,
  answers: boolean,
) {
  const { service, shared } = await loadModule(config.service);
  const around = { architecture: config.architecture, worker: config.index };
  const answerThread = createAnswerThread(config.service, true, around);
  await openService(service, { ...around, thread }, nameOf(config.service));
  if (answers && needsAnswerThread(service, mayAwait))
    await openAnswers(service, () => answerThread.open());
  const speakers = speakersOf(service, mayAwait, answerThread.answerElsewhere);
  return { service, shared, answerThread, speakers };
}
