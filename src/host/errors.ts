/** A server that cannot be started as asked: the message says which action failed, the value, and the way out. */
export class ServeError extends Error {
  override name = 'ServeError';
  /** `usage`: what was asked for makes no sense; `failed`: it does, and could not be done. */
  readonly kind: 'usage' | 'failed';

  constructor(kind: 'usage' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
