/** What a connection is doing, as far as limits on time and a worker's leaving go. */
export const GONE = 0;
/** Between questions. */
export const IDLE = 1;
/** Inside a question that is not whole. */
export const QUESTION = 2;
/** Has yet to take an answer. */
export const ANSWER = 3;
/** The server's own time: no limit. */
export const THINKING = 4;
