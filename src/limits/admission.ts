/**
 * Who is let in. All threads and processes of a server decide on the same shared memory, without
 * locks: each change is one atomic exchange, so that a worker may be killed at any moment and leaves
 * nothing half done. What a worker holds is kept under its process, and dropped when that is gone.
 *
 * Whoever enters is counted first, and then the sum is looked at. So of two who enter at once at
 * least one sees both, and there are never more than the limit; both may see both, and be refused.
 */
import { type Limits, UNBOUNDED } from './limits.ts';
import { Networks } from './networks.ts';
import { dropChance, type WhenFull } from './when-full.ts';

// The memory, in words. Entries of tables have two, which are exchanged as one.
const SEED = 0;
/** One past the last holder that was ever taken. */
const HOLDERS_USED = 2;
const HOLDERS_AT = 16;
/**
 * Processes that hold connections at the same time: workers of all generations, of which a server may have 256 in
 * each of five, and assistants that accept. At most 4,095: a count has 12 bits for its holder.
 */
const HOLDERS = 2048;
/** A cache line: two processes never write to the same one. */
const HOLDER_WORDS = 16;
const TABLE_SIZE = 16_384;
const COUNTS_AT = HOLDERS_AT + HOLDERS * HOLDER_WORDS;
const RATES_AT = COUNTS_AT + TABLE_SIZE * 2;
/** How much memory it takes, in words of 32 bits. */
export const ADMISSION_WORDS = RATES_AT + TABLE_SIZE * 2;

// Words of a holder.
const PID = 0;
const PARENT = 1;
const OPEN = 2;

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

/** What a busy server says, where it says anything. */
export const BUSY = 'Error: server is busy.\n';

/** Why somebody is turned away. */
export type Refusal =
  | 'deny'
  | 'allow'
  | 'accepts-per-second'
  | 'connections-per-address'
  | 'connections'
  /** Before it came to the limit of connections, by lot. */
  | 'early';

export interface AdmissionRules {
  readonly limits: Limits;
  readonly whenFull: WhenFull;
  /** Counts who would be refused, and refuses nobody. */
  readonly dryRun: boolean;
  /** How many processes there are to be: each has an entry of its own for an address. */
  readonly processes: number;
  /** How many connections this process has descriptors for. */
  readonly descriptors: number;
}

/** What is not the rules' own: who enters, and where clock and chance come from. */
export interface AdmissionParts {
  readonly memory: Int32Array;
  readonly pid: number;
  /** Who started this process. */
  readonly parent: number;
  /** By descriptor of this process, shared by its threads: what `admit` notes for `leave`. */
  readonly tickets?: Int32Array | undefined;
  /** µs, by a clock that all processes read alike and that never goes back. */
  readonly clock: () => number;
  /** Is told of each refusal, in a dry run too. */
  readonly count: (refusal: Refusal) => void;
  /** From 0 to 1. */
  readonly random: () => number;
}

/** Fresh memory: its seed keeps a peer from choosing addresses that meet in one place. */
export function prepareAdmission(memory: Int32Array, seed: readonly [number, number]): void {
  memory[SEED] = seed[0];
  memory[SEED + 1] = seed[1];
}

/** Connections in all, of all processes. */
export function openOf(memory: Int32Array): number {
  let open = 0;
  const end = HOLDERS_AT + Atomics.load(memory, HOLDERS_USED) * HOLDER_WORDS;
  for (let at = HOLDERS_AT; at < end; at += HOLDER_WORDS) open += Atomics.load(memory, at + OPEN);
  return open;
}

/** Drops what a process held that is gone. */
export const dropHolder = (memory: Int32Array, pid: number): void => drop(memory, PID, pid);

/** Drops what those held whom a process had started, once all of them are gone. */
export const dropHoldersOf = (memory: Int32Array, parent: number): void =>
  drop(memory, PARENT, parent);

function drop(memory: Int32Array, word: number, pid: number): void {
  const words64 = new BigInt64Array(memory.buffer, memory.byteOffset, memory.length / 2);
  const used = Atomics.load(memory, HOLDERS_USED);
  for (let holder = 0; holder < used; holder++) {
    const at = HOLDERS_AT + holder * HOLDER_WORDS;
    if (memory[at + PID] === 0 || memory[at + word] !== pid) continue;
    for (let entry = COUNTS_AT; entry < RATES_AT; entry += 2) {
      const value = Atomics.load(memory, entry + VALUE);
      if (value >>> NUMBER_BITS === holder + 1) Atomics.store(words64, entry / 2, 0n);
    }
    Atomics.store(memory, at + OPEN, 0);
    Atomics.store(memory, at + PARENT, 0);
    // Last: from here on another process may take it.
    Atomics.store(memory, at + PID, 0);
  }
}

