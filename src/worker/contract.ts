/**
 * The contract between an architecture's page and the host that runs it. The page says who serves and
 * how it waits; the host opens the listener, starts processes and threads, and stops them.
 */
import type { Server } from 'node:net';
import type { Departure } from '../lifecycle/drain.ts';
import type { Admission } from '../limits/admission.ts';
import type { Limits } from '../limits/limits.ts';
import type { ConversationEvent } from '../protocol/account.ts';
import type { Conversation } from '../protocol/conversation.ts';
import type { Reason, Row } from './scoreboard.ts';

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
   * - `crew`: one thread runs `serve` and has threads or processes started beside it;
   * - `node`: `serve` sets up Node's own loop and returns.
   */
  readonly arrangement: 'alone' | 'crew' | 'node';
  /** Of a crew, as it comes: what is started beside the thread that serves. Processes go on where their worker is killed. */
  readonly assistants?: 'threads' | 'processes';
  /** What a second client does while a silent one is connected: the trait that tests assert. */
  readonly capacity: 'one' | 'threads' | 'processes' | 'unbounded';
  /** Threads and processes unless told otherwise, and whether they may be told otherwise. */
  readonly threads: { readonly default: number; readonly adjustable: boolean };
  readonly processes: { readonly default: number; readonly adjustable: boolean };
}

export interface Architecture extends Traits {
  /** Serves until `worker.stopping` and `worker.departure` allow it to leave; returns with every descriptor it opened closed. */
  serve(worker: WorkerContext): void | Promise<void>;
  /** What a thread or process runs that `serve` had started, with what it was given. */
  assist?(worker: WorkerContext, task: Task): void;
}

/** What `serve` hands to a thread or process it has started: a connected socket, or a queue to work on. */
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
  /** Something about the server itself that its owner should know. */
  | { readonly type: 'warning'; readonly text: string };

/** One worker's surroundings: a thread, or a process with one thread. */
export interface WorkerContext {
  readonly listener: number;
  /** Whether no other worker accepts there: clients in its queue are this worker's alone. */
  readonly hasOwnListener: boolean;
  /** How many clients may wait in the queues of all the server's listeners together. */
  readonly mostQueued: number;
  readonly journal: Journal;
  readonly row: Row;
  readonly options: PageOptions;
  /** How many threads the user wants here, for a page that starts its own crew. */
  readonly threads: number;
  /** True once this worker is to accept nobody and to leave; a thread asleep in a system call is woken to look. */
  readonly stopping: boolean;
  /** How it leaves then: whom it ends, and when. */
  readonly departure: Departure;
  /** Notes on the scoreboard how many accepted sockets wait for a worker. */
  noteQueued(depth: number): void;
  /** Resolves when `stopping` becomes true; for Node's own loop. */
  readonly stopped: Promise<void>;
  /** Has a server of Node's own loop listen where this worker is to; resolves once it does. */
  listen(server: Server): Promise<void>;
  /** Whether such a server may be closed and another one listen later, while clients wait in the kernel. */
  readonly canPause: boolean;
  readonly limits: Limits;
  /** The door: who is let in, and what those who are in hold. */
  readonly admission: Admission;
  /** How many it may accept on Node's own loop and keep waiting until there is room. */
  readonly mostWaiting: number;
  /** How often the row is to say that a loop turns which nobody sees turning, in ms. */
  readonly beat: number;
  /** Bytes of answers that peers have not taken, of all threads and processes of the server. */
  unsentOfAll(): number;
  /** Counts a limit that was reached; true if the connection is to end for it, false with `--dry-run`. */
  exceeded(limit: Reason): boolean;
  /** A fresh conversation of the user's service. */
  conversation(): Conversation;
  /** Has `assist` run in a new thread. Returns at once; the thread may not have started. */
  startThread(task: Task): void;
  /** Has `assist` run in a new process, which accepts: when it is bid, or from a listener that is its standard input. */
  startProcess(task: Task): void;
  /** Waits until fewer than `count` threads or processes that were started are running, or `stopping`. */
  waitForAssistants(count: number): void;
}
