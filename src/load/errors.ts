/** Load that cannot be made or judged as asked: the message says which action failed, the value, and the way out. */
export class LoadError extends Error {
  override name = 'LoadError';
  /** `usage`: what was asked for makes no sense; `failed`: it does, and could not be done. */
  readonly kind: 'usage' | 'failed';

  constructor(kind: 'usage' | 'failed', message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}
