/**
 * The two forms of an attack: a crowd holds a number of connections, and a storm makes connections
 * at a rate. One timer acts for all hostile peers a hundred times a second, so that one thread is
 * enough. Their number bounds what they cost this machine.
 */
import type { SocketAddress } from '../../os/address.ts';
import { SystemError } from '../../os/libc.ts';
import { AtOnce, InTotal, type Intensity } from './intensity.ts';
import { Peer } from './peer.ts';

/** The target of an attack: always a server on this machine. */
export interface Target {
  readonly port: number;
  /**
   * Limits for open connections and for connections per second. They are lower if each connection
   * costs a thread or a process.
   */
  readonly crowd: number;
  readonly rate: number;
  /** Clients of the thread bomb; default: 100. */
  readonly bomb?: number;
  /** The current worker processes of the server. */
  pids(): readonly number[];
}

/** An attack that runs until it is stopped. */
export interface Running {
  intensity(): Intensity;
  /** Stops it. Resolves when all its connections are closed. */
  stop(): Promise<void>;
}

/** Interval between looks, in ms. */
const TICK = 10;
/** Looks that a busy machine may catch up on. Beyond that, the attack falls short. */
const MOST_LATE_LOOKS = 10;
/** Peers of a crowd that connect at each look, at first. */
const CONNECTS_AT_FIRST = 40;
/** Peers that connect again at each look after the server closed them. */
const RECONNECTS = 1;
/** Timeout for the first wave, in ms. */
const FIRST_WAVE = 600;
/** Limit for the peers of a storm. More would mean that they cannot leave. */
const MOST_STORM_PEERS = 2000;

interface Ways {
  /**
   * What a peer does at each look. The first look is right after it dialled. It counts its work in
   * `did`.
   */
  readonly act: (peer: Peer) => void;
  /** The unit of `did`. */
  readonly unit: string;
  /** Receive buffer of each peer, in bytes. */
  readonly room?: number;
  /** The answer that it must get, repeatedly. Anything else is wrong. */
  readonly expects?: string;
}

interface CrowdWays extends Ways {
  /**
   * Work of each peer at each look, if the server takes it; `did` is then added up over peers.
   * Default: peers whose `did` is not 0 are counted, at their highest number.
   */
  readonly perLook?: number;
}

/**
 * Holds `size` connections. A peer that leaves, or that the server closes, connects again, up to a
 * hundred a second.
 */
export function crowd(target: Target, size: number, ways: CrowdWays): Promise<Running> {
  return new Peers(target, ways, { size, rush: CONNECTS_AT_FIRST, again: RECONNECTS }).start();
}

/** Makes `rate` connections per second. Each does its work once and leaves. */
export function storm(target: Target, rate: number, ways: Ways): Promise<Running> {
  const each = (rate * TICK) / 1000;
  return new Peers(target, ways, { rate, rush: each, again: each }).start();
}

interface Pace {
  readonly size?: number;
  readonly rate?: number;
  readonly rush: number;
  readonly again: number;
}

class Peers implements Running {
  readonly #to: SocketAddress;
  readonly #act: (peer: Peer) => void;
  readonly #unit: string;
  readonly #options: { room?: number; expects?: Buffer };
  readonly #pace: Pace;
  /** 0 if each peer does its work once, or one piece at a time. */
  readonly #perLook: number;
  readonly #count: AtOnce | InTotal;
  readonly #peers = new Set<Peer>();
  #last = performance.now();
  #timer: NodeJS.Timeout | undefined;
  /** Remaining fractions of a look, and of a connection. */
  #behind = 0;
  #due = 0;
  #dialled = 0;
  /** Peers that the server closed and that have not connected again yet. */
  #closedByServer = 0;
  /** Removed peers that had been connected, and that had got a wrong answer. */
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

  /** Resolves when the first wave is connected, or after its timeout. */
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

  /** Peers whose handshake the server's kernel has completed. */
  get #arrived(): number {
    return this.#connected + count(this.#peers, (peer) => peer.wasConnected);
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    for (const peer of this.#peers) this.#remove(peer);
  }

  #look(): void {
    const now = performance.now();
    const passed = now - this.#last;
    this.#last = now;
    // A busy machine fires the timer late. The missed looks are made up for, so that the rate
    // stays.
    const looks = Math.min(MOST_LATE_LOOKS, passed / TICK);
    this.#behind += looks;
    const whole = Math.floor(this.#behind);
    this.#behind -= whole;
    if (this.#count instanceof InTotal) this.#count.pass(passed);
    this.#prevented(this.#closedByServer * this.#perLook * whole);
    for (const peer of this.#peers) {
      peer.look();
      for (let i = 0; i < whole; i++) {
        peer.age++;
        const done = this.#letAct(peer);
        // A peer always tries all its work. The rest was prevented: the server closed it, or took
        // no more.
        if (peer.isClosedByServer || (peer.wasConnected && !peer.isOver)) {
          this.#prevented(this.#perLook - done);
        }
      }
      if (peer.isOver) this.#remove(peer);
    }
    const { size = 0, rush, again } = this.#pace;
    this.#due += looks * (this.#dialled < size ? rush : again);
    const most = size || MOST_STORM_PEERS;
    for (; this.#due >= 1; this.#due--) if (this.#peers.size < most) this.#dial();
    if (this.#count instanceof AtOnce) {
      this.#count.note(
        // The server may close a new peer before the next look, so it is counted only then.
        count(this.#peers, ({ did, age }) => did > 0 && age > 0),
        this.#closedByServer,
      );
    }
  }

  #dial(): void {
    let peer: Peer;
    try {
      peer = new Peer(this.#to, this.#options);
    } catch (error) {
      // This machine has no free port or descriptor. The attack falls short, and its intensity
      // shows that.
      if (error instanceof SystemError) return;
      throw error;
    }
    this.#dialled++;
    // Free places of the crowd are filled first; after that, a peer replaces a closed one.
    const free = (this.#pace.size ?? 0) - this.#peers.size - this.#closedByServer;
    if (free <= 0 && this.#closedByServer > 0) this.#closedByServer--;
    this.#peers.add(peer);
    this.#letAct(peer);
    if (peer.isOver) this.#remove(peer);
  }

  /** Lets the peer act. Returns the work it did. */
  #letAct(peer: Peer): number {
    const { did } = peer;
    if (!peer.isOver) this.#act(peer);
    const done = peer.did - did;
    if (this.#count instanceof InTotal) this.#count.did(done);
    return done;
  }

  #prevented(deeds: number): void {
    if (this.#count instanceof InTotal && deeds > 0) this.#count.prevented(deeds);
  }

  #remove(peer: Peer): void {
    this.#peers.delete(peer);
    peer.leave();
    if (peer.wasConnected) this.#connected++;
    if (peer.isWrong) this.#wrong++;
    if (!peer.isClosedByServer) return;
    if (this.#pace.size !== undefined) this.#closedByServer++;
    // A peer of a storm works once, and the server prevented that.
    else if (peer.did === 0) this.#prevented(1);
  }
}

const count = (peers: Iterable<Peer>, is: (peer: Peer) => boolean) => [...peers].filter(is).length;
