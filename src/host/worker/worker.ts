/**
 * The body of each worker process. A worker with one thread serves on the main thread, which runs no JavaScript
 * while it sleeps in the kernel. With several threads, the main thread only starts and stops the others.
 */
import type { ChildProcess } from 'node:child_process';
import type { Worker } from 'node:worker_threads';
import { loadArchitecture } from '../../architectures/catalogue.ts';
import { reportGone } from '../../drivers/blocking/ready-processes.ts';
import { SETTLE_MS, ThreadCache } from '../../drivers/blocking/thread-cache.ts';
import { dropHolder } from '../../limits/admission.ts';
import { mapSharedMemory } from '../../os/memory.ts';
import {
  interrupt,
  interruptible,
  leadGroup,
  leaveSignalsToSupervisor,
  signalGroup,
  signalWithParent,
  threadId,
} from '../../os/signal.ts';
import { blockOnStandardInput, close, setBlocking } from '../../os/socket.ts';
import type { Architecture, Task } from '../../worker/contract.ts';
import { openOf, SCOREBOARD_SIZE, Scoreboard } from '../../worker/scoreboard.ts';
import { NO_DEBUGGER } from '../no-debugger.ts';
import { lackOfTasks, scarcityOf } from '../scarcity.ts';
import { type FromThread, newCounters, RUNNING, type ThreadData } from './assistants.ts';
import { shareBuiltInCode } from './built-in-code.ts';
import { createContext } from './context.ts';
import { crash } from './crash.ts';
import { doorOf } from './door.ts';
import { writeEvent } from './journal.ts';
import {
  BID_FD,
  JOURNAL_FD,
  LISTENER_FD,
  REPORT_FD,
  SCOREBOARD_FD,
  type WorkerConfig,
} from './worker-config.ts';

/** These modules load on first use: each costs a start a tenth of what Node itself takes. */
const threading = () => process.getBuiltinModule('node:worker_threads');
const forking = () => process.getBuiltinModule('node:child_process');

/**
 * Interval at which a sleeping thread is woken until it has ended, in ms: the first signal may come a moment too
 * early.
 */
const WAKE_INTERVAL_MS = 10;

/** Pause before the next attempt when a process cannot start because a resource is used up, in ms. */
const RETRY_INTERVAL_MS = 100;

const STDIN = 0;

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

async function serveAlone(config: WorkerConfig, architecture: Architecture): Promise<void> {
  const { assistant } = config;
  const isGivenListener = assistant !== undefined && assistant.bids === undefined;
  const socket = isGivenListener ? STDIN : LISTENER_FD;
  const stopped = new Promise<void>((resolve) => {
    // A handler makes the signal wait for JavaScript, and a thread that sleeps in the kernel never runs it.
    if (architecture.arrangement === 'node') whenOrderedToLeave(config, resolve);
  });
  const isAssistant = assistant !== undefined;
  const door = doorOf(config.limits, 0, architecture);
  const context = await createContext(
    config,
    architecture,
    socket,
    isAssistant,
    door,
    isAssistant ? undefined : 0,
  );
  if (assistant === undefined) {
    await context.serve(undefined, stopped);
  } else {
    if (isGivenListener) blockOnStandardInput();
    // Fix `process.stdin` now. Later standard input may be a client, and a service that asks for it would make that
    // socket non-blocking.
    else void process.stdin;
    const { bids } = assistant;
    const given = bids && { bids: { ...bids, bid: BID_FD, report: REPORT_FD } };
    context.assist(given ?? { socket }, undefined);
  }
  await context.dispose();
  // The service is closed, but it may have left a timer or a socket that keeps Node's loop alive.
  process.exit();
}

