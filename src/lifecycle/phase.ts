/** What a connection is doing. Time limits and the drain depend on it. */

/** There is no connection. */
export const GONE = 0;
/** Between questions. */
export const IDLE = 1;
/** The client has sent a part of a question. */
export const QUESTION = 2;
/** The client has not taken all of its answers. */
export const ANSWER = 3;
/** The service works on the answer: no limit applies. */
export const THINKING = 4;
/** Its proxy has not announced it completely. */
export const PREAMBLE = 5;

/**
 * @param hasUnsent true if the kernel had no room for all of its answers
 * @param isThinking true if an answer is not due yet
 * @param conversation its bytes received and not answered, and its preamble; undefined: it has neither
 */
export const phaseOf = (
  hasUnsent: boolean,
  isThinking: boolean,
  conversation: { readonly heldLength: number; readonly preamble: unknown } | undefined,
): number => {
  if (hasUnsent) return ANSWER;
  if (isThinking) return THINKING;
  if (conversation === undefined) return IDLE;
  if (conversation.preamble !== undefined) return PREAMBLE;
  return conversation.heldLength > 0 ? QUESTION : IDLE;
};
