/**
 * Counts the connections of each address, and how often it connects, over all processes. Two tables in shared
 * memory, without locks: an entry is two words that are exchanged in one step. An address can only be in a fixed
 * number of entries, which limits the search. If all of those are taken, the address is not counted, and no client
 * is refused because of that.
 */
import type { Limits } from './limits.ts';
import { PLACES_WORDS } from './places.ts';

// Memory layout, in words: first the seed, then the places, then the tables.
const SEED = 0;
const TABLE_SIZE = 16_384;
const COUNTS_AT = PLACES_WORDS;
const RATES_AT = COUNTS_AT + TABLE_SIZE * 2;
/** Size of the memory including what is before it, in words of 32 bits. */
export const ADDRESSES_END = RATES_AT + TABLE_SIZE * 2;

// Words of an entry: the tag of its address, and a value. For counts the value is the holder and its number, for
// rates a time.
const TAG = 0;
const VALUE = 1;

/** Bits of the number in the value of a count. The holder, from 1, is in the bits above. */
const NUMBER_BITS = 20;
const NUMBER_MASK = (1 << NUMBER_BITS) - 1;

/** Number of entries that an address may be in. It limits the search. */
const FEWEST_WAYS = 16;
const MOST_WAYS = 1024;

/** Unit of times for rates, in µs. It is coarse, so that the clock wraps only after 19 hours. */
const TICK = 16;
const SECOND = 1_000_000 / TICK;

/** Prepares fresh memory. The seed prevents a peer from choosing addresses that share an entry. */
export function seedAddresses(memory: Int32Array, seed: readonly [number, number]): void {
  memory[SEED] = seed[0];
  memory[SEED + 1] = seed[1];
}

/** Removes the counts of one holder. */
export function dropAddresses(memory: Int32Array, holder: number): void {
  const words64 = pairsOf(memory);
  for (let entry = COUNTS_AT; entry < RATES_AT; entry += 2) {
    const value = Atomics.load(memory, entry + VALUE);
    if (value >>> NUMBER_BITS === holder + 1) Atomics.store(words64, entry / 2, 0n);
  }
}

const pairsOf = ({ buffer, byteOffset, length }: Int32Array) =>
  new BigInt64Array(buffer, byteOffset, length >> 1);

/** Combines two words, to exchange them in one step. */
const pair = new Int32Array(2);
const pair64 = new BigInt64Array(pair.buffer);
function paired(tag: number, value: number): bigint {
  pair[TAG] = tag;
  pair[VALUE] = value;
  return pair64[0]!;
}

export interface AddressesParts {
  readonly memory: Int32Array;
  /** The holder of this process; -1: it counts no connections. */
  readonly holder: number;
  /** Number of processes that the server will have: each has an entry of its own for an address. */
  readonly processes: number;
  readonly limits: Pick<Limits, 'connectionsPerAddress' | 'acceptsPerSecond'>;
  /** µs, by a clock that all processes share and that never goes back. */
  readonly clock: () => number;
}

/** One thread's view of both tables. */
export class Addresses {
  readonly #memory: Int32Array;
  readonly #memory64: BigInt64Array;
  readonly #holder: number;
  readonly #ways: number;
  readonly #most: number;
  readonly #interval: number;
  readonly #tolerance: number;
  readonly #clock: () => number;
  /** True if neither is limited, so no address must be known. */
  readonly isOff: boolean;
  /** The ticket of the peer that was counted last, for `release`; 0: it was not counted. */
  ticket = 0;

