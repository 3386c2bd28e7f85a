/**
 * Which worker gets the next client? The same connections, one after the other, to four workers, for each way
 * in which workers can share a port. Prints how the connections were distributed. A count, not a speed.
 */
import { once } from 'node:events';
import { connect } from 'node:net';
import { styleText } from 'node:util';
import { type ServeOptions, serve } from '../src/index.ts';

const CONNECTIONS = 2000;
const WORKERS = 4;

const ways: readonly (readonly [string, ServeOptions])[] = [
  ['prefork: blocking accept, one listener', { architecture: 'prefork', processes: WORKERS }],
  ['threaded: blocking accept, one listener', { architecture: 'threaded', threads: WORKERS }],
  ['epoll: one listener', { architecture: 'epoll', processes: WORKERS }],
  [
    'epoll: one listener, EPOLLEXCLUSIVE',
    { architecture: 'epoll', processes: WORKERS, exclusive: true },
  ],
  ['epoll: SO_REUSEPORT', { architecture: 'epoll', processes: WORKERS, reuseport: true }],
  ['uring: multishot accept, one listener', { architecture: 'uring', processes: WORKERS }],
  ['uring: SO_REUSEPORT', { architecture: 'uring', processes: WORKERS, reuseport: true }],
  ["callback: one listener, Node's loop", { architecture: 'callback', processes: WORKERS }],
  ['callback: SO_REUSEPORT', { architecture: 'callback', processes: WORKERS, reuseport: true }],
];

console.log(`${CONNECTIONS} connections, one after the other, to ${WORKERS} workers`);
for (const [title, options] of ways) {
  const server = await serve({ ...options, port: 0 });
  const { port } = server.address as { port: number };
  const served = () => server.workers().reduce((sum, { accepted }) => sum + accepted, 0);
  for (let i = 0; i < CONNECTIONS; i++) {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    socket.destroy();
    await once(socket, 'close');
  }
  const deadline = Date.now() + 10_000;
  while (served() < CONNECTIONS && Date.now() < deadline) await new Promise(setImmediate);
  const counts = server.workers().map(({ accepted }) => accepted);
  const shares = counts.toSorted((a, b) => b - a).join(' / ');
  console.log(`${title.padEnd(42)} ${styleText('bold', shares, { stream: process.stdout })}`);
  await server.close();
}
