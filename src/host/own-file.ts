/** Mondo's own files that processes and threads are started with. */
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ServeError } from './errors.ts';

/**
 * The path of a file beside a module.
 *
 * @param action what cannot be done without it
 * @throws ServeError if the file does not exist, as in a program that was bundled with this module into one file
 */
export function ownFile(relative: string, module: string, action: string): string {
  const path = fileURLToPath(new URL(relative, module));
  if (existsSync(path)) return path;
  throw new ServeError(
    'failed',
    `Cannot ${action}: "${path}" is not there; leave mondo out of your bundle (esbuild: --external:mondo), since it starts processes and threads with files of its own`,
  );
}
