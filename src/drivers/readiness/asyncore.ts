/**
 * The original legacy pair. `Dispatcher` wraps a socket (Python's asyncore); `AsyncChat` adds a conversation with
 * terminators (asynchat). All sockets are in one global map. Before each poll, `loop` asks every object whether it
 * wants to read or to write. With ten thousand silent clients that is twenty thousand calls for one question.
 */
import { addressOf } from '../../os/libc.ts';
import { Poll } from '../../os/poll.ts';
import { ERROR, HANGUP, READABLE, WRITABLE } from '../../os/readiness.ts';
import * as sockets from '../../os/socket.ts';
import { endingIn } from '../../protocol/speaker.ts';
import type { Frame } from '../../protocol/table.ts';
import type { AddressedOutbox } from '../outbox.ts';

/**
 * By descriptor. Global, as in the original: a second loop in the same program would serve the first one's sockets.
 */
const socketMap = new Map<number, Dispatcher>();
const poll = new Poll();

const NOTHING = Buffer.alloc(0);
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

  /** Receives to the beginning of `received`. Returns the number of bytes; -1: none yet; 0: the end of the stream. */
  recv(): number {
    return Math.max(-1, sockets.recv(this.socket, receivedAddress, received.length));
  }

  /** Returns the number of bytes that the kernel took. */
  send(address: number, length: number): number {
    return Math.max(0, sockets.send(this.socket, address, length));
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
  /** Finds the index just past the terminator. */
  #find: Frame | undefined;
  /** Bytes received and not handed over: the start of a terminator, or all that came after `readable` was false. */
  #incoming: Buffer = NOTHING;
  readonly #outgoing: Buffer[] = [];
  #isClosing = false;

  /**
   * `data[start, end)` is a part of a message, without its terminator. A message may come in several parts, or in none.
   */
  abstract collectIncomingData(data: Buffer, start: number, end: number): void;
  /** The message that was collected is complete. */
  abstract foundTerminator(): void;

  /** Sets what ends a message. Without a terminator, all bytes are handed over as they come. */
  setTerminator(terminator: Buffer | undefined): void {
    this.#terminator = terminator;
    this.#find = terminator && endingIn(terminator);
  }

  getTerminator(): Buffer | undefined {
    return this.#terminator;
  }

  /** Sends at once as much as the kernel takes, and a copy of the rest when it has room. */
  push(data: AddressedOutbox): void {
    try {
      const isFirst = this.#outgoing.length === 0;
      const sent = isFirst ? this.send(data.address, data.length) : 0;
      if (sent < data.length) this.#outgoing.push(data.copy(sent));
    } catch (error) {
      this.#outgoing.push(data.copy());
      // Handle the error here, not in the loop: another socket's handler may have called this method.
      this.handleError(error);
    }
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
    const count = this.recv();
    if (count < 0) return;
    if (count > 0) {
      if (this.#incoming.length === 0) this.#handOver(received, count);
      else {
        this.#incoming = Buffer.concat([this.#incoming, received.subarray(0, count)]);
        this.findTerminators();
      }
      return;
    }
    // The start of a terminator was not one after all.
    const { length } = this.#incoming;
    if (length > 0) this.collectIncomingData(this.#incoming, 0, length);
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
    const incoming = this.#incoming;
    this.#incoming = NOTHING;
    this.#handOver(incoming, incoming.length);
  }

  #handOver(bytes: Buffer, end: number): void {
    const size = this.#terminator?.length ?? 1;
    let at = 0;
    while (at < end && this.readable() && !this.isSpent()) {
      const next = this.#find?.(bytes, at, end, 0) ?? -1;
      const isFound = next >= 0;
      const until = isFound ? next - size : end - prefixAtEnd(bytes, at, end, this.#terminator);
      const from = at;
      at = isFound ? next : until;
      if (until > from) this.collectIncomingData(bytes, from, until);
      if (!isFound) break;
      this.foundTerminator();
    }
    if (at === end) return;
    const rest = bytes.subarray(at, end);
    // The next `recv` overwrites `received`. Any other bytes are a copy already.
    this.#incoming = bytes === received ? Buffer.from(rest) : rest;
  }

  #initiateSend(): void {
    try {
      while (this.#outgoing.length > 0) {
        const first = this.#outgoing[0]!;
        const count = this.send(addressOf(first), first.length);
        if (count < first.length) {
          this.#outgoing[0] = first.subarray(count);
          return;
        }
        this.#outgoing.shift();
      }
    } catch (error) {
      this.handleError(error);
      return;
    }
    if (this.#isClosing) this.handleClose();
  }
}

/** Number of bytes at the end of `bytes[start, end)` that may be the start of a terminator. */
function prefixAtEnd(
  bytes: Buffer,
  start: number,
  end: number,
  terminator: Buffer | undefined,
): number {
  let length = Math.min((terminator?.length ?? 1) - 1, end - start);
  while (length > 0 && terminator!.compare(bytes, end - length, end, 0, length) !== 0) length--;
  return length;
}
