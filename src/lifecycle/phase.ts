/** What a connection is doing, as far as its limits on time and a drain are concerned. */

/** There is no connection. */
export const GONE = 0;
/** Between questions. */
export const IDLE = 1;
/** The client has sent a part of a question. */
export const QUESTION = 2;
/** The client has not taken all of its answers. */
export const ANSWER = 3;
/** The server works on the answer: no limit applies. */
export const THINKING = 4;

/**
 * @param hasUnsent whether the kernel had no room for all of its answers
 * @param isThinking whether an answer is not due yet
 * @param held bytes received that are not answered
 */
export const phaseOf = (hasUnsent: boolean, isThinking: boolean, held: number): number => {
  if (hasUnsent) return ANSWER;
  if (isThinking) return THINKING;
  return held > 0 ? QUESTION : IDLE;
};
