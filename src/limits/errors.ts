/** An invalid limit: the message quotes the value, and says what to give instead. */
export class LimitError extends RangeError {
  override name = 'LimitError';
}
