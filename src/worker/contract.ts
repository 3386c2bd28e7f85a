/**
 * The contract between an architecture's page and the host that runs it. The page decides what serves and how it
 * waits. The host opens the listener, starts processes and threads, and stops them.
 */
import type { Server } from 'node:net';
import type { Clients } from '../lifecycle/clients.ts';
import type { Admission } from '../limits/admission.ts';
import type { ConversationEvent } from '../protocol/account.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { PeerOf } from '../protocol/speaker.ts';
import type { Row } from './scoreboard.ts';

/** What an architecture declares about itself; `mondo architectures` prints these. */
export interface Traits {
  readonly name: string;
  /** Its counterpart in the chapter. */
  readonly chapter: string;
  readonly processModel: string;
  readonly ioModel: string;
  /** Number of simultaneous conversations, in words. */
  readonly conversations: string;
  /** The attack or the load that defeats it. */
  readonly defeatedBy: string;
  /**
   * What runs `serve`:
   * - `alone`: each process, or each of its threads, runs `serve` by itself, in its own system calls;
   * - `crew`: one thread runs `serve`, and starts threads or processes beside it;
   * - `node`: `serve` runs on Node's own loop.
   */
  readonly arrangement: 'alone' | 'crew' | 'node';
  /** For `crew`: what the serving thread starts by default. Processes survive if their worker is killed. */
  readonly assistants?: 'threads' | 'processes';
  readonly pool?: boolean;
  /** What happens to a second client while a silent one is connected: the tests assert this trait. */
  readonly capacity: 'one' | 'threads' | 'processes' | 'unbounded';
  /** Default number of threads and of processes, and whether an option may change it. */
  readonly threads: { readonly default: number; readonly adjustable: boolean };
  readonly processes: { readonly default: number; readonly adjustable: boolean };
}

/** True if one thread serves any number of clients: then it must not sleep until one of them has its answer. */
export const isLoop = ({ arrangement, capacity }: Traits): boolean =>
  arrangement !== 'crew' && capacity === 'unbounded';

/** `serve` runs until the worker must leave and its clients have left. It closes every descriptor that it opened. */
export type Architecture = AloneArchitecture | CrewArchitecture | NodeArchitecture;

export interface AloneArchitecture extends Traits {
  readonly arrangement: 'alone';
  /** A loop returns a promise: it gives the thread to Node when promises of the service must settle. */
  serve(worker: Worker): void | Promise<void>;
}

export interface CrewArchitecture extends Traits {
  readonly arrangement: 'crew';
  readonly assistants: 'threads' | 'processes';
  /**
   * True if the threads that `serve` starts are a pool. The server counts as started only when the pool is
   * complete.
   */
  readonly pool?: boolean;
  serve(crew: Crew): void;
  /** Runs in a thread or process that `serve` has started, with the task that it was given. */
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
  /** For a thread: the memory of the `ThreadCache` that hands it clients. */
  readonly cache?: SharedArrayBuffer;
  /** For a process: how a `ReadyProcesses` orders it to accept clients. */
  readonly bids?: Bids;
}

/** What a process that is kept ready gets. */
export interface Bids {
  /** Its number in reports, from 1. */
  readonly id: number;
  /** Descriptor that becomes readable with an order, and ends when the super-server is gone. */
  readonly bid: number;
  /** Descriptor of the reports. */
  readonly report: number;
  /** True if it ends with its client. */
  readonly once: boolean;
}

/** Options that only some architectures read. When a page sees them, all have values. */
export interface PageOptions {
  /** `queued`: how many accepted sockets may wait for a worker thread. */
  readonly queue: number;
  /** `socketserver`: the most conversation threads (or processes); 0: no cap. */
  readonly maxThreads: number;
  /** `socketserver`: how many threads without a client may wait for one; -1: as many as are needed. */
  readonly threadCache: number;
  /** `socketserver`: which mixin. */
  readonly mixin: 'threading' | 'forking';
  /** `epoll`: a new client wakes one of the workers that share the listener, not all of them. */
  readonly exclusive: boolean;
  /** `inetd`: how many processes without a client may wait for one; -1: as many as are needed. */
  readonly processCache: number;
  /** `inetd`: one process per connection, or one that accepts until no client has come for a while. */
  readonly inetd: 'nowait' | 'wait';
}

