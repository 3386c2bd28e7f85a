/**
 * What attacks are made of: hostile peers, of which a crowd is kept up or a storm goes by. They are
 * looked at a hundred times a second, so that one thread is enough for all of them, and what they cost
 * this machine is bounded by their number.
 */
import type { SocketAddress } from '../../os/address.ts';
import { SystemError } from '../../os/libc.ts';
import { AtOnce, InTotal, type Intensity } from './intensity.ts';
import { Peer } from './peer.ts';

/** Who is attacked: always a server on this machine. */
export interface Target {
  readonly port: number;
  /** The most connections to hold, and to make in a second: less where each costs a thread or a process. */
  readonly crowd: number;
  readonly rate: number;
  /** The server's worker processes at this moment. */
  pids(): readonly number[];
}

/** An attack that goes on until it is stopped. */
export interface Running {
  intensity(): Intensity;
  /** Ends it; resolves when all its connections are closed. */
  stop(): Promise<void>;
}

/** How often everybody is looked at, in ms. */
const TICK = 10;
/** How many looks a busy machine may be behind, to be made up for; what is more is missing. */
const BEHIND = 10;
/** How many of a crowd are connected at each look, at first … */
const RUSH = 40;
/** … and how many that have been sent away come again. */
const AGAIN = 1;
/** How long the first wave may take, in ms. */
const FIRST_WAVE = 600;
/** More than these at once would be a storm's peers that cannot leave. */
const MOST_AT_ONCE = 2000;

interface Ways {
  /** What a connection does at each look, the first of which is right after it was dialled; counts it in `did`. */
  readonly act: (peer: Peer) => void;
  /** What is counted. */
  readonly unit: string;
  /** Bytes that the kernel keeps for each until they are read. */
  readonly room?: number;
  /** What it is answered over and over; anything else is wrong. */
  readonly expects?: string;
}

interface CrowdWays extends Ways {
  /**
   * How much each does at each look if the server takes it, of what adds up. Default: what is counted are
   * the connections of which `did` is not 0, at the moment at which they are most.
   */
  readonly perLook?: number;
}

/** Keeps so many connections up: whoever is sent away or has left comes again, a hundred a second. */
export function crowd(target: Target, size: number, ways: CrowdWays): Promise<Running> {
  return new Mob(target, ways, { size, rush: RUSH, again: AGAIN }).start();
}

/** So many connections a second, each of which does one deed and leaves again by itself. */
export function storm(target: Target, rate: number, ways: Ways): Promise<Running> {
  const each = (rate * TICK) / 1000;
  return new Mob(target, ways, { rate, rush: each, again: each }).start();
}

interface Pace {
  readonly size?: number;
  readonly rate?: number;
  readonly rush: number;
  readonly again: number;
}

class Mob implements Running {
  readonly #to: SocketAddress;
  readonly #act: (peer: Peer) => void;
  readonly #unit: string;
  readonly #options: { room?: number; expects?: Buffer };
  readonly #pace: Pace;
  /** 0: a peer does one deed, or one at a time. */
  readonly #perLook: number;
  readonly #count: AtOnce | InTotal;
  readonly #peers = new Set<Peer>();
  #last = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** What is left of a fraction of a look, and of a connection. */
  #behind = 0;
  #due = 0;
  #dialled = 0;
  /** Ended by the server, and not here again yet. */
  #sentAway = 0;
  /** Of those that are gone. */
  #connected = 0;
  #wrong = 0;

