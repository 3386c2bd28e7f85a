import { availableParallelism } from 'node:os';
import { describe, expect, it, vi } from 'vitest';
import { ThreadCache } from './thread-cache.ts';

const client = (socket: number) => ({ socket, peer: `127.0.0.1:${socket}` });
const never = () => false;
const mostStarting = Math.max(2, availableParallelism());

describe('a thread cache', () => {
  it('asks for a thread for each client that waits, a few at a time', () => {
    const cache = ThreadCache.create(-1);
    expect(cache.claimStart()).toBe(false);
    for (let i = 1; i <= 8; i++) cache.give(client(i), never);
    let claimed = 0;
    while (cache.claimStart()) claimed++;
    expect(claimed).toBe(mostStarting);
    cache.started();
    expect(cache.claimStart()).toBe(true);
  });

  it('gives clients in the order in which they came, to any thread that asks', () => {
    const cache = ThreadCache.create(-1);
    const other = new ThreadCache(cache.memory);
    for (let i = 1; i <= 3; i++) cache.give(client(i), never);
    const place = other.takePlace();
    for (let i = 1; i <= 3; i++) {
      expect(other.take(place, i > 1)).toEqual({ ...client(i), hasWaited: true });
    }
    cache.close();
    expect(other.take(place, true)).toBeUndefined();
  });

  it('asks for no thread if enough threads are starting', () => {
    const cache = ThreadCache.create(-1);
    cache.give(client(1), never);
    expect(cache.claimStart()).toBe(true);
    expect(cache.claimStart()).toBe(false);
  });

  it('asks again for a thread that could not be started, unless another has taken its client', () => {
    const cache = ThreadCache.create(-1);
    cache.give(client(1), never);
    expect(cache.claimStart()).toBe(true);
    cache.started();
    expect(cache.claimStart()).toBe(true);
    expect(cache.take(cache.takePlace(), false)).toMatchObject(client(1));
    cache.started();
    expect(cache.claimStart()).toBe(false);
  });

  it('has room again once a client is finished', () => {
    const cache = ThreadCache.create(-1);
    cache.give(client(1), never);
    const place = cache.takePlace();
    cache.take(place, false);
    let looks = 0;
    cache.waitForRoom(1, () => ++looks > 1);
    expect(looks).toBe(2);
    cache.close();
    cache.take(place, true);
    cache.waitForRoom(1, () => expect.unreachable());
  });

  it('has room for a thread that waits, although as many as permitted exist', () => {
    const cache = ThreadCache.create(-1);
    for (const socket of [1, 2]) {
      cache.give(client(socket), never);
      expect(cache.claimStart()).toBe(true);
    }
    const [first, second] = [cache.takePlace(), cache.takePlace()];
    cache.started();
    // The first thread serves both clients, and the second one is still starting.
    cache.take(first, false);
    cache.take(first, true);
    let looks = 0;
    cache.waitForRoom(2, () => ++looks > 1);
    expect(looks).toBe(2);
    cache.started();
    const sleep = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      cache.waitForRoom(2, () => expect.unreachable());
      cache.give(client(3), never);
      return 'ok';
    });
    try {
      expect(cache.take(second, false)).toMatchObject(client(3));
    } finally {
      sleep.mockRestore();
    }
  });

  it('has no room while a thread that ends, or that starts for nothing, still exists', () => {
    const cache = ThreadCache.create(0);
    cache.give(client(1), never);
    cache.claimStart();
    cache.started();
    const place = cache.takePlace();
    cache.take(place, false);
    expect(cache.take(place, true)).toBeUndefined();
    let looks = 0;
    cache.waitForRoom(1, () => ++looks > 1);
    expect(looks).toBe(2);
    cache.ended();
    cache.waitForRoom(1, () => expect.unreachable());
  });

  it('of size 0 gives no thread a second client', () => {
    const cache = ThreadCache.create(0);
    cache.give(client(1), never);
    cache.give(client(2), never);
    const place = cache.takePlace();
    expect(cache.take(place, false)).toMatchObject(client(1));
    expect(cache.take(place, true)).toBeUndefined();
    expect(cache.take(cache.takePlace(), false)).toMatchObject(client(2));
  });

  it('gives up if there is no room for more clients and no time left', () => {
    const cache = ThreadCache.create(-1);
    let given = 0;
    while (cache.give(client(given), () => true)) given++;
    expect(given).toBe(8);
  });

  it('knows which clients were taken since, once threads take more than one', () => {
    const cache = ThreadCache.create(-1);
    cache.give(client(1), never);
    // The first has a thread started at once.
    expect(cache.lastQueued).toBeUndefined();
    const place = cache.takePlace();
    cache.take(place, false);
    cache.give(client(2), never);
    const second = cache.lastQueued!;
    cache.give(client(3), never);
    const third = cache.lastQueued!;
    expect([cache.isTaken(second), cache.isTaken(third)]).toEqual([false, false]);
    cache.take(place, true);
    expect([cache.isTaken(second), cache.isTaken(third)]).toEqual([true, false]);
    cache.take(place, true);
    expect([cache.isTaken(second), cache.isTaken(third)]).toEqual([true, true]);
  });

  it('of 0 lets no client wait for a thread that finishes', () => {
    const cache = ThreadCache.create(0);
    cache.give(client(1), never);
    cache.take(cache.takePlace(), false);
    cache.give(client(2), never);
    expect(cache.lastQueued).toBeUndefined();
  });

  it('lets a thread wait on that is woken for a client which it has served already', () => {
    const cache = ThreadCache.create(-1);
    let wakes = 0;
    const wake = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      if (++wakes === 2) cache.give(client(1), never);
      return 'ok';
    });
    try {
      expect(cache.take(cache.takePlace(), false)).toMatchObject(client(1));
    } finally {
      wake.mockRestore();
    }
    expect(wakes).toBe(2);
  });

  it('gives the places of threads that have ended to others', () => {
    const cache = ThreadCache.create(-1);
    const places = [cache.takePlace(), cache.takePlace()];
    expect(new Set(places).size).toBe(2);
    cache.freePlace(places[0]!);
    expect(cache.takePlace()).toBe(places[0]);
    expect(cache.takePlace()).not.toBe(places[1]);
  });
});