/** The destination of events. `on` is false if nothing reads them, so that none need be made. */
export interface Journal {
  readonly on: boolean;
  record(event: WorkerEvent): void;
}

/**
 * What a worker reports: the account of each connection, and facts about itself.
 *
 * @example
 * ```ts
 * import type { WorkerEvent } from 'mondo';
 *
 * export const isWarning = (event: WorkerEvent): boolean => event.type === 'warning';
 * ```
 */
export type WorkerEvent =
  | ConversationEvent
  /** A fact about the server itself that its owner should know. */
  | { readonly type: 'warning'; readonly text: string };

/** What every worker has, for any kind of loop. A worker is a thread, or a process with one thread. */
interface Surroundings {
  /** True once this worker must accept no more clients, and leave. */
  readonly isLeaving: boolean;
  readonly options: PageOptions;
  /**
   * Drivers call it once serving can start, for example when the ring or the selector exists. Later calls do
   * nothing.
   */
  ready(): void;
  /**
   * Makes a new conversation of the user's service.
   *
   * @param peer finds the peer, for a service that wants it
   * @param slot of a new connection, whose proxy may have to announce the client first
   */
  conversation(peer?: PeerOf, slot?: number): Conversation;
  /** The clients of this worker: their limits, the drain, and the account of each end. For drivers. */
  readonly clients: Clients;
  /** Decides which clients are admitted. For drivers that accept. */
  readonly admission: Admission;
  /** True if no other worker accepts on the same listener. */
  readonly hasOwnListener: boolean;
  readonly journal: Journal;
  /** The worker's own row of the scoreboard. */
  readonly row: Row;
}

/** The surroundings of a worker that makes its own system calls. */
export interface Worker extends Surroundings {
  /** Descriptor of the listener. A thread that sleeps in a system call on it wakes up when the worker must leave. */
  readonly listener: number;
  /** How many clients may wait in the accept queues of all listeners of the server together. */
  readonly mostQueued: number;
  /** True if the service answers with promises in this architecture, so that Node's loop needs turns from the start. */
  readonly awaits: boolean;
}

/** The surroundings of a thread or process that the serving thread has started. */
export interface Assistant extends Worker {
  /** Writes to the scoreboard how many accepted sockets wait for a thread. */
  noteQueued(depth: number): void;
  /** Runs `assist` in a new thread. Returns at once; the thread may not have started. Undefined in a process. */
  readonly startThread: ((task: Task) => void) | undefined;
}

/** The surroundings of a thread that starts others beside it. */
export interface Crew extends Assistant {
  /** Number of threads that the user wants. */
  readonly threads: number;
  readonly startThread: (task: Task) => void;
  /** Runs `assist` in a new process that accepts: on each order, or from a listener that is its standard input. */
  startProcess(task: Task): void;
  /** Sleeps until no assistant process runs, or the worker must leave. */
  waitForProcesses(): void;
}

/** The surroundings of a worker on Node's own loop. */
export interface NodeHost extends Surroundings {
  /** Resolves when `isLeaving` becomes true. */
  readonly stopped: Promise<void>;
  /** Makes a server of Node's listen on this worker's listener. Resolves once it does. */
  listen(server: Server): Promise<void>;
  /** True if such a server may be closed, and another one listen later, while clients wait in the kernel. */
  readonly canPause: boolean;
  /** How many accepted clients it may keep waiting until there is room. */
  readonly mostWaiting: number;
  /** Interval at which the row must show that the loop turns, in ms: other threads cannot see its turns. */
  readonly beat: number;
}
