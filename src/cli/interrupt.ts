/** Ctrl-C, with one rule for all commands: the first one ends the work in order, a later one ends it at once. */
import type { Server } from '../host/server.ts';

/**
 * One Ctrl-C may arrive several times: from the terminal, from npm, from npx. Signals within this time after the
 * first, in ms, count as the same one.
 */
export const SAME_SIGNAL = 1000;

/** Interval at which a command notes that it has handled all signals so far, in ms. */
const NOTE_INTERVAL_MS = 20;

export interface Interruption {
  /** Aborted with the first SIGINT or SIGTERM. */
  readonly signal: AbortSignal;
  /**
   * Resolves with the first signal, or when the reader of standard output has left, as in `
   * head` (a server only).
   */
  readonly interrupted: Promise<void>;
  /** Resolves with the second signal. */
  readonly interruptedAgain: Promise<void>;
  /** True once a signal has come. */
  readonly isInterrupted: boolean;
  /** Has the same effect as a signal. */
  interrupt(): void;
}

/** The reactions of a command. */
interface Reactions {
  /** Called once. */
  readonly first?: () => void;
  /**
   * Default: the signal ends this process, as if there were no handler. Called for one signal only, unless it returns
   * true: then a later signal may still end the work at once.
   */
  readonly again?: (signal: NodeJS.Signals) => unknown;
}

/**
 * For a command that measures. The handlers stay until the process ends: a second delivery of the same Ctrl-C must
 * not end it while it writes its results.
 */
export function onInterrupt(
  { first = () => {}, again = endBy }: Reactions = {},
  signals: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM'],
): Interruption {
  const stopping = new AbortController();
  const { promise: interrupted, resolve } = Promise.withResolvers<void>();
  const { promise: interruptedAgain, resolve: resolveAgain } = Promise.withResolvers<void>();
  let firstAt: number | undefined;
  // A command that writes a page handles no signal for a while. A signal that it handles afterwards may have come
  // before: its earliest time is when the command had last handled all signals.
  let handledUntil = 0;
  let isOver = false;
  const noteHandled = () => {
    // Behind the signals of this turn of the loop.
    setImmediate(() => {
      handledUntil = performance.now();
    }).unref();
  };
  const interrupt = (signal: NodeJS.Signals = 'SIGINT') => {
    if (firstAt === undefined) {
      firstAt = performance.now();
      setInterval(noteHandled, NOTE_INTERVAL_MS).unref();
      first();
      stopping.abort();
      resolve();
    } else if (!isOver && handledUntil - firstAt > SAME_SIGNAL) {
      isOver = again(signal) !== true;
      if (isOver) resolveAgain();
      // The same signal may arrive several times here too.
      else firstAt = performance.now();
    }
  };
  for (const signal of signals) process.on(signal, interrupt);
  return {
    signal: stopping.signal,
    interrupted,
    interruptedAgain,
    get isInterrupted() {
      return firstAt !== undefined;
    },
    interrupt: () => interrupt(),
  };
}

/** Ends this process, and with it the processes that it has started. */
function endBy(signal: NodeJS.Signals): void {
  process.removeAllListeners(signal);
  process.kill(process.pid, signal);
}

/**
 * For a command that serves. Call it before the server starts: a signal that comes earlier must not leave workers
 * behind.
 *
 * @param server returns the server whose lame duck, or which itself, a second signal ends; as long as there is none, the signal ends this
 *   process
 * @param outlives true for an error of standard output after which the server continues to serve
 */
export function listenForInterrupt(
  server: () => Server | undefined,
  outlives: (error: NodeJS.ErrnoException) => boolean = () => false,
): Interruption {
  const again = () => {
    const current = server();
    // Its service is still loading, perhaps for ever: the workers end with this process.
    if (current === undefined) process.exit();
    if (current.state === 'lame') {
      void current.close();
      return true;
    }
    void current.close({ deadline: 0 });
    return false;
  };
  const interruption = onInterrupt({ again });
  process.stdout.on('error', (error) => {
    if (!outlives(error)) interruption.interrupt();
  });
  return interruption;
}
