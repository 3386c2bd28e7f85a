/** Intervals and amounts that all drivers that accept have in common. */

/** Interval at which a full worker looks for room, in ms: other workers make room without a word. */
export const ROOM_INTERVAL_MS = 5;

/** How long to leave the listener alone when a resource is used up, in ms: without it the loop would spin. */
export const RETRY_ACCEPT_MS = 100;

/** How many clients a loop accepts in one turn: without an end it would serve none. */
export const ACCEPT_BATCH = 64;
