/** Intervals and amounts that all accepting drivers share. */

/** Interval at which a full worker looks for room, in ms: other workers make room without notice. */
export const ROOM_INTERVAL_MS = 5;

/** How long to leave the listener alone when a resource is used up, in ms. Without a pause the loop would spin. */
export const RETRY_ACCEPT_MS = 100;

/** Clients that a loop accepts in one turn at most. Without a limit it might never serve one. */
export const ACCEPT_BATCH = 64;
