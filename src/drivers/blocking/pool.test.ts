import { expect, it } from 'vitest';
import { noteLength } from './pool.ts';
import { SocketQueue } from './socket-queue.ts';

it('the last length that is noted is true, also if another thread takes a client and notes it in between', () => {
  const queue = SocketQueue.create(4);
  for (const socket of [1, 2]) queue.put({ socket, peer: `127.0.0.1:${socket}` }, () => false);
  const noted: number[] = [];
  noteLength(queue, {
    noteQueued(length) {
      if (noted.length === 0) {
        queue.take();
        noted.push(queue.length);
      }
      noted.push(length);
    },
  });
  expect(noted).toEqual([1, 2, 1]);
});
