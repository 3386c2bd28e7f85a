/**
 * How many connections one address has, and how often it comes, of all processes together. Two tables in shared memory,
 * without locks: an entry is two words that are exchanged in one step. An address may be in a bounded number of entries,
 * which bounds the search; if all of them are taken, the address is not counted, and nobody is refused for that.
 */
import type { Limits } from './limits.ts';
import { PLACES_WORDS } from './places.ts';

// The memory, in words: the seed is before the places, the tables are behind them.
const SEED = 0;
const TABLE_SIZE = 16_384;
const COUNTS_AT = PLACES_WORDS;
const RATES_AT = COUNTS_AT + TABLE_SIZE * 2;
/** How much memory it takes with what is before it, in words of 32 bits. */
export const ADDRESSES_END = RATES_AT + TABLE_SIZE * 2;

// Words of an entry: whose it is, and for counts the holder and its number, for rates a time.
const TAG = 0;
const VALUE = 1;

/** In the value of a count: bits of the number; the holder, from 1, is above them. */
const NUMBER_BITS = 20;
const NUMBER_MASK = (1 << NUMBER_BITS) - 1;

/** How many entries an address may be in, which bounds the search. */
const FEWEST_WAYS = 16;
const MOST_WAYS = 1024;

/** Times of rates, in µs: coarse enough to go round only once in 19 hours. */
const TICK = 16;
const SECOND = 1_000_000 / TICK;

/** Fresh memory: its seed keeps a peer from choosing addresses that meet in one place. */
export function seedAddresses(memory: Int32Array, seed: readonly [number, number]): void {
  memory[SEED] = seed[0];
  memory[SEED + 1] = seed[1];
}

/** Drops what a holder has counted. */
export function dropAddresses(memory: Int32Array, holder: number): void {
  const words64 = pairsOf(memory);
  for (let entry = COUNTS_AT; entry < RATES_AT; entry += 2) {
    const value = Atomics.load(memory, entry + VALUE);
    if (value >>> NUMBER_BITS === holder + 1) Atomics.store(words64, entry / 2, 0n);
  }
}

const pairsOf = ({ buffer, byteOffset, length }: Int32Array) =>
  new BigInt64Array(buffer, byteOffset, length >> 1);

/** Two words as one, to be exchanged in one step. */
const pair = new Int32Array(2);
const pair64 = new BigInt64Array(pair.buffer);
function paired(tag: number, value: number): bigint {
  pair[TAG] = tag;
  pair[VALUE] = value;
  return pair64[0]!;
}

export interface AddressesParts {
  readonly memory: Int32Array;
  /** Of this process; -1: it counts no connections. */
  readonly holder: number;
  /** How many processes there are to be: each has an entry of its own for an address. */
  readonly processes: number;
  readonly limits: Pick<Limits, 'connectionsPerAddress' | 'acceptsPerSecond'>;
  /** µs, by a clock that all processes read alike and that never goes back. */
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
  /** Whether neither is limited, so that no address has to be known. */
  readonly isOff: boolean;
  /** Of the peer that was counted last, for `release`; 0: it was not counted. */
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

  /** Counts one more of an address, in `ticket`. @returns the limit that this is too much for */
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

  /** How many connections an address has then, of all processes. */
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
        // No room: nobody is refused for want of a place to count.
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
   * A token bucket per address, as the time at which it is full again: one word, and one exchange.
   * Two who are the first of an address in the very moment in which another's place falls free may each
   * begin a bucket; the next finds the first of them.
   */
  #mayCome(tag: number, place: number): boolean {
    const memory = this.#memory;
    const start = RATES_AT + this.#startOf(place, FEWEST_WAYS) * 2;
    const end = start + FEWEST_WAYS * 2;
    const interval = this.#interval;
    const tolerance = this.#tolerance;
    // What lies further ahead is long past: the clock has gone round. A second more, as who is put to
    // sleep behind the look at the clock finds times that others have set since. The price: whoever was
    // refused may be so again 19 hours later to the second.
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
      // Another has taken it meanwhile.
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

/** Of an IPv6 address its first half: whoever has one address there usually has the whole /64. */
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
