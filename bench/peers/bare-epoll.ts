// The least that an epoll server in JavaScript can do: the same three calls through koffi, and no limits, events or
// protocol. It shows how much of Mondo's cost is the way from JavaScript to the kernel. It answers whole questions
// only, so peers.test.ts does not test it, and the bench runs it only if `--only` names it.

import { Epoll } from '../../src/os/epoll.ts';
import { addressOf } from '../../src/os/libc.ts';
import { READABLE } from '../../src/os/readiness.ts';
import {
  acceptNonblocking,
  close,
  localAddress,
  openListener,
  setBlocking,
  tryRecv,
  trySend,
} from '../../src/os/socket.ts';

const QUESTION_MARK = 63;
const answers = new Map(
  Object.entries({ B: 'Ugly.', E: 'Implicit.', S: 'Complex.' }).map(
    ([letter, answer]) => [letter.charCodeAt(0), Buffer.from(answer)] as const,
  ),
);

const unknown = Buffer.from('Error: unknown aphorism.');

const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 4096 });
setBlocking(listener, false);
const epoll = new Epoll();
epoll.register(listener, READABLE);
const address = localAddress(listener);
console.log(`listening 127.0.0.1:${'port' in address ? address.port : 0}`);

const received = Buffer.allocUnsafeSlow(16_384);
const receivedAddress = addressOf(received);
const sent = Buffer.allocUnsafeSlow(65_536);
const sentAddress = addressOf(sent);

for (;;) {
  epoll.wait(-1);
  for (let fd = epoll.next(); fd >= 0; fd = epoll.next()) {
    if (fd === listener) {
      for (let client = 0; client >= 0; ) {
        client = acceptNonblocking(listener);
        if (client >= 0) epoll.register(client, READABLE);
      }
      continue;
    }
    const count = tryRecv(fd, receivedAddress, received.length);
    if (count <= 0) {
      close(fd);
      continue;
    }
    let size = 0;
    let isFirst = true;
    let first = 0;
    for (let at = 0; at < count; at++) {
      const byte = received[at]!;
      if (isFirst) first = byte;
      isFirst = byte === QUESTION_MARK;
      if (!isFirst) continue;
      const answer = answers.get(first) ?? unknown;
      for (let i = 0; i < answer.length; i++) sent[size++] = answer[i]!;
    }
    trySend(fd, sentAddress, size);
  }
}
