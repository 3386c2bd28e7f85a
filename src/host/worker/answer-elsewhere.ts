/**
 * For a service that has only the asynchronous form, on an architecture that blocks. The promise is made in a
 * thread with a loop of its own, and the serving thread sleeps until it settles. This costs a thread, and in a loop
 * it delays all other clients. A service with `answer` avoids both.
 */
import type { Worker } from 'node:worker_threads';
import type { Answer, ServiceContext } from '../../protocol/service.ts';
import type { AnswerElsewhere } from '../../protocol/speaker.ts';

export interface AnswerThreadData {
  readonly url: string;
  readonly port: import('node:worker_threads').MessagePort;
  /** Counts the answers posted: the serving thread sleeps on it. */
  readonly posted: Int32Array<SharedArrayBuffer>;
  /** True if there is a journal, in which to report why this process ends. */
  readonly hasJournal: boolean;
  /** What the service learns about its worker. */
  readonly around: Around;
}

export type Around = Pick<ServiceContext, 'architecture' | 'worker'>;

export type Outcome = { readonly answer: Answer | undefined } | { readonly error: unknown };

/** The message after the last question. */
export const CLOSE = null;

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

/**
 * Starts the thread with the first question that needs it. If the thread fails, the process ends, because the
 * serving thread sleeps here and would never learn of it.
 */
export function createAnswerThread(
  url: string,
  hasJournal: boolean,
  around: Around,
): {
  readonly answerElsewhere: AnswerElsewhere;
  /** Resolves when the service of that thread is closed, and the thread has ended. */
  close(): Promise<void>;
} {
  let answerThread: ReturnType<typeof start> | undefined;
  return {
    answerElsewhere(question) {
      answerThread ??= start(url, hasJournal, around);
      const { port, posted, receive } = answerThread;
      const before = Atomics.load(posted, 0);
      port.postMessage(question);
      while (Atomics.load(posted, 0) === before) Atomics.wait(posted, 0, before);
      const outcome: Outcome = receive();
      if ('error' in outcome) throw outcome.error;
      return outcome.answer;
    },
    async close() {
      if (answerThread === undefined) return;
      const { port, thread } = answerThread;
      const closed = new Promise((resolve) => port.once('message', resolve));
      port.ref();
      port.postMessage(CLOSE);
      await closed;
      port.close();
      await thread.terminate();
    },
  };
}

function start(url: string, hasJournal: boolean, around: Around) {
  // Loaded late: few services need the module, and every worker would pay for it.
  const threads = process.getBuiltinModule('node:worker_threads');
  const posted = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new threads.MessageChannel();
  port1.unref();
  const workerData: AnswerThreadData = { url, port: port2, posted, hasJournal, around };
  const file = new URL(`./answer-thread${extension}`, import.meta.url);
  const thread: Worker = new threads.Worker(file, {
    workerData,
    transferList: [port2],
    name: 'answer-thread',
  });
  thread.unref();
  return {
    thread,
    port: port1,
    posted,
    receive: () => threads.receiveMessageOnPort(port1)!.message,
  };
}
