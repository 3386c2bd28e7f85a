/**
 * The kernel's data on connections on 127.0.0.1, from sock_diag(7). It returns only the wanted one, while
 * /proc/net/tcp lists all of them: after some ten thousand short connections that takes 100 ms each time.
 */
import { addressOf, check, libc } from '../../src/os/libc.ts';
import { close } from '../../src/os/socket.ts';

const AF_INET = 2;
const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const NETLINK_SOCK_DIAG = 4;
const IPPROTO_TCP = 6;
const SOCK_DIAG_BY_FAMILY = 20;
const NLM_F_REQUEST = 1;
const NLM_F_DUMP = 0x300;
const NLMSG_ERROR = 2;
const NLMSG_DONE = 3;
const TCP_ESTABLISHED = 1;

/** Sizes in bytes: struct nlmsghdr, and with it struct inet_diag_req_v2. */
const HEADER = 16;
const REQUEST = HEADER + 56;

export interface TcpSocket {
  /** The port of the other side. */
  readonly peer: number;
  /** Bytes received and not read yet. */
  readonly unread: number;
  /** Bytes that the other side has not acknowledged. */
  readonly unacknowledged: number;
  /** 0 until a process has accepted it. */
  readonly inode: number;
}

function requestOf(local: number, remote: number, states: number, flags: number): Buffer {
  const request = Buffer.alloc(REQUEST);
  request.writeUInt32LE(REQUEST, 0);
  request.writeUInt16LE(SOCK_DIAG_BY_FAMILY, 4);
  request.writeUInt16LE(NLM_F_REQUEST | flags, 6);
  request[HEADER] = AF_INET;
  request[HEADER + 1] = IPPROTO_TCP;
  request.writeUInt32LE(states, HEADER + 4);
  request.writeUInt16BE(local, HEADER + 8);
  request.writeUInt16BE(remote, HEADER + 10);
  request.set([127, 0, 0, 1], HEADER + 12);
  request.set([127, 0, 0, 1], HEADER + 28);
  // No cookie: any socket of that address.
  request.fill(0xff, HEADER + 48, HEADER + 56);
  return request;
}

/** The struct inet_diag_msg at `at`. */
const socketAt = (reply: Buffer, at: number): TcpSocket => ({
  peer: reply.readUInt16BE(at + 6),
  unread: reply.readUInt32LE(at + 56),
  unacknowledged: reply.readUInt32LE(at + 60),
  inode: reply.readUInt32LE(at + 68),
});

function ask(request: Buffer): TcpSocket[] {
  const fd = check('socket', libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  const reply = Buffer.allocUnsafeSlow(65_536);
  const isDump = (request.readUInt16LE(6) & NLM_F_DUMP) !== 0;
  try {
    check('send', libc.send(fd, addressOf(request), request.length, 0));
    const sockets: TcpSocket[] = [];
    do {
      const count = check('recv', libc.recv(fd, addressOf(reply), reply.length, 0));
      for (let at = 0; at < count; at += (reply.readUInt32LE(at) + 3) & ~3) {
        const type = reply.readUInt16LE(at + 4);
        if (type === NLMSG_DONE || type === NLMSG_ERROR) return sockets;
        sockets.push(socketAt(reply, at + HEADER));
      }
    } while (isDump);
    return sockets;
  } finally {
    close(fd);
  }
}

/** The connected socket with this local and this remote port of 127.0.0.1, if there is one. */
export const tcpSocket = (local: number, remote: number): TcpSocket | undefined =>
  // If there is none, the kernel returns the listener.
  ask(requestOf(local, remote, -1 >>> 0, 0)).find(({ peer }) => peer === remote);

/** All connected sockets at that port of 127.0.0.1. */
export const tcpSocketsAt = (local: number): TcpSocket[] =>
  ask(requestOf(local, 0, 1 << TCP_ESTABLISHED, NLM_F_DUMP));
