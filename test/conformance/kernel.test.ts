/** Each architecture does what it declares, as the kernel sees it: /proc, and strace if it is installed. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, realpathSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import type { ArchitectureName } from '../../src/architectures/catalogue.ts';
import type { ServeOptions } from '../../src/host/plan.ts';
import { ask, type Client, NetClient } from '../support/clients.ts';
import { countIn, descendantsOf, descriptorsOf, threadsOf } from '../support/kernel.ts';
import { hasProgram } from '../support/programs.ts';
import { inheritedHere } from '../support/services/starts-program.ts';
import { drivers, oneServing, representatives, Serving } from '../support/serving.ts';
import { staysPending, steady, until } from '../support/until.ts';

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';

let serving: Serving | undefined;
let clients: Client[] = [];

afterEach(async () => {
  await Promise.all(clients.map((client) => client.close()));
  clients = [];
  await serving?.stop();
  serving = undefined;
});

const service = new URL('../support/services/starts-program.ts', import.meta.url);
// The program that started this process may have left it a descriptor that all of its children inherit.
const inherited = `${inheritedHere()}.`;

async function start(options: ServeOptions): Promise<Serving> {
  serving = await Serving.start({ ...options, service });
  return serving;
}

/** A client that was answered, and is silent after that. */
async function silentClient({ address }: Serving): Promise<Client> {
  const client = await NetClient.connect(address);
  clients.push(client);
  expect(await ask(client, QUESTION, ANSWER.length)).toBe(ANSWER);
  return client;
}

/** Waits until exactly `count` threads of the server sleep in that call. */
async function expectAsleep(count: number, call: string, { processes }: Serving): Promise<void> {
  await until(`${count} threads in ${call}`, () => countIn(call, processes) === count).catch(
    () => {},
  );
  expect(countIn(call, processes), `threads in ${call}`).toBe(count);
}

/**
 * Checks what the scoreboard shows of a server with one client, and that a program which its service starts inherits
 * nothing of the server's.
 *
 * @param state of the worker that has the client, which is silent; undefined if the scoreboard has no row for it
 */
async function expectShownAndInherited(server: Serving, state: string | undefined): Promise<void> {
  const client = await silentClient(server);
  expect(await ask(client, 'Which?', inherited.length)).toBe(inherited);
  if (state !== undefined) {
    await until('one open conversation', () => {
      const readings = server.server.workers();
      const open = readings.reduce((sum, reading) => sum + reading.open, 0);
      return open === 1 && readings.find((reading) => reading.open > 0)?.state === state;
    });
  }
  // A thread or process of an earlier client may end between the two looks.
  await until('each row to be of a thread that runs', () =>
    server.server
      .workers()
      .every(({ pid, tid }) => server.processes.includes(pid) && threadsOf(pid).includes(tid)),
  );
}

const SHOWN =
  'shows what its workers do; a program that its service starts inherits nothing of theirs';

const hasStrace = hasProgram('strace', 'strace');

