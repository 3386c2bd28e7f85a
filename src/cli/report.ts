/** How a failed command reports its error: one line and an exit code, or all details for our own bug. */
import { ServeError } from '../host/errors.ts';
import { NoSystemCallsError } from '../os/libc.ts';

/** The exit code that a shell shows for a program ended by Ctrl-C. */
export const INTERRUPTED = 130;

/** An error that the user can fix. */
export class CommandError extends Error {
  override name = 'CommandError';
  readonly exitCode: number;

  constructor(
    message: string,
    { exitCode = 1, ...rest }: ErrorOptions & { exitCode?: number } = {},
  ) {
    super(message, rest);
    this.exitCode = exitCode;
  }
}

/** Prints the error. Returns the exit code: 1 could not be done, 2 invalid command, or the command's own. */
export function report(error: unknown): number {
  if (error instanceof ServeError) {
    console.error(`mondo: ${error.message}`);
    return error.kind === 'usage' ? 2 : 1;
  }
  if (error instanceof CommandError) {
    console.error(`mondo: ${error.message}`);
    return error.exitCode;
  }
  // An error that no command has checked for in advance.
  console.error(error instanceof NoSystemCallsError ? `mondo: ${error.message}` : error);
  return 1;
}

/**
 * Standard error carries messages about the work, not its result. So a full disk there, or a reader that has left,
 * must not fail the command, and must not change results and exit codes.
 */
export function outliveStandardError(): void {
  process.stderr.on('error', () => {});
}

/**
 * Ends the command silently if the reader of its output has left, as in `
 * head`. A command that has more to do before it ends handles that itself.
 */
export function quitOnBrokenPipe(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') {
      console.error(`mondo: Cannot write to standard output: ${error.message}`);
      process.exitCode = 1;
    }
    if (process.stdout.listenerCount('error') === 1) process.exit();
  });
}
