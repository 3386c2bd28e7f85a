/** The kernel's table of TCP sockets, /proc/net/tcp: one read lists those of the whole machine. proc(5) */
import { readFileSync } from 'node:fs';

/** States of a socket in the table. */
export const TCP = { established: 1, closeWait: 8, listen: 10 } as const;

/** A socket whose local port was asked for. */
export interface TcpRow {
  readonly state: number;
  /** Address of the peer, as text; IPv4 only: `''` for IPv6. */
  readonly peer: string;
  readonly peerPort: number;
  /** Bytes received that the program has not read. For a listener: clients in its accept queue. */
  readonly received: number;
  /** 0: no process has it, as for a connection in the accept queue. */
  readonly inode: number;
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    // Without IPv6, /proc/net/tcp6 does not exist.
    return '';
  }
};

/** All sockets with that local port, of IPv4 and then of IPv6. */
export const tcpRowsAt = (port: number): TcpRow[] =>
  ['/proc/net/tcp', '/proc/net/tcp6'].flatMap((file) => parsedRows(read(file), port));

/** The rows with that local port in the text of such a table. */
export function parsedRows(text: string, port: number): TcpRow[] {
  const local = `:${port.toString(16).toUpperCase().padStart(4, '0')} `;
  const rows: TcpRow[] = [];
  for (const line of text.split('\n')) {
    // Most lines are of other ports: look before the costly part.
    if (!line.includes(local)) continue;
    const [, own, remote, state, queues, , , , , inode] = line.trim().split(/\s+/);
    if (inode === undefined || !`${own} `.endsWith(local)) continue;
    const [address, peerPort] = remote!.split(':');
    rows.push({
      state: Number.parseInt(state!, 16),
      peer: addressOf(address!),
      peerPort: Number.parseInt(peerPort!, 16),
      received: Number.parseInt(queues!.split(':')[1]!, 16),
      inode: Number(inode),
    });
  }
  return rows;
}

/** The kernel writes the four bytes as one number of the machine, which has its lowest byte first. */
function addressOf(hex: string): string {
  if (hex.length !== 8) return '';
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join('.');
}