/** The system calls that the server's workers make while one client comes, asks and leaves. */
async function callsOf(server: Serving, calls: readonly string[]): Promise<Map<string, number>> {
  const pids = server.processes.flatMap((pid) => ['-p', String(pid)]);
  // strace skips a name with a question mark that this machine's architecture does not have.
  const set = `trace=${calls.map((call) => `?${call}`).join(',')}`;
  const strace = spawn('strace', ['-f', '-e', set, ...pids], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const exit = once(strace, 'exit');
  let text = '';
  strace.stderr.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  try {
    await until('strace to be attached', () => {
      const attached = new Set(
        [...text.matchAll(/^strace: Process (\d+) attached/gm)].map((m) => m[1]),
      );
      return server.processes.every((pid) => attached.has(String(pid)));
    });
    const client = await silentClient(server);
    await client.close();
    await server.expectAccount(client.peer, ['accepted', 'closed']);
    // Its last call is the one in which it waits for the next client.
    await steady('the output of strace', () => text.length);
  } finally {
    strace.kill('SIGINT');
    await exit;
  }
  const counts = new Map<string, number>();
  for (const [, name] of text.matchAll(/^(?:\[pid +\d+\] )?(\w+)\(/gm)) {
    counts.set(name!, (counts.get(name!) ?? 0) + 1);
  }
  return counts;
}

const waits = ['select', 'pselect6', 'poll', 'ppoll', 'epoll_wait', 'epoll_pwait', 'accept4'];
// Threads that do not serve may wait in any call: Node's own loop waits in epoll.
const mayBeNode = /^epoll_p?wait$/;

/** Checks that a server waits for its clients in the call `wait`, and in no other. */
async function expectWaits(server: Serving, wait: RegExp): Promise<void> {
  const calls = await callsOf(server, [...waits, 'recvfrom']);
  const used = [...calls.keys()].filter((call) => waits.includes(call));
  const waited = used.filter((call) => wait.test(call));
  expect(waited.length, `${[...calls.keys()]}`).toBeGreaterThan(0);
  const isLoop = !wait.test('accept4');
  // An accept is not a wait if another call has reported that a client waits.
  const strange = used.filter(
    (call) => !wait.test(call) && !mayBeNode.test(call) && !(isLoop && call === 'accept4'),
  );
  expect(strange).toEqual([]);
}

const blocking = representatives.filter(({ traits }) => traits.ioModel === 'blocking calls');

describe.each(blocking.filter(({ traits }) => traits.arrangement === 'alone'))('$title', ({
  options,
  capacity,
  traits,
}) => {
  const running = oneServing({ ...options, service });

  it(SHOWN, async () => expectShownAndInherited(await running(), 'receiving'));

  it(`sleeps in accept4 with ${capacity} threads in total, and in recvfrom with one for each silent client`, async () => {
    const server = await running();
    const processes = options.processes ?? traits.processes.default;
    expect(server.server.pids).toHaveLength(processes);
    expect(server.processes).toHaveLength(processes);
    await expectAsleep(capacity, 'accept4', server);
    await expectAsleep(0, 'recvfrom', server);
    for (let i = 1; i <= capacity; i++) {
      await silentClient(server);
      await expectAsleep(i, 'recvfrom', server);
      await expectAsleep(capacity - i, 'accept4', server);
    }
    await clients[0]!.close();
    await expectAsleep(1, 'accept4', server);
  });

  it.skipIf(!hasStrace || capacity > 1)(
    'makes only the calls accept4 and recvfrom to wait',
    async () => {
      await expectWaits(await running(), /^(accept4|recvfrom)$/);
    },
  );

  it.runIf(traits.name === 'prefork')('has processes that inherited one listener', async () => {
    const { server } = await running();
    const listeners = server.pids.map((pid) => descriptorsOf(pid).get(5));
    expect(listeners[0]).toMatch(/^socket:/);
    expect(listeners).toEqual(new Array(2).fill(listeners[0]));
    expect([...descriptorsOf('self').values()]).toContain(listeners[0]);
  });
});

/** The call in which an idle server of one process sleeps. */
const loops: Partial<Record<ArchitectureName, string>> = {
  select: 'select',
  poll: 'poll',
  epoll: 'epoll_wait',
  generator: 'epoll_wait',
  asyncore: 'poll',
  uring: 'io_uring_enter',
};

describe.each(Object.entries(loops))('%s', (architecture, call) => {
  const running = oneServing({ architecture, service });

  it(SHOWN, async () => expectShownAndInherited(await running(), 'waiting'));

  it(`serves all its clients with one thread, asleep in ${call}`, async () => {
    const server = await running();
    const [pid] = server.server.pids;
    expect(server.processes).toEqual([pid]);
    // The main thread's number is the process's.
    const isAsleep = () => countIn(call, [pid!]) > 0;
    await until(`the server to sleep in ${call}`, isAsleep);
    const threads = threadsOf(pid!).length;
    for (let i = 0; i < 5; i++) await silentClient(server);
    await until(`the server to sleep in ${call} again`, isAsleep);
    expect(countIn('recvfrom', [pid!])).toBe(0);
    expect(countIn('accept4', [pid!])).toBe(0);
    expect(threadsOf(pid!).length).toBe(threads);
  });

  it.skipIf(!hasStrace)('makes no other call to wait, as strace shows', async () => {
    const server = await running();
    if (architecture !== 'uring') {
      // ppoll, pselect6 and epoll_pwait are the same.
      await expectWaits(server, new RegExp(`^p?${call.replace('_', '_p?')}6?$`));
      return;
    }
    const calls = await callsOf(server, ['accept4', 'recvfrom', 'sendto', 'io_uring_enter']);
    expect([...calls.keys()]).toEqual(['io_uring_enter']);
  });
});

// `single`, `prefork` and `queued` have the same routines.
it.skipIf(!hasStrace).each(['threaded', 'socketserver'])(
  '%s sets one time-out for a client, and then makes one call for each question and answer',
  async (architecture) => {
    const server = await start({
      architecture,
      ...(architecture === 'threaded' ? { threads: 1 } : {}),
    });
    // The first client of `socketserver` starts its thread.
    await (await silentClient(server)).close();
    const calls = await callsOf(server, ['setsockopt', 'recvfrom', 'sendto']);
    expect(Object.fromEntries(calls)).toEqual({ setsockopt: 1, recvfrom: 2, sendto: 1 });
  },
);

it("socketserver starts threads that share the one copy of the program's code", async () => {
  const server = await start({ architecture: 'socketserver' });
  const [pid] = server.processes;
  const copies = () =>
    readFileSync(`/proc/${pid}/maps`, 'latin1')
      .split('\n')
      .filter((line) => / r-xp /.test(line) && line.endsWith(realpathSync(process.execPath)));
  const before = copies();
  const threads = threadsOf(pid!).length;
  for (let i = 0; i < 3; i++) await silentClient(server);
  expect(threadsOf(pid!).length).toBeGreaterThanOrEqual(threads + 3);
  expect(before.length).toBeGreaterThan(0);
  expect(copies().length).toBe(before.length);
});

describe.each(['callback', 'coroutine'])('%s', (architecture) => {
  const running = oneServing({ architecture, service });

  it(SHOWN, async () => expectShownAndInherited(await running(), 'waiting'));

  it.skipIf(!hasStrace)("waits in the call of Node's loop, as strace shows", async () => {
    await expectWaits(await running(), /^epoll_p?wait$/);
  });
});

// The host starts threads, and not the page: one for each driver.
describe.each(
  drivers.filter(({ traits }) => traits.threads.adjustable && traits.capacity === 'unbounded'),
)('$title with 2 threads', ({ options, traits }) => {
  it('is one process with two workers', async () => {
    const server = await start({ ...options, threads: 2 });
    expect(server.processes).toHaveLength(1);
    expect(new Set(server.server.workers().map(({ tid }) => tid)).size).toBe(2);
    const call = loops[traits.name as ArchitectureName];
    if (call !== undefined) {
      await until('two sleepers', () => countIn(call, server.processes) >= 2);
    }
    await expectShownAndInherited(server, 'waiting');
  });
});

describe('queued', () => {
  it('sleeps in accept4 with one thread at all times, and in recvfrom with one for each silent client', async () => {
    const server = await start({ architecture: 'queued', threads: 2 });
    expect(server.processes).toHaveLength(1);
    await expectAsleep(1, 'accept4', server);
    await silentClient(server);
    await silentClient(server);
    await expectAsleep(2, 'recvfrom', server);
    await expectAsleep(1, 'accept4', server);
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await expectShownAndInherited(server, 'receiving');
  });
});

describe('socketserver', () => {
  it('has a thread for each client', async () => {
    const server = await start({ architecture: 'socketserver', mixin: 'threading' });
    await expectAsleep(1, 'accept4', server);
    for (let i = 1; i <= 3; i++) {
      await silentClient(server);
      await expectAsleep(i, 'recvfrom', server);
    }
    expect(server.processes).toHaveLength(1);
    await expectAsleep(1, 'accept4', server);
    await clients[0]!.close();
    await expectAsleep(2, 'recvfrom', server);
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await expectShownAndInherited(server, 'receiving');
  });

  it('has a process for each client', async () => {
    const server = await start({
      ...{ architecture: 'socketserver', mixin: 'forking', threadCache: 0 },
    });
    for (let i = 1; i <= 3; i++) {
      await silentClient(server);
      expect(server.processes).toHaveLength(1 + i);
      await expectAsleep(i, 'recvfrom', server);
    }
    await clients[0]!.close();
    await until('its process to end', () => server.processes.length === 3);
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await expectShownAndInherited(server, 'receiving');
  });

  it('starts no more threads than --max-threads', async () => {
    const server = await start({ architecture: 'socketserver', maxThreads: 2 });
    await silentClient(server);
    await silentClient(server);
    const third = await NetClient.connect(server.address);
    clients.push(third);
    const answer = ask(third, QUESTION, ANSWER.length);
    expect(await staysPending(answer, 200)).toBe(true);
    await expectAsleep(2, 'recvfrom', server);
    await clients[0]!.close();
    expect(await answer).toBe(ANSWER);
    await expectAsleep(2, 'recvfrom', server);
  });
});

describe('inetd', () => {
  it('nowait: gives the client to a process of its own, as standard input', async () => {
    const server = await start({ architecture: 'inetd', inetd: 'nowait', processCache: 0 });
    expect(server.processes).toHaveLength(1);
    await silentClient(server);
    const [program] = descendantsOf(server.server.pids[0]!);
    expect(descriptorsOf(program!).get(0)).toMatch(/^socket:/);
    await expectAsleep(1, 'recvfrom', server);
    await clients[0]!.close();
    await until('the process to end', () => server.processes.length === 1);
  });

  it('nowait: keeps one process ready before a client comes, and uses it for the next one too', async () => {
    const server = await start({ architecture: 'inetd' });
    const programs = () => descendantsOf(server.server.pids[0]!);
    const [first] = await until('a process', () => programs().length === 1 && programs());
    await silentClient(server);
    expect(descriptorsOf(first!).get(0)).toMatch(/^socket:/);
    await until('another to be ready', () => programs().length === 2);
    await clients.pop()!.close();
    await silentClient(server);
    await silentClient(server);
    // Two processes for the clients, one of them the first process, and one that is ready.
    await until('three processes', () => programs().length === 3);
    expect(programs()).toContain(first);
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await expectShownAndInherited(server, 'receiving');
  });

  it('wait: gives the listener to one process, as standard input, and starts it when a client comes', async () => {
    const server = await start({ architecture: 'inetd', inetd: 'wait' });
    expect(server.processes).toHaveLength(1);
    await silentClient(server);
    const programs = descendantsOf(server.server.pids[0]!);
    expect(programs).toHaveLength(1);
    const listener = descriptorsOf(programs[0]!).get(0);
    expect(listener).toMatch(/^socket:/);
    expect([...descriptorsOf(server.server.pids[0]!).values()]).toContain(listener);
    await clients[0]!.close();
    await silentClient(server);
    expect(descendantsOf(server.server.pids[0]!)).toEqual(programs);
    await clients.pop()!.close();
    // Its scoreboard has no row for the process.
    await expectShownAndInherited(server, undefined);
  });
});

describe('prefork', () => {
  it('has a listener for each process with reuseport', async () => {
    const server = await start({ architecture: 'prefork', processes: 2, reuseport: true });
    expect(new Set(server.server.pids.map((pid) => descriptorsOf(pid).get(5))).size).toBe(2);
  });
});

describe('epoll', () => {
  const EPOLLEXCLUSIVE = 1 << 28;

  /** The events that the kernel watches for on the listener, by its own list: proc_pid_fdinfo(5). */
  function eventsOfListener(pid: number): number | undefined {
    const selectors = [...descriptorsOf(pid)].filter(([, what]) => what.includes('eventpoll'));
    for (const [fd] of selectors) {
      const list = readFileSync(`/proc/${pid}/fdinfo/${fd}`, 'utf8');
      const [, events] = /^tfd: +5 events: +([0-9a-f]+)/m.exec(list) ?? [];
      if (events !== undefined) return Number.parseInt(events, 16);
    }
    return undefined;
  }

  it.each([
    true,
    false,
  ])('makes the kernel wake one worker, or all: exclusive %s', async (exclusive) => {
    const server = await start({ architecture: 'epoll', processes: 2, exclusive });
    for (const pid of server.server.pids) {
      const events = await until('the listener to be on its list', () => eventsOfListener(pid));
      expect((events & EPOLLEXCLUSIVE) !== 0).toBe(exclusive);
    }
  });
});