/** The main thread of a process with several threads: starts them, wakes them to stop, and counts them. */
function serveTogether(config: WorkerConfig, architecture: Architecture, listeners: number): void {
  const isCrew = architecture.arrangement === 'crew';
  const servers = isCrew ? 1 : config.threads;
  const door = doorOf(config.limits, isCrew ? 1 + config.threads : servers, architecture);
  const isThreadPerClient =
    architecture.capacity === 'threads' || (isCrew && architecture.assistants === 'threads');
  if (isThreadPerClient) shareBuiltInCode();
  const counters = newCounters();
  const threads = new Map<Worker, number>();
  const processes = new Set<ChildProcess>();
  let waking: NodeJS.Timeout | undefined;
  let isLeading = false;
  let isLeaving = false;

  let inPool = 0;
  const numberOf = (task?: Task) => (task?.queue === undefined ? undefined : inPool++);

  const threadEnded = (task?: Task) => {
    if (task?.cache !== undefined) new ThreadCache(task.cache).ended();
  };
  const processEnded = () => {
    Atomics.sub(counters, RUNNING, 1);
    Atomics.notify(counters, RUNNING);
  };
  const ended = () => {
    if (threads.size + processes.size > 0) return;
    clearInterval(waking);
    waking = undefined;
  };
  const wakeUntilEnded = () => {
    waking ??= setInterval(wake, WAKE_INTERVAL_MS);
  };

  function startThread(listener: number, task?: Task, number = numberOf(task)): void {
    const data: ThreadData = { config, listener, door, counters, number, ...(task && { task }) };
    const { Worker } = threading();
    const failed = (error: Error) => {
      if (task?.cache === undefined) crash(error);
      else cannotStart(listener, task.cache, error);
    };
    let thread: Worker;
    try {
      thread = new Worker(new URL(`./thread${extension}`, import.meta.url), {
        workerData: data,
        name: `${config.architecture}${task ? ' assistant' : ''}`,
      });
    } catch (error) {
      // If there is no room for one more thread, Node throws and emits no event.
      failed(error as Error);
      threadEnded(task);
      return;
    }
    threads.set(thread, 0);
    // It serves a client that was accepted before.
    if (isLeaving) wakeUntilEnded();
    thread.on('message', (message: FromThread) => {
      if (message.type === 'here') threads.set(thread, message.tid);
      else if (message.type === 'unserved') failed(message.error);
      else if (message.type === 'startThread') startIfStillNeeded(listener, message.task);
      else startProcess(message.task);
    });
    thread.on('error', (error: Error) => {
      const isStarted = threads.get(thread) !== 0;
      if (isStarted) crash(error);
      // Not even our own modules could be loaded.
      else failed(error);
    });
    thread.on('exit', () => {
      threads.delete(thread);
      threadEnded(task);
      ended();
    });
  }

  function startProcess({ socket, bids }: Task): void {
    const left = () => {
      processEnded();
      if (bids !== undefined) reportGone(bids);
      ended();
    };
    if (isLeaving) {
      // It would find no client: those that wait are in the kernel's queue.
      if (bids !== undefined) close(bids.bid);
      left();
      return;
    }
    if (!isLeading) lead();
    isLeading = true;
    // Check it here as well, because the signal waits behind all earlier requests.
    if (isOutlived()) signalGroup(process.pid, 'SIGKILL');
    const notStarted = (why: string) => {
      warn(`Cannot start a process for now: ${why}; trying again`);
      // A process that never started has no 'exit' event. Do not report at once: the caller may try again.
      setTimeout(left, RETRY_INTERVAL_MS);
    };
    const lack = lackOfTasks(1, 0, process.geteuid?.() ?? 0);
    if (lack !== undefined) {
      if (bids !== undefined) close(bids.bid);
      notStarted(`${lack.limit} has no room for its threads`);
      return;
    }
    const assistantConfig: WorkerConfig = {
      ...config,
      parent: process.pid,
      assistant: bids === undefined ? {} : { bids: { id: bids.id, once: bids.once } },
    };
    const inherited = bids === undefined ? [] : [LISTENER_FD, bids.bid, bids.report];
    const words = [...NO_DEBUGGER, import.meta.filename, JSON.stringify(assistantConfig)];
    const child = forking().spawn(process.execPath, words, {
      stdio: [socket ?? 'ignore', 'inherit', 'inherit', JOURNAL_FD, SCOREBOARD_FD, ...inherited],
    });
    processes.add(child);
    if (bids !== undefined) close(bids.bid);
    child.on('error', (error) => {
      const why = scarcityOf(error);
      if (child.pid !== undefined || why === undefined) crash(error);
      processes.delete(child);
      notStarted(why ?? 'unknown');
    });
    child.on('exit', () => {
      const lost = openOf(scoreboard().freeRows(({ pid }) => pid === child.pid));
      if (scoreboard().orders(config.generation).order !== 'serve') scoreboard().addCut(lost);
      dropHolder(scoreboard().admission, child.pid!);
      processes.delete(child);
      left();
    });
  }

  /** Starts a thread for the client that waits, unless a thread that has finished takes the client first. */
  function startIfStillNeeded(listener: number, task: Task): void {
    const cache = task.cache && new ThreadCache(task.cache);
    const last = cache?.lastQueued;
    if (cache === undefined || last === undefined) {
      startThread(listener, task);
      return;
    }
    setTimeout(() => {
      if (!cache.isTaken(last)) {
        startThread(listener, task);
        return;
      }
      cache.started();
      cache.ended();
      startForNext(listener, task, cache);
    }, SETTLE_MS);
  }

  function startForNext(listener: number, task: Task, cache: ThreadCache): void {
    if (cache.claimStart()) startIfStillNeeded(listener, task);
  }

  /** The waiting clients are kept, for a thread that finishes or one that can be started later. */
  function cannotStart(listener: number, cache: SharedArrayBuffer, error: Error): void {
    const waiting = new ThreadCache(cache);
    waiting.started();
    const why = scarcityOf(error) ?? error.message.split('\n', 1)[0];
    warn(
      `Cannot start a thread for a client, which waits: ${why}; trying again every ${RETRY_INTERVAL_MS} ms`,
    );
    setTimeout(() => startForNext(listener, { cache }, waiting), RETRY_INTERVAL_MS);
  }

  const wake = () => {
    for (const [, tid] of threads) if (tid > 0) interrupt(process.pid, tid);
    for (const { pid } of processes) if (pid !== undefined) interrupt(pid, pid);
  };
  /** A process without a row has no client yet, and there is no need to wait for it. */
  const killUnready = () => {
    if (processes.size === 0) return;
    const ready = new Set(
      scoreboard()
        .read()
        .map(({ pid }) => pid),
    );
    for (const child of processes) if (!ready.has(child.pid!)) child.kill('SIGKILL');
  };
  for (let i = 0; i < servers; i++) {
    startThread(LISTENER_FD + (i % listeners), undefined, isCrew ? undefined : i);
  }
  whenOrderedToLeave(config, () => {
    for (const [thread] of threads) thread.postMessage('stop');
    killUnready();
    wake();
    isLeaving = true;
    wakeUntilEnded();
    ended();
  });
}

