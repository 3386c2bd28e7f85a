import { afterEach, describe, expect, it } from 'vitest';
import { accept, close, connect, localAddress, openListener } from './socket.ts';
import { parsedRows, TCP, tcpRowsAt } from './tcp-table.ts';

const text = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:A349 00000000:0000 0A 00000000:00000003 00:00000000 00000000     0        0 5177 1 0 100 0 0 10 0
   1: 0100007F:A349 0300027F:D431 01 00000000:00000016 00:00000000 00000000     0        0 0 1 0 20 4 30 10 -1
   2: 0300027F:D431 0100007F:A349 01 00000000:00000000 00:00000000 00000000     0        0 5180 1 0 20 4 30 10 -1
   3: 0100007F:A34`;

describe('the table of TCP sockets', () => {
  it('is read line by line, for one local port; a line that is cut off is left out', () => {
    expect(parsedRows(text, 0xa349)).toEqual([
      { state: TCP.listen, peer: '0.0.0.0', peerPort: 0, received: 3, inode: 5177 },
      { state: TCP.established, peer: '127.2.0.3', peerPort: 0xd431, received: 22, inode: 0 },
    ]);
    expect(parsedRows(text, 1)).toEqual([]);
  });

  let open: number[] = [];
  afterEach(() => {
    for (const fd of open) close(fd);
    open = [];
  });

  it('has the connections of a listener, with an inode once they are accepted', () => {
    const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 8 });
    const address = localAddress(listener);
    open = [listener, connect(address), connect(address)];
    const { port } = address as { port: number };
    const waiting = () =>
      tcpRowsAt(port).filter(({ state, inode }) => state === TCP.established && inode === 0);
    expect(waiting()).toHaveLength(2);
    open.push(accept(listener));
    expect(waiting()).toMatchObject([{ peer: '127.0.0.1', received: 0 }]);
    const [row] = tcpRowsAt(port).filter(({ state }) => state === TCP.listen);
    expect(row).toMatchObject({ received: 1 });
  });
});
