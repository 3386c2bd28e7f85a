/** The body of each thread of a worker process: one worker, which may sleep in the kernel for any time. */
import { parentPort, workerData } from 'node:worker_threads';
import { loadArchitecture } from '../../architectures/catalogue.ts';
import { threadId } from '../../os/signal.ts';
import { scarcityOf } from '../scarcity.ts';
import { type FromThread, RUNNING, type ThreadData } from './assistants.ts';
import { createContext, type Starter } from './context.ts';
import { crashWithThread } from './crash.ts';
import { writeEvent } from './journal.ts';
import { JOURNAL_FD } from './worker-config.ts';

const { config, listener, door, task, counters, number } = workerData as ThreadData;
const port = parentPort!;
const post = (message: FromThread) => port.postMessage(message);

/**
 * Interval at which a thread that waits for its processes checks whether it must leave, in ms: no signal ends that
 * wait.
 */
const LOOK_INTERVAL_MS = 100;

const architecture = await loadArchitecture(config.architecture);
post({ type: 'here', tid: threadId() });

const stopped = new Promise<void>((resolve) => {
  if (architecture.arrangement === 'node') port.once('message', () => resolve());
});
const starter: Starter = {
  startThread: (startTask) => post({ type: 'startThread', task: startTask }),
  startProcess(startTask) {
    Atomics.add(counters, RUNNING, 1);
    post({ type: 'startProcess', task: startTask });
  },
  waitForProcesses(stopping) {
    for (let now = Atomics.load(counters, RUNNING); now > 0 && !stopping(); ) {
      Atomics.wait(counters, RUNNING, now, LOOK_INTERVAL_MS);
      now = Atomics.load(counters, RUNNING);
    }
  },
};
const isAssistant = task !== undefined;
const context = await createContext(
  config,
  architecture,
  listener,
  isAssistant,
  door,
  number,
).catch((error: Error) => {
  // The client waits for a thread that can serve it.
  const mayPass = scarcityOf(error) !== undefined || error.name === 'ServiceError';
  if (task?.cache === undefined || !mayPass) throw error;
  post({ type: 'unserved', error });
});
if (context !== undefined) {
  const mayEnd = crashWithThread();
  if (task?.queue !== undefined) {
    writeEvent(JOURNAL_FD, { type: 'ready', at: Date.now(), pid: process.pid, tid: threadId() });
  }
  if (task === undefined) {
    await context.serve(starter, stopped);
  } else {
    context.assist(task, starter);
  }
  mayEnd();
  await context.dispose();
}
// Ends this thread only, although the service may have left a timer or a socket that keeps Node's loop alive.
process.exit();
