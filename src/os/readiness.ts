/**
 * The events that select, poll and epoll report for a descriptor, with common names. The numbers are those of poll
 * and epoll (poll(2), epoll_ctl(2)); select.ts translates its flags. Hang-up and error count as readable, so the
 * following `recv` finds the reason.
 */
export const READABLE = 1;
export const WRITABLE = 4;

export const ERROR = 8;
export const HANGUP = 16;
export const INVALID = 32;

/** A set of descriptors, each with the wanted events. Select, Poll and Epoll implement it. */
export interface Selector {
  register(fd: number, interest: number): void;
  modify(fd: number, interest: number): void;
  /** Call it before closing the descriptor: right after the close another peer may get the number. */
  unregister(fd: number): void;
  /**
   * Sleeps until a descriptor is ready; `timeout` in ms, -1: for ever. Returns the number of ready ones, or
   * `INTERRUPTED`.
   */
  wait(timeout: number): number;
  /** The next ready descriptor of the last wait, or -1. `events` then holds its events. */
  next(): number;
  readonly events: number;
  close(): void;
}
