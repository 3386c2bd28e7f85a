/**
 * What attacks are made of: hostile peers, of which a crowd is kept up or a storm goes by. They are on
 * sockets that never block, looked at a hundred times a second, so that one thread is enough for all
 * of them, and what they cost this machine is bounded by their number.
 */
import type { SocketAddress } from '../os/address.ts';
import { connectionState, dial, endSending } from '../os/dialing.ts';
import { addressOf, SystemError } from '../os/libc.ts';
import { close, recv, reset, send } from '../os/socket.ts';

/** Who is attacked: always a server on this machine. */
export interface Target {
  readonly port: number;
  /** The most connections to hold, and to make in a second: less where each costs a thread or a process. */
  readonly crowd: number;
  readonly rate: number;
  /** The server's worker processes at this moment. */
  pids(): readonly number[];
}

/** How hard an attack hit: one that fell short says nothing of its target. */
export interface Intensity {
  readonly reached: number;
  readonly wanted: number;
  /** What is counted, such as `connections`. */
  readonly unit: string;
  /** Answers that the hostile clients got and that were wrong. */
  readonly wrong: number;
}

/** An attack that goes on until it is stopped. */
export interface Running {
  intensity(): Intensity;
  /** Ends it; resolves when all its connections are closed. */
  stop(): Promise<void>;
}

/** Attackers share one address, and it is not that of honest clients: limits for each address tell them apart. */
const ATTACKER = '127.0.0.2';

/** How often everybody is looked at, in ms. */
const TICK = 10;
/** How many of a crowd are connected at each look, at first … */
const RUSH = 40;
/** … and how many that have been sent away come again. */
const AGAIN = 1;
/** How long the first wave may take, in ms. */
const FIRST_WAVE = 600;

const room = Buffer.allocUnsafeSlow(65_536);
const roomAddress = addressOf(room);

/** One hostile connection. Nothing here throws for what the server does: it is only noted. */
class Peer {
  readonly #fd: number;
  readonly #expects: Buffer | undefined;
  /** How many looks it has been there for. */
  age = 0;
  /** For the attack's own use. */
  step = 0;
  received = 0;
  /** Whether the server's kernel has ever answered it. */
  wasConnected = false;
  isOver = false;
  isWrong = false;

  constructor(to: SocketAddress, { room, expects }: { room?: number; expects?: Buffer }) {
    this.#fd = dial(to, { from: ATTACKER, ...(room === undefined ? {} : { room }) });
    this.#expects = expects;
    this.look();
  }

  /** Notes whether it is connected, which takes a moment. */
  look(): void {
    if (!this.isOver) this.wasConnected ||= connectionState(this.#fd) !== 'none';
  }

  /** Sends what there is room for now; how many bytes that was. */
  send(bytes: { readonly at: number; readonly length: number }, from = 0): number {
    return this.#try(() => send(this.#fd, bytes.at + from, bytes.length - from));
  }

  /** Takes up to `most` bytes of what has come, and compares them with what was to come. */
  receive(most = room.length): number {
    const count = this.#try(() => {
      const got = recv(this.#fd, roomAddress, Math.min(most, room.length));
      if (got === 0) this.leave();
      return got;
    });
    const expected = this.#expects;
    for (let i = 0; expected !== undefined && i < count && !this.isWrong; i++) {
      this.isWrong = room[i] !== expected[(this.received + i) % expected.length];
    }
    this.received += count;
    return count;
  }

  /** Ends its own direction only. */
  halfClose(): void {
    endSending(this.#fd);
  }

  leave(): void {
    if (!this.isOver) close(this.#fd);
    this.isOver = true;
  }

  /** Leaves with RST. */
  reset(): void {
    if (!this.isOver) reset(this.#fd);
    this.isOver = true;
  }

  /** Whether the server has ended it, where nothing is to be read: a look that takes nothing. */
  sense(): void {
    this.look();
    if (this.wasConnected && !this.isOver && connectionState(this.#fd) !== 'open') this.leave();
  }

  #try(call: () => number): number {
    if (this.isOver) return 0;
    try {
      return Math.max(0, call());
    } catch (error) {
      if (!(error instanceof SystemError)) throw error;
      // Reset by the server: it had been connected. Refused: it had not.
      if (error.code === 'ECONNRESET' || error.code === 'EPIPE') this.wasConnected = true;
      this.leave();
      return 0;
    }
  }
}

/** Bytes to send, at an address of their own. */
export function payload(bytes: string | Uint8Array) {
  const kept = Buffer.allocUnsafeSlow(bytes.length);
  kept.set(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
  // The buffer is named too: collected, it would move out from under its address.
  return { at: addressOf(kept), length: kept.length, kept };
}

interface Ways {
  /** What a connection does at each look, the first of which is right after it was dialled. */
  readonly act: (peer: Peer) => void;
  /** Bytes that the kernel keeps for each until they are read. */
  readonly room?: number;
  /** What it is answered over and over; anything else is wrong. */
  readonly expects?: string;
}

/** Keeps so many connections up: whoever is sent away or has left comes again, a hundred a second. */
export function crowd(target: Target, size: number, ways: Ways): Promise<Running> {
  return new Mob(target, ways, { size, rush: RUSH, again: AGAIN }).start();
}

/** So many connections a second, each of which leaves again by itself. */
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

/** More than these at once would be a storm's peers that cannot leave. */
const MOST_AT_ONCE = 2000;

class Mob implements Running {
  readonly #to: SocketAddress;
  readonly #act: (peer: Peer) => void;
  readonly #options: { room?: number; expects?: Buffer };
  readonly #pace: Pace;
  readonly #peers = new Set<Peer>();
  readonly #since = performance.now();
  #last = this.#since;
  #timer: NodeJS.Timeout | undefined;
  /** What is left of a fraction of a connection. */
  #due = 0;
  #dialled = 0;
  /** Of those that are gone. */
  #connected = 0;
  #wrong = 0;

  constructor({ port }: Target, { act, room, expects }: Ways, pace: Pace) {
    this.#to = { family: 'IPv4', host: '127.0.0.1', port };
    this.#act = act;
    this.#options = {
      ...(room === undefined ? {} : { room }),
      ...(expects === undefined ? {} : { expects: Buffer.from(expects, 'latin1') }),
    };
    this.#pace = pace;
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
    const { size, rate = 0 } = this.#pace;
    const wanted = size ?? Math.floor((rate * (this.#last - this.#since)) / 1000);
    const wrong = this.#wrong + count(this.#peers, (peer) => peer.isWrong);
    return { reached: Math.min(wanted, this.#arrived), wanted, unit: 'connections', wrong };
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
    // A busy machine looks less often: a storm has its rate all the same.
    const looks = Math.min(10, (now - this.#last) / TICK);
    this.#last = now;
    for (const peer of this.#peers) {
      peer.look();
      peer.age++;
      this.#act(peer);
      if (peer.isOver) this.#bury(peer);
    }
    const { size = 0, rush, again } = this.#pace;
    this.#due += looks * (this.#dialled < size ? rush : again);
    const most = size || MOST_AT_ONCE;
    for (; this.#due >= 1; this.#due--) if (this.#peers.size < most) this.#dial();
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
    this.#peers.add(peer);
    this.#act(peer);
    if (peer.isOver) this.#bury(peer);
  }

  #bury(peer: Peer): void {
    this.#peers.delete(peer);
    peer.leave();
    if (peer.wasConnected) this.#connected++;
    if (peer.isWrong) this.#wrong++;
  }
}

const count = (peers: Iterable<Peer>, is: (peer: Peer) => boolean) => [...peers].filter(is).length;