  constructor({ memory, holder, processes, limits, clock }: AddressesParts) {
    const { connectionsPerAddress, acceptsPerSecond } = limits;
    this.#memory = memory;
    this.#memory64 = pairsOf(memory);
    this.#holder = holder;
    this.#ways = Math.min(
      MOST_WAYS,
      Math.max(FEWEST_WAYS, 2 ** Math.ceil(Math.log2(processes * 4))),
    );
    this.#most = connectionsPerAddress;
    this.#interval = acceptsPerSecond > 0 ? Math.round(SECOND / acceptsPerSecond) : 0;
    this.#tolerance = this.#interval * (acceptsPerSecond - 1);
    this.#clock = clock;
    this.isOff = connectionsPerAddress === 0 && acceptsPerSecond === 0;
  }

  /** Counts one more connection of an address, in `ticket`. @returns the limit that this exceeds */
  count(address: Uint8Array): 'accepts-per-second' | 'connections-per-address' | undefined {
    this.ticket = 0;
    if (this.isOff) return undefined;
    const tag = hash(address, this.#memory[SEED]!) || 1;
    const place = hash(address, this.#memory[SEED + 1]!);
    if (this.#interval > 0 && !this.#mayCome(tag, place)) return 'accepts-per-second';
    if (this.#most === 0 || this.#holder < 0) return undefined;
    return this.#countIn(tag, place) > this.#most ? 'connections-per-address' : undefined;
  }

  /** The peer with that ticket has left. */
  release(ticket: number): void {
    if (ticket === 0) return;
    const at = ticket - 1;
    for (;;) {
      const value = Atomics.load(this.#memory, at + VALUE);
      const tag = Atomics.load(this.#memory, at + TAG);
      const rest = (value & NUMBER_MASK) > 1 ? paired(tag, value - 1) : 0n;
      if (this.#exchange(at, paired(tag, value), rest)) return;
    }
  }

  /** Adds a connection. Returns the number that the address now has, over all processes. */
  #countIn(tag: number, place: number): number {
    const memory = this.#memory;
    const start = COUNTS_AT + this.#startOf(place, this.#ways) * 2;
    const end = start + this.#ways * 2;
    const own = this.#holder + 1;
    for (;;) {
      let free = -1;
      let mine = -1;
      let value = 0;
      for (let at = start; at < end && mine < 0; at += 2) {
        value = Atomics.load(memory, at + VALUE);
        if (value === 0) free = free < 0 ? at : free;
        else if (value >>> NUMBER_BITS === own && memory[at + TAG] === tag) mine = at;
      }
      if (mine >= 0) {
        if (this.#exchange(mine, paired(tag, value), paired(tag, value + 1))) {
          this.ticket = mine + 1;
          break;
        }
      } else if (free >= 0) {
        if (this.#exchange(free, 0n, paired(tag, (own << NUMBER_BITS) | 1))) {
          this.ticket = free + 1;
          break;
        }
      } else {
        // No entry is free: the address is not counted, and its client is not refused.
        return 0;
      }
    }
    let sum = 0;
    for (let at = start; at < end; at += 2) {
      const value = Atomics.load(memory, at + VALUE);
      if (value !== 0 && Atomics.load(memory, at + TAG) === tag) sum += value & NUMBER_MASK;
    }
    return sum;
  }

  /**
   * A token bucket per address, stored as the time at which it is full again: one word, one exchange. If an entry
   * becomes free just when two processes see the first client of an address, both may start a bucket. The next
   * client finds the first of them.
   */
  #mayCome(tag: number, place: number): boolean {
    const memory = this.#memory;
    const start = RATES_AT + this.#startOf(place, FEWEST_WAYS) * 2;
    const end = start + FEWEST_WAYS * 2;
    const interval = this.#interval;
    const tolerance = this.#tolerance;
    // A time further ahead is an old one: the clock has wrapped. Add one second, because a thread may be suspended
    // after it read the clock, and then see newer times of others. The cost: an address that was refused may be
    // refused again 19 hours later, for one second.
    const furthest = tolerance + interval + SECOND;
    for (;;) {
      const now = Math.floor(this.#clock() / TICK) | 0;
      let found = -1;
      let spare = -1;
      for (let at = start; at < end && found < 0; at += 2) {
        if (Atomics.load(memory, at + TAG) === tag) found = at;
        else if (spare < 0 && !isAhead(memory[at + VALUE]!, now, furthest)) spare = at;
      }
      const at = found >= 0 ? found : spare;
      if (at < 0) return true;
      const old = this.#memory64[at >> 1]!;
      pair64[0] = old;
      const [oldTag, fullAt] = [pair[TAG]!, pair[VALUE]!];
      // Another process has taken the entry.
      if (found >= 0 ? oldTag !== tag : isAhead(fullAt, now, furthest)) continue;
      const isRunning = found >= 0 && isAhead(fullAt, now, furthest);
      const from = isRunning ? fullAt : now;
      if (((from - now) | 0) > tolerance) return false;
      if (this.#exchange(at, old, paired(tag, (from + interval) | 0))) return true;
    }
  }

  #startOf(place: number, ways: number): number {
    const sets = TABLE_SIZE / ways;
    return ((place >>> 0) % sets) * ways;
  }

  #exchange(at: number, expected: bigint, wanted: bigint): boolean {
    return Atomics.compareExchange(this.#memory64, at >> 1, expected, wanted) === expected;
  }
}

const isAhead = (time: number, now: number, most: number): boolean => {
  const ahead = (time - now) | 0;
  return ahead > 0 && ahead <= most;
};

/** For an IPv6 address, only its first half counts: a user with one address usually has the whole /64. */
function hash(address: Uint8Array, seed: number): number {
  const isIPv4 = address[10] === 0xff && address[11] === 0xff && isZero(address, 10);
  const end = isIPv4 ? 16 : 8;
  let h = seed;
  for (let i = isIPv4 ? 12 : 0; i < end; i++) {
    h = Math.imul(h ^ address[i]!, 0x5bd1e995);
    h ^= h >>> 15;
  }
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return (h ^ (h >>> 16)) | 0;
}

function isZero(address: Uint8Array, end: number): boolean {
  for (let i = 0; i < end; i++) if (address[i] !== 0) return false;
  return true;
}
