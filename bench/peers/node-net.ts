// Node's own network library, used with care: one callback per chunk, one write for all its answers. libuv
// waits in epoll and makes the system calls. The extra cost over C is the way from there to this callback and
// back.

import { type AddressInfo, createServer, type Socket } from 'node:net';

const answers = new Map([
  ['Beautiful is better than?', 'Ugly.'],
  ['Explicit is better than?', 'Implicit.'],
  ['Simple is better than?', 'Complex.'],
]);
const unknown = 'Error: unknown aphorism.';
const longest = Math.max(...[...answers.keys()].map((question) => question.length));

function converse(socket: Socket): void {
  let unfinished = '';

  socket.on('data', (chunk: Buffer) => {
    const text = chunk.toString('latin1');
    let reply = '';
    let start = 0;
    for (let mark = text.indexOf('?'); mark !== -1; mark = text.indexOf('?', start)) {
      const question = unfinished + text.slice(start, mark + 1);
      reply += answers.get(question) ?? unknown;
      unfinished = '';
      start = mark + 1;
    }
    // A question that is too long to be known may continue, but it need not be kept.
    if (start < text.length && unfinished.length <= longest) unfinished += text.slice(start);
    if (reply !== '' && !socket.write(reply, 'latin1')) socket.pause();
  });
  socket.on('drain', () => socket.resume());
  socket.on('error', () => socket.destroy());
}

const [host, port] = process.argv.slice(2);
if (host === undefined || port === undefined) {
  console.error('usage: node node-net.ts HOST PORT');
  process.exit(2);
}
// A client that half-closes still gets its answers: Node ends the socket only after the written bytes.
const server = createServer({ noDelay: true }, converse);
server.listen({ host, port: Number(port), backlog: 4096 }, () => {
  console.log(`listening ${host}:${(server.address() as AddressInfo).port}`);
});
