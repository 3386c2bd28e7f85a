/**
 * Counts the connections of a server. Each process counts its own in shared memory, without locks. Each change is
 * one atomic step, so a process may be killed at any moment and leaves nothing half done. When a process is gone,
 * its count disappears with its entry, its holder.
 *
 * A process adds one first and then looks at the sum. If two add at once, at least one sees both, so there are
 * never more connections than the limit. Both may see both, and refuse both.
 */

// Memory layout, in words. The first two words are the seed of addresses.ts.
/** One past the last holder that was ever used. */
const HOLDERS_USED = 2;
/** The most connections that the newest process allows for all processes together. */
const BOUND = 3;
const HOLDERS_AT = 16;
/**
 * Processes that can hold connections at the same time: workers of all generations (a server may have 256 in each
 * of five), and assistants that accept. At most 4,095: a count in addresses.ts has 12 bits for its holder.
 */
const HOLDERS = 2048;
/** One cache line: two processes never write to the same one. */
const HOLDER_WORDS = 16;
/** Size of the memory, in words of 32 bits. */
export const PLACES_WORDS = HOLDERS_AT + HOLDERS * HOLDER_WORDS;

// Words of a holder.
const PID = 0;
const PARENT = 1;
const OPEN = 2;

/** Connections of all processes together. */
export function openOf(memory: Int32Array): number {
  let open = 0;
  const end = HOLDERS_AT + Atomics.load(memory, HOLDERS_USED) * HOLDER_WORDS;
  for (let at = HOLDERS_AT; at < end; at += HOLDER_WORDS) open += Atomics.load(memory, at + OPEN);
  return open;
}

/** The most connections of all processes together, by the process that came last; 0: none has come. */
export const boundOf = (memory: Int32Array): number => Atomics.load(memory, BOUND);

/**
 * Frees the holders of one process, or of all processes that it has started.
 * @param dropped is called for each holder before another process may take it
 */
export function dropPlaces(
  memory: Int32Array,
  whose: 'pid' | 'parent',
  pid: number,
  dropped: (holder: number) => void,
): void {
  const word = whose === 'pid' ? PID : PARENT;
  const used = Atomics.load(memory, HOLDERS_USED);
  for (let holder = 0; holder < used; holder++) {
    const at = HOLDERS_AT + holder * HOLDER_WORDS;
    if (memory[at + PID] === 0 || memory[at + word] !== pid) continue;
    dropped(holder);
    Atomics.store(memory, at + OPEN, 0);
    Atomics.store(memory, at + PARENT, 0);
    // Do this last: after it another process may take the holder.
    Atomics.store(memory, at + PID, 0);
  }
}

export interface PlacesParts {
  readonly memory: Int32Array;
  readonly pid: number;
  /** The process that started this one. */
  readonly parent: number;
  /** The most connections of all processes together … */
  readonly bound: number;
  /** … and of this one: it has descriptors for no more. */
  readonly descriptors: number;
}

/** The places of one process, the same for all of its threads. */
export class Places {
  readonly #memory: Int32Array;
  readonly #bound: number;
  readonly #descriptors: number;
  /** Index of the holder; -1 if all are taken. Then this process counts nothing, and has room for every client. */
  readonly holder: number;
  /** Index of the word that counts its connections. */
  readonly #open: number;

  constructor({ memory, pid, parent, bound, descriptors }: PlacesParts) {
    this.#memory = memory;
    this.#bound = bound;
    Atomics.store(memory, BOUND, bound);
    this.#descriptors = descriptors;
    this.holder = takeHolder(memory, pid, parent);
    this.#open = HOLDERS_AT + this.holder * HOLDER_WORDS + OPEN;
  }

  get isCounting(): boolean {
    return this.holder >= 0;
  }

  /** Adds one connection. */
  add(): void {
    if (this.holder >= 0) Atomics.add(this.#memory, this.#open, 1);
  }

  /** Removes one connection. */
  remove(): void {
    if (this.holder >= 0) Atomics.sub(this.#memory, this.#open, 1);
  }

  /** Adds one, unless that would exceed a limit. */
  tryAdd(): boolean {
    this.add();
    if (!this.isOver) return true;
    this.remove();
    return false;
  }

  /** True if there are too many connections, after `add`. */
  get isOver(): boolean {
    return !this.hasRoomFor(0);
  }

  /** True if `count` more may come. It reserves nothing: another process may take the places. */
  hasRoomFor(count: number): boolean {
    if (this.holder < 0) return true;
    return (
      Atomics.load(this.#memory, this.#open) + count <= this.#descriptors &&
      openOf(this.#memory) + count <= this.#bound
    );
  }
}

/** Takes one holder for all threads of a process. They find it by the process number. */
function takeHolder(memory: Int32Array, pid: number, parent: number): number {
  for (let holder = 0; holder < HOLDERS; holder++) {
    const at = HOLDERS_AT + holder * HOLDER_WORDS;
    const owner = Atomics.compareExchange(memory, at + PID, 0, pid);
    if (owner !== 0 && owner !== pid) continue;
    Atomics.store(memory, at + PARENT, parent);
    for (;;) {
      const used = Atomics.load(memory, HOLDERS_USED);
      if (used > holder) return holder;
      Atomics.compareExchange(memory, HOLDERS_USED, used, holder + 1);
    }
  }
  return -1;
}
