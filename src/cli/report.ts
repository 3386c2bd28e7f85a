/** How a command that failed says so: one line and an exit code, or for our own bug everything there is. */
import { ServeError } from '../host/errors.ts';

/** Something that the user can do something about. */
export class CommandError extends Error {
  override name = 'CommandError';
}

/** Prints the error; returns the exit code: 1 for what could not be done, 2 for what makes no sense. */
export function report(error: unknown): number {
  if (error instanceof ServeError) {
    console.error(`mondo: ${error.message}`);
    return error.kind === 'usage' ? 2 : 1;
  }
  if (error instanceof CommandError) {
    console.error(`mondo: ${error.message}`);
    return 1;
  }
  console.error(error);
  return 1;
}
