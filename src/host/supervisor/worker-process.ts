/** A worker process as its supervisor has it: how it is started, and what is known of it. */
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
/** The same in few files, which is quicker to load. In a checkout there is none. */
const bundle = '../../bundled/worker.js';
const hasBundle = existsSync(new URL(bundle, import.meta.url));
let isWatched = false;

/** Makes workers load module by module, for an observer that knows them by their modules. @returns undoes that */
export function loadModuleByModule(): () => void {
  isWatched = true;
  return () => {
    isWatched = false;
  };
}

const workerFile = (): string =>
  ownFile(hasBundle && !isWatched ? bundle : modules, import.meta.url, 'start a worker');

/** Without types to blank out and code to compile, a worker of a checkout starts in a third of the time. */
const compileCache = compileCacheFolder();

/** What is kept of compiled code is executed, so no user writes what another one reads. */
function environmentFor(identity: Identity | undefined): NodeJS.ProcessEnv {
  const isOther = identity !== undefined && identity.uid !== process.geteuid?.();
  if (isOther) return { ...process.env, NODE_COMPILE_CACHE: undefined };
  return { NODE_COMPILE_CACHE: compileCache, ...process.env };
}

/** A worker process, and what it has started: of a crew those may be there when it is gone. */
export interface WorkerProcess {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly index: number;
  readonly generation: number;
  readonly startedAt: number;
  /** How many of its threads have yet to say that they serve. */
  unready: number;
  /** Whether it has said that it serves, with one of its threads at least. */
  isServing: boolean;
  /** True once it has said why it cannot go on. */
  hasFailed: boolean;
  /** True if it has ended itself, and only others are left of it. */
  isGone: boolean;
  /** Whoever waits for it to serve, until it does. */
  starting: Starting | undefined;
  /** Runs until it serves: then it is too late. */
  readonly late: NodeJS.Timeout;
  /** When it was first told to leave, and when those have no time left whom it serves, by `performance.now`. */
  toldAt: number;
  leavesBy: number;
  /** Set once it was told to leave: when it is killed if it has not. */
  killing: NodeJS.Timeout | undefined;
}

/** Who waits for a worker to serve. */
export interface Starting {
  /** How many processes in this place were killed from outside before they served. */
  killed: number;
  readonly ready: () => void;
  readonly failed: (error: ServeError) => void;
}

/** What a worker is told on its command line. */
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
    threads,
    listeners: plan.reuseport ? threads : 1,
    reuseport: plan.reuseport,
    backlog: plan.backlog,
    options: plan.page,
    stuck: plan.stuck,
    whenFull: plan.whenFull,
    processes,
    parent: process.pid,
  };
}

/**
 * Starts a worker process; undefined where it cannot be started, and then `failed` is called a moment later.
 *
 * @param inherited descriptors that it has behind its journal: the scoreboard, and its listeners
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
    // Of most failures Node tells with an event, and then there may be no journal: child.stdio is undefined.
    if (child.pid === undefined) child.once('error', (error) => failed(startError(error)));
    // Of what comes later, such as a signal that could not be sent, 'close' is soon to tell.
    child.on('error', () => {});
    return child.pid === undefined ? undefined : child;
  } catch (error) {
    setImmediate(failed, error instanceof ServeError ? error : startError(error as Error));
    return undefined;
  }
}

const startError = (error: Error) =>
  new ServeError('failed', explained('Cannot start a worker', error), { cause: error });

/** Has each event of a worker's journal told. */
export function readJournal(
  child: ChildProcess,
  receive: (event: Stamped<WorkerEvent | StartEvent>) => void,
  complain: (text: string) => void,
): void {
  const journal = child.stdio[3] as Socket;
  journal.setEncoding('utf8');
  journal.on('data', eventReader(receive, complain));
}
