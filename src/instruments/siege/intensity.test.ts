import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { crowd, storm, type Target } from './hostile.ts';
import { AtOnce, InTotal, isEnough } from './intensity.ts';
import { payload } from './peer.ts';

const bytes = payload('x'.repeat(2 ** 20));

/** A server that does so with whoever comes, and reads nothing. */
async function listening(meet: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    sockets.add(socket.on('error', () => {}));
    meet(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await once(server.close(), 'close');
    },
  };
}

describe('what is counted at once', () => {
  it('is the best moment, and not the sum of all', () => {
    const count = new AtOnce(100);
    for (let i = 0; i < 10; i++) count.note(40, 0);
    count.note(60, 0);
    count.note(20, 0);
    expect(count.force).toEqual({ reached: 60, prevented: 0, wanted: 100 });
  });

  it('has the places that the server has vacated beside it', () => {
    const count = new AtOnce(100);
    count.note(80, 0);
    count.note(30, 70);
    count.note(90, 5);
    expect(count.force).toEqual({ reached: 30, prevented: 70, wanted: 100 });
    // As strong a moment, and more of it the attack's own.
    count.note(60, 40);
    expect(count.force).toEqual({ reached: 60, prevented: 40, wanted: 100 });
  });
});

describe('what adds up', () => {
  it('is wanted by the time that has passed, whether or not anything was done in it', () => {
    const count = new InTotal(1000);
    count.pass(1500);
    count.did(600);
    expect(count.force).toEqual({ reached: 600, prevented: 0, wanted: 1500 });
    count.prevented(500);
    expect(count.force).toEqual({ reached: 600, prevented: 500, wanted: 1500 });
  });

  it('is never more than was wanted', () => {
    const count = new InTotal(1000);
    count.pass(1000);
    count.did(900);
    count.prevented(900);
    expect(count.force).toEqual({ reached: 900, prevented: 100, wanted: 1000 });
  });
});

it('an attack is enough where it is nine tenths of what was meant, with what the server prevented', () => {
  const enough = (reached: number, prevented: number, wanted = 100) =>
    isEnough({ reached, prevented, wanted, unit: 'resets', wrong: 0 });
  expect(enough(90, 0)).toBe(true);
  expect(enough(10, 80)).toBe(true);
  expect(enough(89, 0)).toBe(false);
  expect(enough(10, 79)).toBe(false);
  // One that has not begun is none.
  expect(enough(0, 0, 0)).toBe(false);
});

describe('a mob', () => {
  const target = (port: number): Target => ({ port, crowd: 100, rate: 200, pids: () => [] });

  it('that comes and goes was not there at once', async () => {
    await using server = await listening(() => {});
    let came = 0;
    const running = await crowd(target(server.port), 100, {
      unit: 'connections at once',
      act(peer) {
        if (peer.age === 0) came++;
        peer.did = 1;
        if (peer.age === 1) peer.leave();
      },
    });
    await until('twice as many to have come as are wanted', () => came >= 200);
    const { reached, prevented, wanted } = running.intensity();
    await running.stop();
    expect(wanted).toBe(100);
    expect(reached + prevented).toBeLessThan(90);
  });

  it('that the server sends away was prevented by it, and no more than there were places', async () => {
    await using server = await listening((socket) => socket.destroy());
    const running = await crowd(target(server.port), 100, {
      unit: 'connections at once',
      act(peer) {
        peer.receive();
        peer.did = 1;
      },
    });
    const intensity = await until('all places to be vacated', () => {
      const now = running.intensity();
      return now.prevented > 0 && isEnough(now) && now;
    });
    await running.stop();
    expect(intensity.reached + intensity.prevented).toBeLessThanOrEqual(100);
  });

  it('is not kept from sending by itself, but by a server that takes no more', async () => {
    await using server = await listening(() => {});
    const flood = (leavesAt: number) =>
      crowd(target(server.port), 4, {
        unit: 'bytes',
        perLook: bytes.length,
        act(peer) {
          peer.did += peer.send(bytes);
          if (peer.age === leavesAt) peer.leave();
        },
      });
    const staying = await flood(Number.POSITIVE_INFINITY);
    // More than both kernels keep.
    const kept = await until('the server to be full, and that to be what is missing', () => {
      const now = staying.intensity();
      return now.wanted > 100 * 2 ** 20 && isEnough(now) && now;
    });
    await staying.stop();
    expect(kept.reached).toBeGreaterThan(0);
    expect(kept.prevented).toBeGreaterThan(0);

    const leaving = await flood(1);
    await until('as much to be wanted', () => leaving.intensity().wanted > 100 * 2 ** 20);
    const lazy = leaving.intensity();
    await leaving.stop();
    expect(isEnough(lazy)).toBe(false);
  });

  it('that nobody answers did nothing, and nothing was prevented', async () => {
    const closed = await listening(() => {});
    await closed[Symbol.asyncDispose]();
    for (const start of [crowd, storm]) {
      const running = await start(target(closed.port), 100, {
        unit: 'bytes',
        act: (peer) => {
          peer.did = Number(peer.send(bytes) > 0);
        },
      });
      expect(running.intensity()).toMatchObject({ reached: 0, prevented: 0 });
      expect(isEnough(running.intensity())).toBe(false);
      await running.stop();
    }
  });
});
