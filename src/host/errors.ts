/**
 * The server cannot start as requested. The message names the failed action, the value, and the fix.
 *
 * @example
 * ```ts
 * import { ServeError, serve } from 'mondo';
 *
 * try {
 *   await serve({ architecture: 'epoll', port: 80 });
 * } catch (error) {
 *   if (!(error instanceof ServeError)) throw error;
 *   console.error(error.message);
 *   process.exitCode = error.kind === 'usage' ? 2 : 1;
 * }
 * ```
 */
export class ServeError extends Error {
  override name = 'ServeError';
  /** `usage`: the request is invalid; `failed`: it is valid, and could not be done. */
  readonly kind: 'usage' | 'failed';
  /** A feature that the workers lack on this machine, or as their user. */
  readonly lacks: 'io_uring' | undefined;

  constructor(
    kind: 'usage' | 'failed',
    message: string,
    { lacks, ...options }: ErrorOptions & { readonly lacks?: 'io_uring' | undefined } = {},
  ) {
    super(message, options);
    this.kind = kind;
    this.lacks = lacks;
  }
}
