import { writeSync } from 'node:fs';
import { afterEach, expect, it, vi } from 'vitest';
import { close, connect, localAddress, openListener } from '../../os/socket.ts';
import type { Bids, Crew } from '../../worker/contract.ts';
import { ReadyProcesses } from './ready-processes.ts';
import { MOST_STARTING, SETTLE_MS } from './thread-cache.ts';

afterEach(() => vi.restoreAllMocks());

const [READY, TOOK] = [1, 2];

/** A super-server whose processes are only what they report, and whose clock is the test's. */
function superServer(cache: number) {
  const listener = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 16 });
  let now = 1000;
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const started: Bids[] = [];
  const crew = {
    listener,
    row: {},
    admission: { hasRoomFor: () => true },
    ready() {},
    startProcess: ({ bids }: { bids: Bids }) => started.push(bids),
  };
  const processes = new ReadyProcesses(crew as unknown as Crew, { most: 0, cache });
  const clients: number[] = [];
  return {
    processes,
    started,
    pass(ms: number) {
      now += ms;
    },
    report(process: number, what: number) {
      const { id, report } = started[process]!;
      writeSync(report, new Uint8Array(Int32Array.of(id, what).buffer));
    },
    come: () => clients.push(connect(localAddress(listener))),
    close() {
      processes.close();
      for (const fd of [listener, ...clients]) close(fd);
      for (const { bid } of started) close(bid);
      if (started[0] !== undefined) close(started[0].report);
    },
  };
}

it('no process starts right after one became free, and some do if none does for a while', () => {
  const { processes, started, pass, report, come, close: end } = superServer(-1);
  const count = MOST_STARTING;
  for (let i = 0; i < count; i++) come();
  while (started.length < count) processes.awaitClient();
  for (let i = 0; i < count; i++) report(i, READY);
  // The one that began to wait last is the first to get a client.
  for (let i = count - 1; i >= 0; i--) {
    while (!processes.awaitClient());
    processes.bid();
    report(i, TOOK);
  }
  // A client waits, and all processes have one.
  for (let i = 0; i < 2; i++) expect(processes.awaitClient()).toBe(false);
  expect(started).toHaveLength(count);
  pass(SETTLE_MS);
  processes.awaitClient();
  expect(started.length).toBeGreaterThan(count);
  end();
});

it('without a cache a process starts for each client at once', () => {
  const { processes, started, report, come, close: end } = superServer(0);
  come();
  while (started.length === 0) processes.awaitClient();
  report(0, READY);
  while (!processes.awaitClient());
  processes.bid();
  report(0, TOOK);
  for (let i = 0; i < 2; i++) processes.awaitClient();
  expect(started).toHaveLength(2);
  end();
});
