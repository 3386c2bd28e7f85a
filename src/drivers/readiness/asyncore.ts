/**
 * The original legacy pair. `Dispatcher` wraps a socket (Python's asyncore); `AsyncChat` adds a conversation with
 * terminators (asynchat). All sockets are in one global map. Before each poll, `loop` asks every object whether it
 * wants to read or to write. With ten thousand silent clients that is twenty thousand calls for one question.
 */
import { addressOf } from '../../os/libc.ts';
import { Poll } from '../../os/poll.ts';
import { ERROR, HANGUP, READABLE, WRITABLE } from '../../os/readiness.ts';
import * as sockets from '../../os/socket.ts';

/**
 * By descriptor. Global, as in the original: a second loop in the same program would serve the first one's sockets.
 */
const socketMap = new Map<number, Dispatcher>();
const poll = new Poll();

const received = Buffer.allocUnsafeSlow(65_536);
const receivedAddress = addressOf(received);

/**
 * Waits and dispatches `count` times. `timeout` in ms; -1: for ever. It has no timers.
 *
 * @returns true if something was dispatched
 */
export function loop(timeout = -1, count = Number.POSITIVE_INFINITY): boolean {
  let events = 0;
  for (let i = 0; i < count && socketMap.size > 0; i++) {
    for (const channel of socketMap.values()) ask(channel);
    events += Math.max(0, poll.wait(timeout));
    for (let fd = poll.next(); fd >= 0; fd = poll.next()) {
      const channel = socketMap.get(fd);
      if (channel !== undefined) readWrite(channel, poll.events);
    }
  }
  return events > 0;
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

function readWrite(channel: Dispatcher, events: number): void {
  // A socket that hung up counts as readable, even if that was not requested. A channel with bytes to send finds
  // out when it sends.
  const wantsRead = channel.interest & READABLE;
  const wantsWrite = channel.interest & WRITABLE;
  try {
    if (wantsRead && events & READABLE) {
      if (channel.accepting) channel.handleAccept();
      else channel.handleRead();
    }
    if (wantsWrite && events & (WRITABLE | ERROR | HANGUP) && channel.connected) {
      channel.handleWrite();
    }
  } catch (error) {
    channel.handleError(error);
  }
}

/** A socket in the map, and what a subclass may override. */
export class Dispatcher {
  readonly socket: number;
  /** True for a listener: when it is readable, a client waits. */
  accepting = false;
  connected = true;
  /** The events that poll watches for on it. */
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

  /** A copy of the received bytes; undefined if there are none yet; empty at the end of the stream. */
  recv(): Buffer | undefined {
    const count = sockets.recv(this.socket, receivedAddress, received.length);
    return count < 0 ? undefined : Buffer.from(received.subarray(0, count));
  }

  /** Returns the number of bytes that the kernel took. */
  send(bytes: Buffer): number {
    return Math.max(0, sockets.sendBytes(this.socket, bytes));
  }

  /** Takes the socket out of the map, and leaves it open. */
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

/** Splits the received bytes at a terminator, and sends pushed bytes as the peer takes them. */
export abstract class AsyncChat extends Dispatcher {
  #terminator: Buffer | undefined;
  /** Bytes received and not handed over: the start of a terminator, or all that came after `readable` was false. */
  #incoming: Buffer = Buffer.alloc(0);
  readonly #outgoing: Buffer[] = [];
  #isClosing = false;

  /** A part of a message, without its terminator. A message may come in several parts, or in none. */
  abstract collectIncomingData(data: Buffer): void;
  /** The message that was collected is complete. */
  abstract foundTerminator(): void;

  /** Sets what ends a message. Without a terminator, all bytes are handed over as they come. */
  setTerminator(terminator: Buffer | undefined): void {
    this.#terminator = terminator;
  }

  getTerminator(): Buffer | undefined {
    return this.#terminator;
  }

  /** Sends at once as much as the kernel takes, and the rest when it has room. */
  push(data: Buffer): void {
    this.#outgoing.push(data);
    this.#initiateSend();
  }

  closeWhenDone(): void {
    this.#isClosing = true;
    this.#initiateSend();
  }

  /** True if it must hand over no more messages in this turn of the loop. Called before each message. */
  isSpent(): boolean {
    return false;
  }

  /** Number of bytes pushed and not sent. */
  get unsentLength(): number {
    return this.#outgoing.reduce((sum, { length }) => sum + length, 0);
  }

  /** The bytes pushed and not sent. */
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
    // The start of a terminator was not one after all.
    if (this.#incoming.length > 0) this.collectIncomingData(this.#incoming);
    this.handleClose();
  }

  override handleWrite(): void {
    this.#initiateSend();
  }

  /**
   * Hands over received messages while `readable` returns true. The original asynchat handed over everything at
   * once, so a client that never read its answers filled the server's memory.
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
      // Handle the error here, not in the loop: another socket's handler may have called `push`.
      this.handleError(error);
      return;
    }
    if (this.#isClosing) this.handleClose();
  }
}

/** Number of bytes at the end that may be the start of a terminator. */
function prefixAtEnd(bytes: Buffer, terminator: Buffer | undefined): number {
  let length = Math.min((terminator?.length ?? 1) - 1, bytes.length);
  while (length > 0 && !bytes.subarray(-length).equals(terminator!.subarray(0, length))) length--;
  return length;
}
