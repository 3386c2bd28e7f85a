/** Messages between the main thread of a worker process and its other threads. */
import type { Task } from '../../worker/contract.ts';
import type { Door } from './door.ts';
import type { WorkerConfig } from './worker-config.ts';

export interface ThreadData {
  readonly config: WorkerConfig;
  readonly listener: number;
  readonly door: Door;
  /** The task to assist with; a thread without a task serves. */
  readonly task?: Task;
  readonly counters: Counters;
  /** Index among the serving threads, from 0; undefined for a thread that comes and goes. */
  readonly number: number | undefined;
}

/** Shared by all threads of a worker. */
export type Counters = Int32Array<SharedArrayBuffer>;
/** Number of running assistant processes, as the main thread counts them. */
export const RUNNING = 0;
export const newCounters = (): Counters => new Int32Array(new SharedArrayBuffer(4));

export type FromThread =
  | { readonly type: 'here'; readonly tid: number }
  /** Its one client cannot be served because a resource is used up. */
  | { readonly type: 'unserved'; readonly error: Error }
  | { readonly type: 'startThread' | 'startProcess'; readonly task: Task };
