/** The thread of a blocking client. It runs one command after the other, and sleeps in the kernel during each. */
import { parentPort } from 'node:worker_threads';
import { addressText, encodeAddress, type SocketAddress } from '../../src/os/address.ts';
import { addressOf, check, libc } from '../../src/os/libc.ts';
import {
  bindListener,
  close,
  connect,
  localAddress,
  recv,
  send,
  setReceiveTimeout,
} from '../../src/os/socket.ts';

export type Command =
  | {
      readonly call: 'connect';
      readonly address: SocketAddress;
      readonly from: SocketAddress | undefined;
      readonly patience: number;
    }
  | { readonly call: 'send'; readonly bytes: Uint8Array }
  | { readonly call: 'receive'; readonly count: number }
  | { readonly call: 'wake' | 'rest' | 'end' | 'reset' | 'close' };

export interface Reply {
  readonly text?: string;
  readonly error?: string;
}

const SHUT_WR = 1;
const SOL_SOCKET = 1;
const SO_LINGER = 13;

let fd = -1;
const room = Buffer.allocUnsafeSlow(65_536);
const roomAddress = addressOf(room);

function connectFrom(from: SocketAddress, to: SocketAddress): number {
  const socket = bindListener(from);
  const bytes = encodeAddress(to);
  check('connect', libc.connect(socket, bytes, bytes.length));
  return socket;
}

/** Receives until `count` bytes are there or the stream ends. */
function receive(count: number): string {
  let text = '';
  while (text.length < count) {
    const got = recv(fd, roomAddress, Math.min(room.length, count - text.length));
    if (got < 0)
      throw new Error(`Waited for ${count} bytes and have ${JSON.stringify(text.slice(-200))}`);
    if (got === 0) break;
    text += room.toString('latin1', 0, got);
  }
  return text;
}

function run(command: Command): string {
  switch (command.call) {
    case 'connect':
      fd =
        command.from === undefined
          ? connect(command.address)
          : connectFrom(command.from, command.address);
      // Without a time-out, a server that does not answer would block this thread, and the test, for ever.
      setReceiveTimeout(fd, command.patience);
      return addressText(localAddress(fd));
    case 'send': {
      const bytes = Buffer.from(command.bytes);
      const address = addressOf(bytes);
      for (let sent = 0; sent < bytes.length; ) {
        const count = send(fd, address + sent, bytes.length - sent);
        if (count > 0) sent += count;
      }
      return '';
    }
    case 'receive': {
      const text = receive(command.count);
      if (text.length === command.count) return text;
      throw new Error(
        `The stream ended ${command.count - text.length} bytes early; last: ${JSON.stringify(text.slice(-200))}`,
      );
    }
    case 'rest':
      return receive(Number.POSITIVE_INFINITY);
    case 'wake':
      return '';
    case 'end':
      check('shutdown', libc.shutdown(fd, SHUT_WR));
      return '';
    case 'reset':
      // struct linger: on, after 0 seconds.
      check(
        'setsockopt',
        libc.setsockopt(fd, SOL_SOCKET, SO_LINGER, Buffer.from(new Int32Array([1, 0]).buffer), 8),
      );
      close(fd);
      return '';
    case 'close':
      close(fd);
      return '';
  }
}

parentPort!.on('message', (command: Command) => {
  let reply: Reply;
  try {
    reply = { text: run(command) };
  } catch (error) {
    reply = { error: error instanceof Error ? error.message : String(error) };
  }
  parentPort!.postMessage(reply);
});
