/** A limit that makes no sense: the message says which value, and what to give instead. */
export class LimitError extends RangeError {
  override name = 'LimitError';
}
