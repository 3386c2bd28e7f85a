/** What runs in each thread of a worker process: one worker, which may sleep in the kernel for good. */
import { parentPort, workerData } from 'node:worker_threads';
import type { Task } from '../architectures/architecture.ts';
import { loadArchitecture } from '../architectures/catalogue.ts';
import { threadId } from '../os/signal.ts';
import { createContext, type Helm } from './context.ts';
import type { Door } from './door.ts';
import { writeEvent } from './journal.ts';
import { scarcityOf } from './scarcity.ts';
import { JOURNAL_FD, type WorkerConfig } from './worker-config.ts';

export interface ThreadData {
  readonly config: WorkerConfig;
  readonly listener: number;
  readonly door: Door;
  /** What to assist with; a thread without a task serves. */
  readonly task?: Task;
  /** How many assistants are running, of threads and processes, as the main thread counts them. */
  readonly running: Int32Array<SharedArrayBuffer>;
}

export type FromThread =
  | { readonly type: 'here'; readonly tid: number }
  /** Its one client cannot be served for want of something. */
  | { readonly type: 'unserved'; readonly error: Error }
  | { readonly type: 'startThread' | 'startProcess'; readonly task: Task };

const { config, listener, door, task, running } = workerData as ThreadData;
const port = parentPort!;
const tell = (message: FromThread) => port.postMessage(message);

/** How often a thread that waits for its assistants looks whether to stop, in ms: no signal ends that wait. */
const GLANCE = 100;

const architecture = await loadArchitecture(config.architecture);
tell({ type: 'here', tid: threadId() });

const start = (type: 'startThread' | 'startProcess') => (startTask: Task) => {
  Atomics.add(running, 0, 1);
  tell({ type, task: startTask });
};
const helm: Helm = {
  stopped: new Promise((resolve) => {
    if (architecture.arrangement === 'node') port.once('message', () => resolve());
  }),
  startThread: start('startThread'),
  startProcess: start('startProcess'),
  waitForAssistants(count, stopping) {
    for (let now = Atomics.load(running, 0); now >= count && !stopping(); ) {
      Atomics.wait(running, 0, now, GLANCE);
      now = Atomics.load(running, 0);
    }
  },
};
const isAssistant = task !== undefined;
const context = await createContext(config, architecture, listener, helm, isAssistant, door).catch(
  (error: Error) => {
    if (task?.socket === undefined || scarcityOf(error) === undefined) throw error;
    tell({ type: 'unserved', error });
  },
);
if (context === undefined) {
  port.close();
} else {
  const { worker, dispose } = context;
  if (task === undefined) {
    writeEvent(JOURNAL_FD, { type: 'ready', at: Date.now(), pid: process.pid, tid: threadId() });
    await architecture.serve(worker);
  } else {
    architecture.assist!(worker, task);
  }
  dispose();
  port.close();
}