  constructor({ port }: Target, { act, unit, room, expects, perLook = 0 }: CrowdWays, pace: Pace) {
    this.#to = { family: 'IPv4', host: '127.0.0.1', port };
    this.#act = act;
    this.#unit = unit;
    this.#options = {
      ...(room === undefined ? {} : { room }),
      ...(expects === undefined ? {} : { expects: Buffer.from(expects, 'latin1') }),
    };
    this.#pace = pace;
    this.#perLook = perLook;
    const { size, rate } = pace;
    if (size === undefined) this.#count = new InTotal(rate!);
    else if (perLook === 0) this.#count = new AtOnce(size);
    else this.#count = new InTotal((size * perLook * 1000) / TICK);
  }

  /** Resolves once the first wave is there, or could not be. */
  async start(): Promise<Running> {
    this.#timer = setInterval(() => this.#look(), TICK);
    this.#look();
    const end = performance.now() + FIRST_WAVE;
    while (performance.now() < end && this.#arrived < (this.#pace.size ?? 1)) {
      await new Promise((resolve) => setTimeout(resolve, TICK));
    }
    return this;
  }

  intensity(): Intensity {
    const wrong = this.#wrong + count(this.#peers, (peer) => peer.isWrong);
    return { ...this.#count.force, unit: this.#unit, wrong };
  }

  /** How many the server's kernel has answered so far. */
  get #arrived(): number {
    return this.#connected + count(this.#peers, (peer) => peer.wasConnected);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const peer of this.#peers) this.#bury(peer);
  }

  #look(): void {
    const now = performance.now();
    const passed = now - this.#last;
    this.#last = now;
    // A busy machine looks less often: all have their rate all the same.
    const looks = Math.min(BEHIND, passed / TICK);
    this.#behind += looks;
    const whole = Math.floor(this.#behind);
    this.#behind -= whole;
    if (this.#count instanceof InTotal) this.#count.pass(passed);
    this.#prevented(this.#sentAway * this.#perLook * whole);
    for (const peer of this.#peers) {
      peer.look();
      for (let i = 0; i < whole; i++) {
        peer.age++;
        const done = this.#let(peer);
        // It always tries all of it: the server has ended it, or takes no more.
        if (peer.isSentAway || (peer.wasConnected && !peer.isOver)) {
          this.#prevented(this.#perLook - done);
        }
      }
      if (peer.isOver) this.#bury(peer);
    }
    const { size = 0, rush, again } = this.#pace;
    this.#due += looks * (this.#dialled < size ? rush : again);
    const most = size || MOST_AT_ONCE;
    for (; this.#due >= 1; this.#due--) if (this.#peers.size < most) this.#dial();
    if (this.#count instanceof AtOnce) {
      this.#count.note(
        // One that has just come may be sent away before anybody looks again.
        count(this.#peers, ({ did, age }) => did > 0 && age > 0),
        this.#sentAway,
      );
    }
  }

  #dial(): void {
    let peer: Peer;
    try {
      peer = new Peer(this.#to, this.#options);
    } catch (error) {
      // No port or descriptor left here: the attack falls short, and its intensity says so.
      if (error instanceof SystemError) return;
      throw error;
    }
    this.#dialled++;
    // Places that nobody has been sent away from are taken first.
    const free = (this.#pace.size ?? 0) - this.#peers.size - this.#sentAway;
    if (free <= 0 && this.#sentAway > 0) this.#sentAway--;
    this.#peers.add(peer);
    this.#let(peer);
    if (peer.isOver) this.#bury(peer);
  }

  /** Lets it act; how much it did of what adds up. */
  #let(peer: Peer): number {
    const { did } = peer;
    if (!peer.isOver) this.#act(peer);
    const done = peer.did - did;
    if (this.#count instanceof InTotal) this.#count.did(done);
    return done;
  }

  #prevented(deeds: number): void {
    if (this.#count instanceof InTotal && deeds > 0) this.#count.prevented(deeds);
  }

  #bury(peer: Peer): void {
    this.#peers.delete(peer);
    peer.leave();
    if (peer.wasConnected) this.#connected++;
    if (peer.isWrong) this.#wrong++;
    if (!peer.isSentAway) return;
    if (this.#pace.size !== undefined) this.#sentAway++;
    // One deed each, and that one it could not do.
    else if (peer.did === 0) this.#prevented(1);
  }
}

const count = (peers: Iterable<Peer>, is: (peer: Peer) => boolean) => [...peers].filter(is).length;
