/**
 * The legacy pair as it was: `Dispatcher` wraps a socket (Python's asyncore), `AsyncChat` a
 * conversation with terminators on it (asynchat). All sockets are in one global map, and `loop` asks
 * every one of them before each poll whether it wants to read or to write: with ten thousand silent
 * clients that is twenty thousand calls for one question.
 */
import { addressOf } from '../../os/libc.ts';
import { Poll } from '../../os/poll.ts';
import { ERROR, HANGUP, READABLE, WRITABLE } from '../../os/readiness.ts';
import * as sockets from '../../os/socket.ts';

/** By descriptor. Global, as it was: a second loop in the same program would serve the first one's sockets. */
const socketMap = new Map<number, Dispatcher>();
const poll = new Poll();

const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);

/** Waits and dispatches, `count` times over; `timeout` in ms, -1 for ever. It has no timers. */
export function loop(timeout = -1, count = Number.POSITIVE_INFINITY): void {
  for (let i = 0; i < count && socketMap.size > 0; i++) {
    for (const channel of socketMap.values()) ask(channel);
    poll.wait(timeout);
    for (let fd = poll.next(); fd >= 0; fd = poll.next()) {
      const channel = socketMap.get(fd);
      if (channel !== undefined) readWrite(channel, poll.events);
    }
  }
}

export function closeAll(): void {
  for (const channel of socketMap.values()) channel.close();
}

function ask(channel: Dispatcher): void {
  const wanted =
    (channel.readable() ? READABLE : 0) | (channel.writable() && !channel.accepting ? WRITABLE : 0);
  const { socket, interest } = channel;
  if (wanted === interest) return;
  if (wanted === 0) poll.unregister(socket);
  else if (interest === 0) poll.register(socket, wanted);
  else poll.modify(socket, wanted);
  channel.interest = wanted;
}

function readWrite(channel: Dispatcher, told: number): void {
  // A socket that hung up counts as readable, asked or not; one that wants to send learns it there.
  const wantsRead = channel.interest & READABLE;
  const wantsWrite = channel.interest & WRITABLE;
  try {
    if (wantsRead && told & READABLE) {
      if (channel.accepting) channel.handleAccept();
      else channel.handleRead();
    }
    if (wantsWrite && told & (WRITABLE | ERROR | HANGUP) && channel.connected) {
      channel.handleWrite();
    }
  } catch (error) {
    channel.handleError(error);
  }
}

/** A socket in the map, and what a subclass may override. */
export class Dispatcher {
  readonly socket: number;
  /** A listener: when it is readable there is somebody to accept. */
  accepting = false;
  connected = true;
  /** What poll was last asked to tell of it. */
  interest = 0;

  constructor(socket: number) {
    this.socket = socket;
    socketMap.set(socket, this);
  }

  readable(): boolean {
    return true;
  }

  writable(): boolean {
    return true;
  }

  handleAccept(): void {}
  handleRead(): void {}
  handleWrite(): void {}

  handleClose(): void {
    this.close();
  }

  handleError(error: unknown): void {
    throw error;
  }

  /** A copy of what has come, nothing if there is nothing yet; empty at the end of the stream. */
  recv(): Buffer | undefined {
    const count = sockets.recv(this.socket, receivedAddress, received.length);
    return count < 0 ? undefined : Buffer.from(received.subarray(0, count));
  }

  /** How many of the bytes the kernel took. */
  send(bytes: Buffer): number {
    return Math.max(0, sockets.send(this.socket, addressOf(bytes), bytes.length));
  }

  /** Takes the socket out of the map and leaves it open. */
  delChannel(): void {
    if (this.interest !== 0) poll.unregister(this.socket);
    this.interest = 0;
    this.connected = false;
    socketMap.delete(this.socket);
  }

  close(): void {
    this.delChannel();
    sockets.close(this.socket);
  }
}

/** Cuts what comes at a terminator, and sends what is pushed as the peer takes it. */
export abstract class AsyncChat extends Dispatcher {
  #terminator: Buffer | undefined;
  /** Received and not handed over: the beginning of a terminator, or all that came after `readable` was false. */
  #incoming: Buffer = Buffer.alloc(0);
  readonly #outgoing: Buffer[] = [];
  #isClosing = false;

  /** A part of a message, without its terminator; a message may come in several parts, or in none. */
  abstract collectIncomingData(data: Buffer): void;
  /** The message that was collected is whole. */
  abstract foundTerminator(): void;

  /** What ends a message; without one, all that comes is handed over as it comes. */
  setTerminator(terminator: Buffer | undefined): void {
    this.#terminator = terminator;
  }

  getTerminator(): Buffer | undefined {
    return this.#terminator;
  }

  /** Sends at once what the kernel has room for, and the rest when it has. */
  push(data: Buffer): void {
    this.#outgoing.push(data);
    this.#initiateSend();
  }

  closeWhenDone(): void {
    this.#isClosing = true;
    this.#initiateSend();
  }

  /** True if it must hand over no more messages in this turn of the loop; asked before each one. */
  isSpent(): boolean {
    return false;
  }

  /** How many bytes were pushed and are not sent. */
  get unsentLength(): number {
    return this.#outgoing.reduce((sum, { length }) => sum + length, 0);
  }

  /** What was pushed and is not sent. */
  get unsent(): Buffer {
    return Buffer.concat(this.#outgoing);
  }

  override writable(): boolean {
    return this.#outgoing.length > 0;
  }

  override handleRead(): void {
    const data = this.recv();
    if (data === undefined) return;
    if (data.length > 0) {
      this.#incoming = this.#incoming.length > 0 ? Buffer.concat([this.#incoming, data]) : data;
      this.findTerminators();
      return;
    }
    // The beginning of a terminator was none after all.
    if (this.#incoming.length > 0) this.collectIncomingData(this.#incoming);
    this.handleClose();
  }

  override handleWrite(): void {
    this.#initiateSend();
  }

  /**
   * Hands over what was received, as long as `readable` says that it is wanted. asynchat handed over
   * everything at once, and a client that never read its answers filled the server's memory.
   */
  findTerminators(): void {
    const terminator = this.#terminator;
    while (this.#incoming.length > 0 && this.readable() && !this.isSpent()) {
      const incoming = this.#incoming;
      const index = terminator === undefined ? -1 : incoming.indexOf(terminator);
      const isFound = terminator !== undefined && index >= 0;
      const end = isFound ? index : incoming.length - prefixAtEnd(incoming, terminator);
      this.#incoming = incoming.subarray(isFound ? end + terminator.length : end);
      if (end > 0) this.collectIncomingData(incoming.subarray(0, end));
      if (!isFound) return;
      this.foundTerminator();
    }
  }

  #initiateSend(): void {
    try {
      while (this.#outgoing.length > 0) {
        const first = this.#outgoing[0]!;
        const count = this.send(first);
        if (count < first.length) {
          this.#outgoing[0] = first.subarray(count);
          return;
        }
        this.#outgoing.shift();
      }
    } catch (error) {
      // Here and not in the loop: whoever pushes may be another socket's handler.
      this.handleError(error);
      return;
    }
    if (this.#isClosing) this.handleClose();
  }
}

/** How many bytes at the end may be the beginning of a terminator. */
function prefixAtEnd(bytes: Buffer, terminator: Buffer | undefined): number {
  let length = Math.min((terminator?.length ?? 1) - 1, bytes.length);
  while (length > 0 && !bytes.subarray(-length).equals(terminator!.subarray(0, length))) length--;
  return length;
}
