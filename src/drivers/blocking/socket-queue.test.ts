import { afterEach, describe, expect, it, vi } from 'vitest';
import { SocketQueue } from './socket-queue.ts';

const client = (socket: number) => ({ socket, peer: `127.0.0.1:${socket}` });
const never = () => false;
afterEach(() => vi.restoreAllMocks());

/** Calls `then` once, right after the first lock is given back: what another thread may do at that moment. */
function afterFirstLook(then: () => void): void {
  const { exchange } = Atomics;
  let isFirst = true;
  vi.spyOn(Atomics, 'exchange').mockImplementation((...words: Parameters<typeof exchange>) => {
    const old = exchange(...words);
    if (isFirst) {
      isFirst = false;
      then();
    }
    return old as never;
  });
}

/** Longest wait of the test, in ms, for a thread that would sleep for ever. */
const SHORT = 100;

describe('a queue of sockets', () => {
  it('gives them in the order in which they were put, and nothing once it is closed and empty', () => {
    const queue = SocketQueue.create(2);
    const other = new SocketQueue(queue.memory);
    expect([queue.put(client(1), never), queue.put(client(2), never)]).toEqual([true, true]);
    expect(queue.put(client(3), () => true)).toBe(false);
    expect(other.take()).toEqual(client(1));
    expect(queue.put(client(3), never)).toBe(true);
    queue.close();
    expect([other.take(), other.take(), other.take()]).toEqual([client(2), client(3), undefined]);
    expect(other.length).toBe(0);
  });

  it('loses no socket that is put, and the queue closed, right after a thread found it empty', () => {
    const queue = SocketQueue.create(4);
    afterFirstLook(() => {
      queue.put(client(1), never);
      queue.close();
    });
    expect(queue.take()).toEqual(client(1));
    expect(queue.take()).toBeUndefined();
  });

  it('lets no thread sleep that found it empty before another took the last socket of a closed one', () => {
    const queue = SocketQueue.create(4);
    const wait = Atomics.wait as (words: Int32Array, at: number, old: number, ms: number) => string;
    const waits: string[] = [];
    const spy = (words: Int32Array, at: number, old: number) => {
      if (waits.length === 0) {
        queue.put(client(1), never);
        queue.close();
        expect(queue.take()).toEqual(client(1));
      }
      waits.push(wait(words, at, old, SHORT));
      return waits.at(-1);
    };
    vi.spyOn(Atomics, 'wait').mockImplementation(spy as typeof Atomics.wait);
    expect(queue.take()).toBeUndefined();
    expect(waits).toEqual(['not-equal']);
  });
});
