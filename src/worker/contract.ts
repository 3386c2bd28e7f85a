/**
 * The contract between an architecture's page and the host that runs it. The page says who serves and
 * how it waits; the host opens the listener, starts processes and threads, and stops them.
 */
import type { Server } from 'node:net';
import type { Clients } from '../lifecycle/clients.ts';
import type { Admission } from '../limits/admission.ts';
import type { ConversationEvent } from '../protocol/account.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { Row } from './scoreboard.ts';

/** What an architecture declares of itself; `mondo architectures` prints these. */
export interface Traits {
  readonly name: string;
  /** Its counterpart in the chapter. */
  readonly chapter: string;
  readonly processModel: string;
  readonly ioModel: string;
  /** How many conversations go on at once, in words. */
  readonly conversations: string;
  /** The attack or the load that it falls to. */
  readonly defeatedBy: string;
  /**
   * Who runs `serve`:
   * - `alone`: each process, or each thread of it, runs `serve` by itself, in its own system calls;
   * - `crew`: one thread runs `serve` and starts threads or processes beside it;
   * - `node`: `serve` runs on Node's own loop.
   */
  readonly arrangement: 'alone' | 'crew' | 'node';
  /** For `crew`: what the serving thread starts by default. Processes survive if their worker is killed. */
  readonly assistants?: 'threads' | 'processes';
  readonly pool?: boolean;
  /** What a second client does while a silent one is connected: the trait that tests assert. */
  readonly capacity: 'one' | 'threads' | 'processes' | 'unbounded';
  /** Threads and processes unless told otherwise, and whether they may be told otherwise. */
  readonly threads: { readonly default: number; readonly adjustable: boolean };
  readonly processes: { readonly default: number; readonly adjustable: boolean };
}

/** `serve` serves until the worker must leave and its clients have left; it closes every descriptor that it opened. */
export type Architecture = AloneArchitecture | CrewArchitecture | NodeArchitecture;

export interface AloneArchitecture extends Traits {
  readonly arrangement: 'alone';
  serve(worker: Worker): void;
}

export interface CrewArchitecture extends Traits {
  readonly arrangement: 'crew';
  readonly assistants: 'threads' | 'processes';
  /** True if the threads that `serve` starts are a pool, which is complete before the server counts as started. */
  readonly pool?: boolean;
  serve(crew: Crew): void;
  /** What a thread or process runs that `serve` has started, with the task that it was given. */
  assist(worker: Assistant, task: Task): void;
}

export interface NodeArchitecture extends Traits {
  readonly arrangement: 'node';
  serve(host: NodeHost): Promise<void>;
}

/** What `serve` gives to a thread or process that it starts: a connected socket, or a queue to work on. */
export interface Task {
  /** A descriptor; the assistant closes it. */
  readonly socket?: number;
  readonly peer?: string;
  readonly queue?: SharedArrayBuffer;
  /** Of a thread: the memory of the `ThreadCache` that hands it clients. */
  readonly cache?: SharedArrayBuffer;
  /** Of a process: how a `ReadyProcesses` bids it accept clients. */
  readonly bids?: Bids;
}

/** What a process that is kept ready is given. */
export interface Bids {
  /** How it is named in reports, from 1. */
  readonly id: number;
  /** Descriptor that is readable when it is bid, and at its end when there is no super-server any more. */
  readonly bid: number;
  /** Descriptor of the reports. */
  readonly report: number;
  /** Whether it ends with its client. */
  readonly once: boolean;
}

/** Options that particular architectures read; all have their values by the time a page sees them. */
export interface PageOptions {
  /** `queued`: how many accepted sockets may wait for a worker. */
  readonly queue: number;
  /** `socketserver`: how many conversation threads (or processes) at most; 0 is no cap. */
  readonly maxThreads: number;
  /** `socketserver`: how many threads that have finished wait for the next client at most; -1: as many as are needed. */
  readonly threadCache: number;
  /** `socketserver`: which mixin. */
  readonly mixin: 'threading' | 'forking';
  /** `epoll`: a new client wakes one of the workers that share the listener, not all of them. */
  readonly exclusive: boolean;
  /** `inetd`: how many processes that have finished wait for the next client at most; -1: as many as are needed. */
  readonly processCache: number;
  /** `inetd`: one process per connection, or one that accepts until none has come for a while. */
  readonly inetd: 'nowait' | 'wait';
}

/** Where events go; `on` is false when nobody listens, so that none need be made. */
export interface Journal {
  readonly on: boolean;
  record(event: WorkerEvent): void;
}

export type WorkerEvent =
  | ConversationEvent
  | { readonly type: 'accepted'; readonly peer: string; readonly queued?: number }
  /** A fact about the server itself that its owner should know. */
  | { readonly type: 'warning'; readonly text: string };

/** What every worker has, whatever loop it runs: a thread, or a process with one thread. */
interface Surroundings {
  /** True once this worker must accept no more clients, and leave. */
  readonly isLeaving: boolean;
  readonly options: PageOptions;
  /** Drivers call it once all that serving needs is there, such as the ring or the selector. Later calls do nothing. */
  ready(): void;
  /** A fresh conversation of the user's service. */
  conversation(): Conversation;
  /** The clients of this worker: their limits, the drain, and the account of each end. For drivers. */
  readonly clients: Clients;
  /** Which clients may come in. For drivers that accept. */
  readonly admission: Admission;
  /** True if no other worker accepts on the same listener. */
  readonly hasOwnListener: boolean;
  readonly journal: Journal;
  /** The worker's own row of the scoreboard. */
  readonly row: Row;
}

/** The surroundings of a worker that makes its own system calls. */
export interface Worker extends Surroundings {
  /** Its descriptor. A thread asleep in a system call on it is woken when the worker must leave. */
  readonly listener: number;
  /** How many clients may wait in the accept queues of all the server's listeners together. */
  readonly mostQueued: number;
}

/** The surroundings of a thread or process that the serving thread has started. */
export interface Assistant extends Worker {
  /** Writes to the scoreboard how many accepted sockets wait for a thread. */
  noteQueued(depth: number): void;
  /** Runs `assist` in a new thread. Returns at once; the thread may not have started. Undefined in a process. */
  readonly startThread: ((task: Task) => void) | undefined;
}

/** The surroundings of a thread that has others started beside it. */
export interface Crew extends Assistant {
  /** How many threads the user wants. */
  readonly threads: number;
  readonly startThread: (task: Task) => void;
  /** Runs `assist` in a new process, which accepts: when it is bid, or from a listener that is its standard input. */
  startProcess(task: Task): void;
  /** Sleeps until fewer than `count` of them are running, or the worker must leave. */
  waitForAssistants(count: number): void;
}

/** The surroundings of a worker on Node's own loop. */
export interface NodeHost extends Surroundings {
  /** Resolves when `isLeaving` becomes true. */
  readonly stopped: Promise<void>;
  /** Makes a server of Node's listen where this worker must; resolves once it does. */
  listen(server: Server): Promise<void>;
  /** True if such a server may be closed, and another one listen later, while clients wait in the kernel. */
  readonly canPause: boolean;
  /** How many clients it may accept and keep waiting until there is room. */
  readonly mostWaiting: number;
  /** Interval at which the row must say that the loop turns, in ms: no other thread sees its turns. */
  readonly beat: number;
}