/** Two words as one, to be exchanged in one step. */
const pair = new Int32Array(2);
const pair64 = new BigInt64Array(pair.buffer);
function paired(tag: number, value: number): bigint {
  pair[TAG] = tag;
  pair[VALUE] = value;
  return pair64[0]!;
}

/** One thread's view of the door. */
export class Admission {
  readonly #memory: Int32Array;
  readonly #memory64: BigInt64Array;
  readonly #limits: Limits;
  readonly #whenFull: WhenFull;
  readonly #dryRun: boolean;
  readonly #networks: Networks;
  readonly #bound: number;
  readonly #descriptors: number;
  readonly #lot: { start: number; rate: number; full: number } | undefined;
  readonly #ways: number;
  readonly #interval: number;
  readonly #tickets: Int32Array | undefined;
  readonly #clock: () => number;
  readonly #random: () => number;
  readonly #count: (refusal: Refusal) => void;
  /** From 0; -1 where all are taken, and nothing is counted. */
  readonly #holder: number;
  readonly #open: number;
  /** Places for those who will come. */
  #reserved = 0;
  #ticket = 0;
  /** Whether an address is looked at at all. */
  readonly needsAddress: boolean;

  constructor(rules: AdmissionRules, parts: AdmissionParts) {
    const { limits, whenFull, processes } = rules;
    this.#memory = parts.memory;
    this.#memory64 = new BigInt64Array(
      parts.memory.buffer,
      parts.memory.byteOffset,
      parts.memory.length >> 1,
    );
    this.#limits = limits;
    this.#whenFull = whenFull;
    this.#dryRun = rules.dryRun;
    this.#networks = new Networks(limits.allow, limits.deny);
    this.#descriptors = limits.connections === UNBOUNDED ? UNBOUNDED : rules.descriptors;
    this.#bound =
      limits.connections || Math.min(UNBOUNDED, Math.max(1, this.#descriptors) * processes);
    this.#lot = whenFull.policy === 'random' ? lotOf(whenFull, this.#bound) : undefined;
    this.#ways = Math.min(
      MOST_WAYS,
      Math.max(FEWEST_WAYS, 2 ** Math.ceil(Math.log2(processes * 4))),
    );
    this.#interval = limits.acceptsPerSecond > 0 ? Math.round(SECOND / limits.acceptsPerSecond) : 0;
    this.#tickets = parts.tickets;
    this.#clock = parts.clock;
    this.#random = parts.random;
    this.#count = parts.count;
    this.#holder = this.#takeHolder(parts.pid, parts.parent);
    this.#open = HOLDERS_AT + this.#holder * HOLDER_WORDS + OPEN;
    this.needsAddress =
      !this.#networks.isOff || limits.connectionsPerAddress > 0 || limits.acceptsPerSecond > 0;
  }

  /** How the refused are turned away. */
  get policy(): WhenFull['policy'] {
    return this.#whenFull.policy;
  }

  /** Whether those are told so that are refused for that reason: not who is not wanted at all. */
  says(reason: Refusal): boolean {
    return this.#whenFull.policy === 'busy' && reason !== 'deny' && reason !== 'allow';
  }

  /** Whether nobody is to be accepted now. Only where those who come are to wait; a glance, that binds nobody. */
  isFull(): boolean {
    return !this.hasRoomFor(1);
  }

