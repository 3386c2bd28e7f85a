/**
 * epoll(7): the kernel keeps the set of descriptors and returns only the ready ones. So the cost of a wait depends
 * on the ready descriptors, not on the registered ones. Level-triggered: an event that is not handled is reported
 * again.
 */
import { addressOf, check, errno, errnoName, libc, ordinary } from './libc.ts';
import { ERROR, HANGUP, READABLE, type Selector } from './readiness.ts';

/** The same number on every processor architecture, like all system calls since 2019. */
const SYS_EPOLL_PWAIT2 = 441;
const EPOLL_CLOEXEC = 0o2000000;
const EPOLL_CTL_ADD = 1;
const EPOLL_CTL_DEL = 2;
const EPOLL_CTL_MOD = 3;

/** `struct epoll_event` is packed to 12 bytes on x64 and nowhere else: events, then 64 bits of data. */
const FIELDS = process.arch === 'x64' ? 3 : 4;
const DATA = FIELDS - 2;

/**
 * Use it with `READABLE`, for a listener that several epolls watch: it wakes only the one that began to wait last
 * (Linux 4.5). epoll_ctl(2)
 */
export const EXCLUSIVE = 1 << 28;

/** The most ready descriptors that one wait returns. */
const BATCH = 512;

export class Epoll implements Selector {
  readonly #epoll = check('epoll_create1', libc.epoll_create1(EPOLL_CLOEXEC));
  readonly #change = new Int32Array(FIELDS);
  readonly #changeAddress = addressOf(new Uint8Array(this.#change.buffer));
  readonly #ready = new Int32Array(BATCH * FIELDS);
  readonly #readyAddress = addressOf(new Uint8Array(this.#ready.buffer));
  readonly #timespec = new BigInt64Array(2);
  readonly #timespecAddress = addressOf(new Uint8Array(this.#timespec.buffer));
  #isPrecise = true;
  #at = 0;
  #count = 0;
  events = 0;

  register(fd: number, interest: number): void {
    this.#control(EPOLL_CTL_ADD, fd, interest);
  }

  modify(fd: number, interest: number): void {
    this.#control(EPOLL_CTL_MOD, fd, interest);
  }

  unregister(fd: number): void {
    this.#control(EPOLL_CTL_DEL, fd, 0);
  }

  wait(timeout: number): number {
    const count = libc.epoll_wait(this.#epoll, this.#readyAddress, BATCH, timeout);
    this.#at = 0;
    this.#count = count > 0 ? count : 0;
    return count >= 0 ? count : ordinary('epoll_wait', count);
  }

  /**
   * Like `wait`, with a resolution of ns: epoll_pwait2(2), Linux 5.11. An older kernel waits whole ms, rounded up.
   */
  waitPrecisely(timeout: number): number {
    if (!this.#isPrecise) return this.wait(Math.ceil(timeout));
    this.#timespec[0] = BigInt(Math.floor(timeout / 1000));
    this.#timespec[1] = BigInt(Math.floor((timeout % 1000) * 1e6));
    const { epoll_pwait2 } = libc;
    const [events, time] = [this.#readyAddress, this.#timespecAddress];
    const count = epoll_pwait2(SYS_EPOLL_PWAIT2, this.#epoll, events, BATCH, time, 0, 0);
    this.#at = 0;
    this.#count = count > 0 ? count : 0;
    if (count >= 0) return count;
    if (errnoName(errno()) === 'ENOSYS') {
      this.#isPrecise = false;
      return this.wait(Math.ceil(timeout));
    }
    return ordinary('epoll_pwait2', count);
  }

  next(): number {
    if (this.#at === this.#count) return -1;
    const event = this.#at++ * FIELDS;
    const told = this.#ready[event]!;
    this.events = told & (ERROR | HANGUP) ? told | READABLE : told;
    return this.#ready[event + DATA]!;
  }

  close(): void {
    libc.close(this.#epoll);
  }

  #control(operation: number, fd: number, interest: number): void {
    this.#change[0] = interest;
    this.#change[DATA] = fd;
    check('epoll_ctl', libc.epoll_ctl(this.#epoll, operation, fd, this.#changeAddress));
  }
}
