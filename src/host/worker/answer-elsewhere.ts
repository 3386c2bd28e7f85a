/**
 * For a service that has only the asynchronous form, on an architecture that blocks. The promise is made in a
 * thread with a loop of its own, and the serving thread sleeps until it settles. This costs a thread for each serving
 * thread. A service with `answer` avoids it.
 */
import type { Worker } from 'node:worker_threads';
import {
  type Answer,
  isProtocol,
  type Protocol,
  type Service,
  type ServiceContext,
  ServiceError,
} from '../../protocol/service.ts';
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

/** The first message from that thread: its service is open, or why it cannot open. */
export interface Opening {
  readonly fault: string | undefined;
}

/** The message after the last question. */
export const CLOSE = null;

const extension = import.meta.filename.endsWith('.ts') ? '.ts' : '.js';

/**
 * Makes the thread that a service needs, if it needs one. If that thread fails later, the process ends, because the
 * serving thread sleeps here and would never learn of it.
 */
export function createAnswerThread(
  url: string,
  hasJournal: boolean,
  around: Around,
): {
  /**
   * Starts the thread, and resolves when the service is open in it. A thread that answers calls it before its first
   * question: a service that could not open at that question would cost its clients their connections.
   *
   * @throws ServiceError if the service cannot open there
   */
  open(): Promise<void>;
  readonly answerElsewhere: AnswerElsewhere;
  /** Resolves when the service of that thread is closed, and the thread has ended. */
  close(): Promise<void>;
} {
  let answerThread: ReturnType<typeof start> | undefined;
  return {
    async open() {
      answerThread = start(url, hasJournal, around);
      const { port } = answerThread;
      const opening = new Promise<Opening>((resolve) => port.once('message', resolve));
      port.ref();
      const { fault } = await opening;
      port.unref();
      if (fault !== undefined) throw new ServiceError(fault);
    },
    answerElsewhere(question) {
      const { port, posted, receive } = answerThread!;
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

/**
 * True if the service has only the asynchronous form and no state of connections, which another thread cannot have.
 *
 * @param asynchronous true if the architecture can continue while a promise is pending
 */
export const needsAnswerThread = (service: Service | Protocol, asynchronous: boolean): boolean =>
  !asynchronous &&
  !isProtocol(service) &&
  service.answer === undefined &&
  service.answerAsync !== undefined &&
  service.connected === undefined &&
  service.disconnected === undefined;

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