  /** Whether so many may be accepted without a place reserved for each; a glance as well. */
  hasRoomFor(count: number): boolean {
    if (this.#whenFull.policy !== 'wait' || this.#dryRun || this.#holder < 0) return true;
    return (
      Atomics.load(this.#memory, this.#open) + count <= this.#descriptors &&
      openOf(this.#memory) + count <= this.#bound
    );
  }

  /**
   * Before accepting: takes a place for whoever will come; false where there is none and they are to
   * wait. The place goes to the next who enters, or is given back with `cancel`.
   */
  reserve(): boolean {
    if (this.#whenFull.policy !== 'wait' || this.#holder < 0) return true;
    // Whoever comes is counted when it is here.
    if (this.#dryRun) return true;
    Atomics.add(this.#memory, this.#open, 1);
    if (this.#isOver()) {
      Atomics.sub(this.#memory, this.#open, 1);
      return false;
    }
    this.#reserved++;
    return true;
  }

  /** Nobody came. */
  cancel(): void {
    if (this.#reserved === 0) return;
    this.#reserved--;
    Atomics.sub(this.#memory, this.#open, 1);
  }

  /**
   * Decides about a peer who was accepted.
   *
   * @param address its 16 bytes; undefined for a peer that has none, which only the number in all concerns
   * @returns why it is refused, or a ticket to be given back with `exit` when it has left
   */
  enter(address: Uint8Array | undefined): Refusal | number {
    const hadPlace = this.#reserved > 0;
    if (hadPlace) this.#reserved--;
    if (!hadPlace && this.#holder >= 0) Atomics.add(this.#memory, this.#open, 1);
    this.#ticket = 0;
    const reason = this.#refusal(address, hadPlace);
    if (reason === undefined) return this.#ticket;
    this.#count(reason);
    if (this.#dryRun) return this.#ticket;
    this.exit(this.#ticket);
    return reason;
  }

  /** The peer has left. */
  exit(ticket: number): void {
    if (ticket > 0) this.#release(ticket - 1);
    if (this.#holder >= 0) Atomics.sub(this.#memory, this.#open, 1);
  }

  /** Counts somebody whom there is no room to have wait. */
  refuse(reason: Refusal): void {
    this.#count(reason);
  }

  /** As `enter`, with the ticket noted under the peer's descriptor. */
  admit(socket: number, address: Uint8Array | undefined): Refusal | undefined {
    const result = this.enter(address);
    if (typeof result === 'string') return result;
    if (result === 0) return undefined;
    const tickets = this.#tickets;
    if (tickets !== undefined && socket < tickets.length) Atomics.store(tickets, socket, result);
    // Nobody would find it again.
    else this.#release(result - 1);
    return undefined;
  }

  /** The peer at that descriptor is leaving. To be called before it is closed: then the number may be another's. */
  leave(socket: number): void {
    this.exit(this.takeTicket(socket));
  }

  /** For whoever sees a peer's end without its descriptor. */
  takeTicket(socket: number): number {
    const tickets = this.#tickets;
    return tickets === undefined || socket >= tickets.length
      ? 0
      : Atomics.exchange(tickets, socket, 0);
  }

  #isOver(): boolean {
    return (
      Atomics.load(this.#memory, this.#open) > this.#descriptors ||
      openOf(this.#memory) > this.#bound
    );
  }

  #refusal(address: Uint8Array | undefined, hadPlace: boolean): Refusal | undefined {
    if (address !== undefined && this.needsAddress) {
      const refused = this.#networks.refuses(address) ?? this.#refusedAddress(address);
      if (refused !== undefined) return refused;
    }
    if (hadPlace || this.#holder < 0) return undefined;
    // They are here already: to let them in is the nearest to letting them wait.
    if (this.#whenFull.policy === 'wait' && !this.#dryRun) return undefined;
    if (this.#isOver()) return 'connections';
    if (this.#lot === undefined) return undefined;
    const chance = dropChance(openOf(this.#memory) - 1, this.#lot);
    return chance > 0 && this.#random() < chance ? 'early' : undefined;
  }

  #refusedAddress(address: Uint8Array): Refusal | undefined {
    const { connectionsPerAddress } = this.#limits;
    if (connectionsPerAddress === 0 && this.#interval === 0) return undefined;
    const seed = this.#memory[SEED]!;
    const tag = hash(address, seed) || 1;
    const place = hash(address, this.#memory[SEED + 1]!);
    if (this.#interval > 0 && !this.#mayCome(tag, place)) return 'accepts-per-second';
    if (connectionsPerAddress === 0 || this.#holder < 0) return undefined;
    return this.#countIn(tag, place) > connectionsPerAddress
      ? 'connections-per-address'
      : undefined;
  }

  /** Counts one more of an address; how many it has by then, of all processes. */
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
          this.#ticket = mine + 1;
          break;
        }
      } else if (free >= 0) {
        if (this.#exchange(free, 0n, paired(tag, (own << NUMBER_BITS) | 1))) {
          this.#ticket = free + 1;
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

  #release(at: number): void {
    for (;;) {
      const value = Atomics.load(this.#memory, at + VALUE);
      const tag = Atomics.load(this.#memory, at + TAG);
      const rest = (value & NUMBER_MASK) > 1 ? paired(tag, value - 1) : 0n;
      if (this.#exchange(at, paired(tag, value), rest)) return;
    }
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
    const tolerance = interval * (this.#limits.acceptsPerSecond - 1);
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

  /** One for all threads of a process, which find each other by its number. */
  #takeHolder(pid: number, parent: number): number {
    const memory = this.#memory;
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
}

const isAhead = (time: number, now: number, most: number): boolean => {
  const ahead = (time - now) | 0;
  return ahead > 0 && ahead <= most;
};

const lotOf = (given: { start: number; rate: number; full: number }, bound: number) => ({
  start: given.start || Math.max(1, bound >> 1),
  rate: given.rate,
  full: given.full || bound,
});

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
