/**
 * For a service that has only the asynchronous form, on an architecture that cannot go on meanwhile:
 * the promise is made in a thread with a loop of its own, and the serving thread sleeps until it is
 * settled. It costs a thread, and on an own loop holds up everyone; `answer` beside it avoids both.
 */
import type { Worker } from 'node:worker_threads';
import type { Answer } from '../../protocol/service.ts';
import type { Settle } from '../../protocol/speaker.ts';

export interface SettlerData {
  readonly url: string;
  readonly port: import('node:worker_threads').MessagePort;
  /** Counts the answers posted, so that the asker can sleep on it. */
  readonly posted: Int32Array<SharedArrayBuffer>;
  /** Whether there is a journal, to tell in why this process ends. */
  readonly hasJournal: boolean;
}

export type Settled = { readonly answer: Answer | undefined } | { readonly error: unknown };

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

/**
 * The thread is started with the first question that needs it. If it fails, the process ends: whoever sleeps
 * here is told by nobody.
 */
export function createSettler(
  url: string,
  hasJournal: boolean,
): {
  readonly settle: Settle;
  close(): void;
} {
  let settler: ReturnType<typeof start> | undefined;
  return {
    settle(question) {
      settler ??= start(url, hasJournal);
      const { port, posted, receive } = settler;
      const before = Atomics.load(posted, 0);
      port.postMessage(question);
      while (Atomics.load(posted, 0) === before) Atomics.wait(posted, 0, before);
      const settled: Settled = receive();
      if ('error' in settled) throw settled.error;
      return settled.answer;
    },
    close() {
      settler?.port.close();
      void settler?.thread.terminate();
    },
  };
}

function start(url: string, hasJournal: boolean) {
  // Few services need it, and every worker would pay for the module.
  const threads = process.getBuiltinModule('node:worker_threads');
  const posted = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new threads.MessageChannel();
  port1.unref();
  const workerData: SettlerData = { url, port: port2, posted, hasJournal };
  const file = new URL(`./settler${extension}`, import.meta.url);
  const thread: Worker = new threads.Worker(file, {
    workerData,
    transferList: [port2],
    name: 'settler',
  });
  thread.unref();
  return {
    thread,
    port: port1,
    posted,
    receive: () => threads.receiveMessageOnPort(port1)!.message,
  };
}
