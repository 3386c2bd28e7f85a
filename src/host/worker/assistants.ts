/** What the main thread of a worker process and its other threads tell each other. */
import type { Task } from '../../worker/contract.ts';
import type { Door } from './door.ts';
import type { WorkerConfig } from './worker-config.ts';

export interface ThreadData {
  readonly config: WorkerConfig;
  readonly listener: number;
  readonly door: Door;
  /** What to assist with; a thread without a task serves. */
  readonly task?: Task;
  readonly counters: Counters;
  /** Which of the threads that serve it is, from 0; undefined for one that comes and goes. */
  readonly number: number | undefined;
}

/** Shared by all threads of a worker. */
export type Counters = Int32Array<SharedArrayBuffer>;
/** How many assistants are running, of threads and processes, as the main thread counts them. */
export const RUNNING = 0;
export const newCounters = (): Counters => new Int32Array(new SharedArrayBuffer(4));

export type FromThread =
  | { readonly type: 'here'; readonly tid: number }
  /** Its one client cannot be served for want of something. */
  | { readonly type: 'unserved'; readonly error: Error }
  | { readonly type: 'startThread' | 'startProcess'; readonly task: Task };
