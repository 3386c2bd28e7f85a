/**
 * How many connections a server has. Each process counts its own in shared memory, without locks: each change is one
 * atomic step, so that a process may be killed at any moment and leaves nothing half done. The count of a process that
 * is gone is dropped with its entry, its holder.
 *
 * A process adds one first and then looks at the sum. So of two that add at once at least one sees both, and there are
 * never more than the limit; both may see both, and refuse both.
 */

// The memory, in words. The first two are the seed of addresses.ts.
/** One past the last holder that was ever taken. */
const HOLDERS_USED = 2;
const HOLDERS_AT = 16;
/**
 * Processes that hold connections at the same time: workers of all generations, of which a server may have 256 in
 * each of five, and assistants that accept. At most 4,095: a count of addresses.ts has 12 bits for its holder.
 */
const HOLDERS = 2048;
/** A cache line: two processes never write to the same one. */
const HOLDER_WORDS = 16;
/** How much memory it takes, in words of 32 bits. */
export const PLACES_WORDS = HOLDERS_AT + HOLDERS * HOLDER_WORDS;

// Words of a holder.
const PID = 0;
const PARENT = 1;
const OPEN = 2;

/** Connections in all, of all processes. */
export function openOf(memory: Int32Array): number {
  let open = 0;
  const end = HOLDERS_AT + Atomics.load(memory, HOLDERS_USED) * HOLDER_WORDS;
  for (let at = HOLDERS_AT; at < end; at += HOLDER_WORDS) open += Atomics.load(memory, at + OPEN);
  return open;
}

/**
 * Drops the holders of one process, or of all processes that one has started.
 * @param dropped is called for each before another process may take it
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
    // Last: from here on another process may take it.
    Atomics.store(memory, at + PID, 0);
  }
}

export interface PlacesParts {
  readonly memory: Int32Array;
  readonly pid: number;
  /** Who started this process. */
  readonly parent: number;
  /** The most connections of all processes together … */
  readonly bound: number;
  /** … and of this one, which has no descriptors for more. */
  readonly descriptors: number;
}

/** The places of one process, the same for all of its threads. */
export class Places {
  readonly #memory: Int32Array;
  readonly #bound: number;
  readonly #descriptors: number;
  /** From 0; -1 if all are taken: then this process counts nothing, and has room for everybody. */
  readonly holder: number;
  /** Where its connections are counted. */
  readonly #open: number;

  constructor({ memory, pid, parent, bound, descriptors }: PlacesParts) {
    this.#memory = memory;
    this.#bound = bound;
    this.#descriptors = descriptors;
    this.holder = takeHolder(memory, pid, parent);
    this.#open = HOLDERS_AT + this.holder * HOLDER_WORDS + OPEN;
  }

  get isCounting(): boolean {
    return this.holder >= 0;
  }

  /** One connection more. */
  add(): void {
    if (this.holder >= 0) Atomics.add(this.#memory, this.#open, 1);
  }

  /** One connection less. */
  remove(): void {
    if (this.holder >= 0) Atomics.sub(this.#memory, this.#open, 1);
  }

  /** Adds one, unless that would be one too many. */
  tryAdd(): boolean {
    this.add();
    if (!this.isOver) return true;
    this.remove();
    return false;
  }

  /** Whether there are more than may be, after `add`. */
  get isOver(): boolean {
    return !this.hasRoomFor(0);
  }

  /** Whether so many more may come. It reserves nothing: another process may take them. */
  hasRoomFor(count: number): boolean {
    if (this.holder < 0) return true;
    return (
      Atomics.load(this.#memory, this.#open) + count <= this.#descriptors &&
      openOf(this.#memory) + count <= this.#bound
    );
  }
}

/** One for all threads of a process, which find each other by its number. */
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
