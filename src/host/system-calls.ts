/** Makes features that need Mondo's own system calls fail in one line if there are none. */
import { whyNoSystemCalls } from '../os/libc.ts';
import { ServeError } from './errors.ts';

/**
 * @param action what cannot be done then, such as `serve epoll`
 * @param way another way to do it
 * @throws ServeError if this process can make no system calls of its own
 */
export function requireSystemCalls(action: string, way?: string): void {
  const why = whyNoSystemCalls();
  if (why === undefined) return;
  const rest = way === undefined ? '' : `; ${way}`;
  throw new ServeError(
    'failed',
    `Cannot ${action}: it makes system calls of its own, and ${why}${rest}`,
  );
}