/**
 * Leads a process group. The processes it has started serve their clients to the end, and may live longer than this
 * one. So if the kernel killed this process when its supervisor dies, it could not end them.
 */
function lead(): void {
  leadGroup();
  process.on('SIGUSR2', () => {
    // Act only on the kernel's signal: any other sender means the supervisor.
    if (isOutlived()) signalGroup(process.pid, 'SIGKILL');
  });
  signalWithParent('SIGUSR2');
}

let mapped: Scoreboard | undefined;
const stamp = () => ({ at: Date.now(), pid: process.pid, tid: threadId() });
const warn = (text: string) => writeEvent(JOURNAL_FD, { type: 'warning', text, ...stamp() });

/** The main thread's view, if other threads serve. */
function scoreboard(): Scoreboard {
  mapped ??= new Scoreboard(mapSharedMemory(SCOREBOARD_FD, SCOREBOARD_SIZE));
  return mapped;
}

/** Calls back once the scoreboard has the order. SIGTERM only starts a look, because any process may send it. */
function whenOrderedToLeave({ generation }: WorkerConfig, leave: () => void): void {
  const orders = scoreboard().orders(generation);
  let isOrdered = false;
  const look = () => {
    if (isOrdered || orders.order === 'serve') return;
    isOrdered = true;
    leave();
  };
  // Never remove the handler: without one the next signal would end this process.
  process.on('SIGTERM', look);
  look();
}

/** True if the supervisor is gone. */
function isOutlived(): boolean {
  return process.ppid !== config.parent;
}

const config: WorkerConfig = JSON.parse(process.argv[2]!);
// Do this before the process has a name, by which others may send it signals.
leaveSignalsToSupervisor();
interruptible();
process.title = `mondo ${config.architecture} ${config.assistant ? 'assistant' : `worker ${config.index}`}`;
if (config.assistant === undefined) {
  // A worker must not outlive its supervisor.
  signalWithParent('SIGKILL');
  if (isOutlived()) process.exit();
}
setBlocking(JOURNAL_FD, false);

process.on('uncaughtException', crash);
try {
  const architecture = await loadArchitecture(config.architecture);
  const isCrew = architecture.arrangement === 'crew' && config.assistant === undefined;
  if (isCrew || config.threads > 1) serveTogether(config, architecture, config.listeners);
  else await serveAlone(config, architecture);
} catch (error) {
  crash(error);
}
