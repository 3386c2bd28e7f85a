/** Ctrl-C for a command that serves: the first one has it stop in order, a second one at once. */
import type { Server } from '../host/server.ts';

/**
 * Ctrl-C through npm comes twice, from the terminal and from npm: a second signal within this many ms is
 * the same one.
 */
export const SAME_SIGNAL = 300;

export interface Interruption {
  /** Resolves with the first SIGINT or SIGTERM, or as whoever read the output has left, as in `| head`. */
  readonly interrupted: Promise<void>;
  /** Resolves with the second. */
  readonly interruptedAgain: Promise<void>;
  /** Whether one has come. */
  readonly isInterrupted: boolean;
  /** As if one had come. */
  interrupt(): void;
}

/**
 * To be called before the server starts: a signal that comes meanwhile must not leave workers behind.
 *
 * @param server gives the one that a second signal ends; as long as there is none, it ends this process
 */
export function listenForInterrupt(server: () => Server | undefined): Interruption {
  const { promise: interrupted, resolve } = Promise.withResolvers<void>();
  const { promise: interruptedAgain, resolve: resolveAgain } = Promise.withResolvers<void>();
  let firstSignal: number | undefined;
  const interrupt = () => {
    resolve();
    firstSignal ??= performance.now();
    if (performance.now() - firstSignal <= SAME_SIGNAL) return;
    resolveAgain();
    const current = server();
    // Its service is still being loaded, and may be for ever: the workers end with this process.
    if (current === undefined) process.exit();
    void current.close({ deadline: 0 });
  };
  process.on('SIGINT', interrupt);
  process.on('SIGTERM', interrupt);
  process.stdout.on('error', interrupt);
  return {
    interrupted,
    interruptedAgain,
    get isInterrupted() {
      return firstSignal !== undefined;
    },
    interrupt,
  };
}
