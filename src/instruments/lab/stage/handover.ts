/**
 * Which thread has taken which client, if one thread accepts and others serve. The journal says who was accepted, and
 * the scoreboard which thread has one client more. Clients are handed over in the order in which they were accepted.
 */

export interface Taken {
  readonly peer: string;
  readonly tid: number;
  /** False if another thread may have taken it, and this one another client. */
  readonly isSure: boolean;
}

export class Handover {
  readonly #accepted: string[] = [];
  readonly #risen: number[] = [];
  /** By thread: clients that had left before the scoreboard showed that it took them. */
  readonly #early = new Map<number, number>();
  readonly #ask: (tid: number) => string | undefined;

  /** @param ask the client that the kernel sees a thread sleep for, if it sleeps for one */
  constructor(ask: (tid: number) => string | undefined) {
    this.#ask = ask;
  }

  /** The acceptor has accepted a client. */
  came(peer: string): void {
    this.#accepted.push(peer);
  }

  /** A thread has taken a client. */
  rose(tid: number): void {
    const early = this.#early.get(tid) ?? 0;
    if (early > 0) this.#early.set(tid, early - 1);
    else this.#risen.push(tid);
  }

  /** A client has left. @returns true if no thread was known to have it */
  left(peer: string, tid: number): boolean {
    const at = this.#accepted.indexOf(peer);
    if (at === -1) return false;
    this.#accepted.splice(at, 1);
    const risen = this.#risen.indexOf(tid);
    if (risen !== -1) this.#risen.splice(risen, 1);
    else this.#early.set(tid, (this.#early.get(tid) ?? 0) + 1);
    return true;
  }

  /** Forgets threads that have ended. */
  keep(isPresent: (tid: number) => boolean): void {
    const present = this.#risen.filter(isPresent);
    this.#risen.splice(0, this.#risen.length, ...present);
    for (const tid of this.#early.keys()) if (!isPresent(tid)) this.#early.delete(tid);
  }

  /** The clients that are known to be with a thread, since the last call. */
  taken(): Taken[] {
    const taken: Taken[] = [];
    const count = Math.min(this.#risen.length, this.#accepted.length);
    const isSure = this.#risen.length === 1 && this.#accepted.length === 1;
    // Of several at once, the order is not known: the kernel may know which thread has which.
    if (count > 1) {
      for (const tid of this.#risen.slice(0, MOST_ASKED)) {
        const peer = this.#ask(tid);
        const at = peer === undefined ? -1 : this.#accepted.indexOf(peer);
        if (at === -1) continue;
        this.#accepted.splice(at, 1);
        this.#risen.splice(this.#risen.indexOf(tid), 1);
        taken.push({ peer: peer!, tid, isSure: true });
      }
    }
    while (this.#risen.length > 0 && this.#accepted.length > 0) {
      taken.push({ peer: this.#accepted.shift()!, tid: this.#risen.shift()!, isSure });
    }
    return taken;
  }

  /** A thread has taken `peer`, and not `other`, which waits in its place. */
  exchange(peer: string, other: string): void {
    const at = this.#accepted.indexOf(peer);
    if (at !== -1) this.#accepted[at] = other;
  }
}

/** Questions to the kernel in one look: each reads a line for each socket of the machine. */
const MOST_ASKED = 8;
