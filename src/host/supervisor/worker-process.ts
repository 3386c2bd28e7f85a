/** A worker process from the supervisor's side: how it is started, and what is known of it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Socket } from 'node:net';
import { compileCacheFolder } from '../../../bin/compile-cache.js';
import type { WorkerEvent } from '../../worker/contract.ts';
import { ServeError } from '../errors.ts';
import type { Identity } from '../identity.ts';
import { NO_DEBUGGER } from '../no-debugger.ts';
import { ownFile } from '../own-file.ts';
import type { Plan } from '../plan.ts';
import { explained } from '../scarcity.ts';
import { eventReader, type Stamped, type StartEvent } from '../worker/journal.ts';
import type { WorkerConfig } from '../worker/worker-config.ts';

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';
const modules = `../worker/worker${extension}`;
/** The same code in few files, which loads faster. A checkout has no bundle. */
const bundle = '../../bundled/worker.js';
const hasBundle = existsSync(new URL(bundle, import.meta.url));
let isWatched = false;

/** Makes workers load module by module, for an observer that identifies them by module. @returns undoes that */
export function loadModuleByModule(): () => void {
  isWatched = true;
  return () => {
    isWatched = false;
  };
}

const workerFile = (): string =>
  ownFile(hasBundle && !isWatched ? bundle : modules, import.meta.url, 'start a worker');

/** With a compile cache, a worker of a checkout starts in a third of the time. */
const compileCache = compileCacheFolder();

/** The compile cache is executed, so each user has its own: one user must not read what another one wrote. */
function environmentFor(identity: Identity | undefined): NodeJS.ProcessEnv {
  const isOther = identity !== undefined && identity.uid !== process.geteuid?.();
  if (isOther) return { ...process.env, NODE_COMPILE_CACHE: undefined };
  return { NODE_COMPILE_CACHE: compileCache, ...process.env };
}

/** A worker process, and its assistants: those of a crew may live longer than the process. */
export interface WorkerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly index: number;
  readonly generation: number;
  readonly startedAt: number;
  /** Number of its threads that do not serve yet. */
  unready: number;
  /** True if at least one of its threads serves. */
  isServing: boolean;
  /** True once it has reported why it cannot continue. */
  hasFailed: boolean;
  /** True if it has ended itself, and only its assistants are left. */
  isGone: boolean;
  /** The caller that waits for it and for those that start beside it, until all serve. */
  starting: Starting | undefined;
  /** True if the only thread that serves is the main one. */
  readonly servesOnMain: boolean;
  /** Timer of the start: when it fires, the start has taken too long. */
  readonly late: NodeJS.Timeout;
  /** Time of the first order to leave, and end of the drain, by `performance.now`. */
  orderedAt: number;
  leavesBy: number;
  /** Set with the order to leave: the timer that kills the worker if it has not ended. */
  killing: NodeJS.Timeout | undefined;
}

/** A caller that waits for a worker, and for those that start beside it, to serve. */
export interface Starting {
  /** Number of processes in this place that were killed from outside while the caller waited. */
  killed: number;
  readonly ready: () => void;
  /** It was killed from outside, and will be replaced. */
  readonly lost: () => void;
  readonly failed: (error: ServeError) => void;
}

/** The configuration that a worker gets on its command line. */
export function configOf(
  plan: Plan,
  own: Pick<WorkerConfig, 'service' | 'journal' | 'index' | 'generation'>,
): WorkerConfig {
  const { traits, threads, processes } = plan;
  return {
    ...own,
    architecture: traits.name as WorkerConfig['architecture'],
    think: plan.think,
    limits: plan.limits,
    dryRun: plan.dryRun,
    proxy: plan.proxy,
    threads,
    listeners: plan.reuseport ? threads : 1,
    reuseport: plan.reuseport,
    isKept: plan.isKept,
    backlog: plan.backlog,
    options: plan.page,
    stuck: plan.stuck,
    metricsLatency: plan.metricsLatency,
    whenFull: plan.whenFull,
    processes,
    parent: process.pid,
  };
}

/**
 * Starts a worker process. Undefined if it cannot start; then `failed` is called a moment later.
 *
 * @param inherited its descriptors after the journal: the scoreboard, and its listeners
 */
export function spawnWorker(
  config: WorkerConfig,
  inherited: readonly number[],
  identity: Identity | undefined,
  failed: (error: ServeError) => void,
): ChildProcess | undefined {
  try {
    const words = [...NO_DEBUGGER, workerFile(), JSON.stringify(config)];
    const child = spawn(process.execPath, words, {
      stdio: ['ignore', 'inherit', 'inherit', 'pipe', ...inherited],
      env: environmentFor(identity),
      ...identity,
    });
    // Node reports most failures as an event, and then there may be no journal: child.stdio is undefined.
    if (child.pid === undefined) child.once('error', (error) => failed(startError(error)));
    // Later errors, such as a signal that could not be sent, are soon followed by 'close'.
    child.on('error', () => {});
    return child.pid === undefined ? undefined : child;
  } catch (error) {
    setImmediate(failed, error instanceof ServeError ? error : startError(error as Error));
    return undefined;
  }
}

const startError = (error: Error) =>
  new ServeError('failed', explained('Cannot start a worker', error), { cause: error });

/**
 * Reports to a worker that it may accept: ends the supervisor's direction of the journal. All threads of the worker
 * see that end, however late they look.
 */
export const reportOpen = (child: ChildProcess): void => void (child.stdio[3] as Socket).end();

/** Passes on each event of a worker's journal. */
export function readJournal(
  child: ChildProcess,
  receive: (event: Stamped<WorkerEvent | StartEvent>) => void,
  complain: (text: string) => void,
): void {
  const journal = child.stdio[3] as Socket;
  journal.setEncoding('utf8');
  journal.on('data', eventReader(receive, complain));
}
