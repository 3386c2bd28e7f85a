/** A server that cannot be started as asked: the message says which action failed, the value, and the way out. */
export class ServeError extends Error {
  override name = 'ServeError';
  /** `usage`: what was asked for makes no sense; `failed`: it does, and could not be done. */
  readonly kind: 'usage' | 'failed';
  /** What the workers cannot have on this machine, or as their user. */
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
