/**
 * The answers that a turn sends at once. They stand in an arena until the kernel has reported every send that
 * fell short; a send that succeeds has no completion. So the driver notes where the last send of each connection stands.
 */
import { viewOf } from '../../os/libc.ts';
import { Arena } from '../outbox.ts';

/** Size of one arena at the start, in bytes. */
const ARENA = 262_144;

export class Sends {
  #turn = 0;
  // Two arenas by turns: the next turn reads an answer of this turn again if its send fell short.
  readonly #arenas: readonly [Arena, Arena] = [new Arena(ARENA), new Arena(ARENA)];
  /** The arena of this turn: conversations write their answers here. */
  out = this.#arenas[0];
  /** By descriptor: the turn of the last send, its address and its length in bytes. */
  #sentTurn = new Int32Array(1024).fill(-1);
  #sentFrom = new Float64Array(1024);
  #sentLength = new Int32Array(1024);

  beginTurn(): void {
    this.#turn = (this.#turn + 1) & 0x3fffffff;
    this.out = this.#arenas[(this.#turn & 1) as 0 | 1];
    this.out.clear();
  }

  /** A new connection has this descriptor. */
  start(fd: number): void {
    if (fd >= this.#sentTurn.length) this.#grow(fd);
    this.#sentTurn[fd] = -1;
  }

  /**
   * Takes the answers out of the arena: the caller sends them now.
   *
   * @returns their address; their length is what the caller saw in the arena
   */
  take(fd: number, length: number): number {
    const { out } = this;
    const from = out.address + out.start;
    this.#sentTurn[fd] = this.#turn;
    this.#sentFrom[fd] = from;
    this.#sentLength[fd] = length;
    out.start = out.length;
    return from;
  }

  /** True if this turn sent something: the next turn learns whether it fell short. */
  isUnderWay(fd: number): boolean {
    return this.#sentTurn[fd] === this.#turn;
  }

  /** A copy of the last answers sent on this socket, from byte `start` on. */
  last(fd: number, start: number): Buffer {
    const bytes = viewOf(this.#sentFrom[fd]! + start, this.#sentLength[fd]! - start);
    return Buffer.concat([Buffer.from(bytes)]);
  }

  #grow(fd: number): void {
    const size = Math.max(fd + 1, this.#sentTurn.length * 2);
    const turn = new Int32Array(size).fill(-1);
    const from = new Float64Array(size);
    const length = new Int32Array(size);
    turn.set(this.#sentTurn);
    from.set(this.#sentFrom);
    length.set(this.#sentLength);
    this.#sentTurn = turn;
    this.#sentFrom = from;
    this.#sentLength = length;
  }
}
