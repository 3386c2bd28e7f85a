/**
 * What select, poll and epoll tell of a descriptor, in one vocabulary. The numbers are poll's and
 * epoll's own (poll(2), epoll_ctl(2)); the flags of select are translated in its own file. Hang-up and
 * error count as readable, so that the `recv` that follows is what finds out.
 */
export const READABLE = 1;
export const WRITABLE = 4;

export const ERROR = 8;
export const HANGUP = 16;
export const INVALID = 32;

/** A set of descriptors and what is wanted of each. Select, Poll and Epoll are three of these. */
export interface Selector {
  register(fd: number, interest: number): void;
  modify(fd: number, interest: number): void;
  /** Before the descriptor is closed: its number may be another peer's the moment after. */
  unregister(fd: number): void;
  /** Sleeps until a descriptor is ready; `timeout` in ms, -1 for ever. Returns how many, or `INTERRUPTED`. */
  wait(timeout: number): number;
  /** The next ready descriptor of the last wait, or -1; `events` then says what it is ready for. */
  next(): number;
  readonly events: number;
  close(): void;
}
