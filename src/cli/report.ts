/** How a command that failed says so: one line and an exit code, or for our own bug everything there is. */
import { ServeError } from '../host/errors.ts';
import { NoSystemCallsError } from '../os/libc.ts';

/** The exit code that a shell shows for a program that Ctrl-C has ended. */
export const INTERRUPTED = 130;

/** Something that the user can do something about. */
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

/** Prints the error; returns the exit code: 1 for what could not be done, 2 for what makes no sense, or the command's own. */
export function report(error: unknown): number {
  if (error instanceof ServeError) {
    console.error(`mondo: ${error.message}`);
    return error.kind === 'usage' ? 2 : 1;
  }
  if (error instanceof CommandError) {
    console.error(`mondo: ${error.message}`);
    return error.exitCode;
  }
  // Of what no command has asked for beforehand.
  console.error(error instanceof NoSystemCallsError ? `mondo: ${error.message}` : error);
  return 1;
}

/**
 * What goes to standard error is about the work and not its result. A full disk there, or a reader that has left, must
 * not fail the command: results and exit codes do not depend on it.
 */
export function outliveStandardError(): void {
  process.stderr.on('error', () => {});
}

/**
 * Ends the command without a word where whoever read its output has left, as in `| head`. A command
 * that has more to do before it ends listens for that itself.
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
