/** What the main thread of a worker process and its other threads tell each other. */
import type { Task } from '../architectures/architecture.ts';
import type { Door } from './door.ts';
import type { WorkerConfig } from './worker-config.ts';

export interface ThreadData {
  readonly config: WorkerConfig;
  readonly listener: number;
  readonly door: Door;
  /** What to assist with; a thread without a task serves. */
  readonly task?: Task;
  /** Two numbers, at `RUNNING` and `STARTING`. */
  readonly running: Int32Array<SharedArrayBuffer>;
}

/** How many assistants are running, of threads and processes, as the main thread counts them. */
export const RUNNING = 0;
/** How many processes have been asked for that are not there yet. */
export const STARTING = 1;

export type FromThread =
  | { readonly type: 'here'; readonly tid: number }
  /** Its one client cannot be served for want of something. */
  | { readonly type: 'unserved'; readonly error: Error }
  | { readonly type: 'startThread' | 'startProcess'; readonly task: Task };
