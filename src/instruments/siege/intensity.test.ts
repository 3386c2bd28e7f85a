import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { crowd, storm, type Target } from './hostile.ts';
import { AtOnce, InTotal, isEnough } from './intensity.ts';
import { payload } from './peer.ts';

const bytes = payload('x'.repeat(2 ** 20));

/** A server that calls `act` for each connection, and reads nothing. */
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

describe('a unit that is counted at once', () => {
  it('takes the highest moment, not the sum', () => {
    const count = new AtOnce(100);
    for (let i = 0; i < 10; i++) count.note(40, 0);
    count.note(60, 0);
    count.note(20, 0);
    expect(count.force).toEqual({ reached: 60, prevented: 0, wanted: 100 });
  });

  it('counts the connections that the server closed as prevented', () => {
    const count = new AtOnce(100);
    count.note(80, 0);
    count.note(30, 70);
    count.note(90, 5);
    expect(count.force).toEqual({ reached: 30, prevented: 70, wanted: 100 });
    // An equal total, but more of it was reached.
    count.note(60, 40);
    expect(count.force).toEqual({ reached: 60, prevented: 40, wanted: 100 });
  });
});

describe('a unit that adds up', () => {
  it('is planned by elapsed time, with or without work', () => {
    const count = new InTotal(1000);
    count.pass(1500);
    count.did(600);
    expect(count.force).toEqual({ reached: 600, prevented: 0, wanted: 1500 });
    count.prevented(500);
    expect(count.force).toEqual({ reached: 600, prevented: 500, wanted: 1500 });
  });

  it('never exceeds the plan', () => {
    const count = new InTotal(1000);
    count.pass(1000);
    count.did(900);
    count.prevented(900);
    expect(count.force).toEqual({ reached: 900, prevented: 100, wanted: 1000 });
  });
});

it('an attack is strong enough at nine tenths of its plan, including the prevented part', () => {
  const enough = (reached: number, prevented: number, wanted = 100) =>
    isEnough({ reached, prevented, wanted, unit: 'resets', wrong: 0 });
  expect(enough(90, 0)).toBe(true);
  expect(enough(10, 80)).toBe(true);
  expect(enough(89, 0)).toBe(false);
  expect(enough(10, 79)).toBe(false);
  // An attack that has not begun is not enough.
  expect(enough(0, 0, 0)).toBe(false);
});

describe('a group of hostile peers', () => {
  const target = (port: number): Target => ({ port, crowd: 100, rate: 200, pids: () => [] });

  it('that comes and goes was never all connected at once', async () => {
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
    await until('twice the planned number of connections', () => came >= 200);
    const { reached, prevented, wanted } = running.intensity();
    await running.stop();
    expect(wanted).toBe(100);
    expect(reached + prevented).toBeLessThan(90);
  });

  it('that the server closes counts as prevented, up to its size', async () => {
    await using server = await listening((socket) => socket.destroy());
    const running = await crowd(target(server.port), 100, {
      unit: 'connections at once',
      act(peer) {
        peer.receive();
        peer.did = 1;
      },
    });
    const intensity = await until('the server to close all peers', () => {
      const now = running.intensity();
      return now.prevented > 0 && isEnough(now) && now;
    });
    await running.stop();
    expect(intensity.reached + intensity.prevented).toBeLessThanOrEqual(100);
  });

  it('is prevented from sending by a server that takes no more, not by its own pauses', async () => {
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
    // More than the buffers of both kernels hold.
    const kept = await until('the server to be full, and the missing part to equal it', () => {
      const now = staying.intensity();
      return now.wanted > 100 * 2 ** 20 && isEnough(now) && now;
    });
    await staying.stop();
    expect(kept.reached).toBeGreaterThan(0);
    expect(kept.prevented).toBeGreaterThan(0);

    const leaving = await flood(1);
    await until('the plan to exceed that', () => leaving.intensity().wanted > 100 * 2 ** 20);
    const lazy = leaving.intensity();
    await leaving.stop();
    expect(isEnough(lazy)).toBe(false);
  });

  it('that no server answers does no work, and none is prevented', async () => {
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
