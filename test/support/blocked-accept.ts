/** A thread that waits in accept(2) and reports the result: for the test of the signal that wakes it. */
import { parentPort, workerData } from 'node:worker_threads';
import { interruptible, threadId } from '../../src/os/signal.ts';
import { accept } from '../../src/os/socket.ts';

interruptible();
parentPort!.postMessage(threadId());
parentPort!.postMessage(accept(workerData as number));
