import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { dial } from '../../src/os/dialing.ts';
import { reset } from '../../src/os/socket.ts';
import { acceptedAt, descendantsOf, freeze } from '../support/kernel.ts';
import { shared } from '../support/shared.ts';
import { PATIENCE, steady, until, within } from '../support/until.ts';

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';
const BUSY = 'Error: server is busy.\n';

/** Number of connections of a full server. */
const FULL = 2;

/** Number of clients that come at once: more than the threads and processes of any server here. */
const BURST = 16;

/**
 * Each has room for more conversations than the limit, so that the admission decides. Prefork accepts as threaded,
 * select as poll, coroutine as callback.
 */
const variants: readonly ServeOptions[] = [
  { architecture: 'threaded', threads: 2, processes: 2 },
  { architecture: 'socketserver', mixin: 'forking' },
  { architecture: 'epoll', processes: 2 },
  { architecture: 'uring', processes: 2 },
  { architecture: 'callback', processes: 2 },
  { architecture: 'queued', threads: 3 },
  { architecture: 'socketserver' },
  { architecture: 'inetd' },
  { architecture: 'generator', processes: 2 },
  { architecture: 'poll', threads: 2 },
  { architecture: 'asyncore' },
  // Wakes one process for each client, which must leave it to another one if there is no room.
  { architecture: 'epoll', processes: 2, exclusive: true },
  { architecture: 'callback', threads: 2 },
];
/**
 * One for each way to accept: a blocking pool, a super-server of processes, readiness, completion, and Node. The rules
 * are those of src/limits/admission.test.ts.
 */
const drivers: readonly ServeOptions[] = [
  { architecture: 'threaded', threads: 5 },
  { architecture: 'socketserver', mixin: 'forking' },
  { architecture: 'epoll' },
  { architecture: 'uring' },
  { architecture: 'callback' },
];
const titleOf = (options: ServeOptions) =>
  Object.entries(options)
    .map(([key, value]) => (key === 'architecture' ? value : `${key} ${value}`))
    .join(' ');

/** One client: what it has received, and how its connection ended. */
class Guest {
  readonly socket: Socket;
  received = '';
  error: string | undefined;
  #isOver = false;

  constructor(port: number, from: string) {
    this.socket = connect({ port, host: '127.0.0.1', localAddress: from });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (data) => {
      this.received += data;
    });
    this.socket.on('error', (error: NodeJS.ErrnoException) => {
      this.error = error.code;
    });
    this.socket.on('close', () => {
      this.#isOver = true;
    });
  }

  /** True if its question is answered. False if its connection ends instead. */
  async isServed(): Promise<boolean> {
    const before = this.received.length;
    this.socket.write(QUESTION);
    await until(
      `an answer or the end (has "${this.received}")`,
      () => this.#isOver || this.received.length >= before + ANSWER.length,
    );
    return this.received.slice(before) === ANSWER;
  }

  /** The end of its connection. */
  async ended(): Promise<void> {
    await until('the end', () => this.#isOver);
  }

  async leave(): Promise<void> {
    if (this.socket.closed) return;
    this.socket.destroy();
    await once(this.socket, 'close');
  }
}

async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0 }, (event) => events.push(event));
  const guests: Guest[] = [];
  const guest = (from = '127.0.0.1') => {
    const one = new Guest(server.port, from);
    guests.push(one);
    return one;
  };
  return {
    server,
    guest,
    /** `count` admitted clients. */
    async crowd(count: number, from?: string): Promise<Guest[]> {
      const all: Guest[] = [];
      for (let i = 0; i < count; i++) {
        const one = guest(from);
        expect(await one.isServed()).toBe(true);
        all.push(one);
      }
      return all;
    },
    accepted: () =>
      events.flatMap((event) =>
        event.type === 'accepted' ? [event.peer.replace(/:\d+$/, '')] : [],
      ),
    refusals: () =>
      events.flatMap((event) =>
        event.type === 'refused' ? [`${event.peer.replace(/:\d+$/, '')} ${event.reason}`] : [],
      ),
    /** Waits until a client is admitted: the server notices a moment later that others have left. */
    async letIn(from?: string): Promise<Guest> {
      return until('a client to be admitted', async () => {
        const one = guest(from);
        return (await one.isServed()) && one;
      });
    },
    /** All clients leave, and their output is forgotten. */
    async clear(): Promise<void> {
      await Promise.all(guests.splice(0).map((one) => one.leave()));
      await until('all clients to have left', () =>
        server.workers().every(({ open }) => open === 0),
      );
      events.length = 0;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const one of guests) one.socket.destroy();
      await within(PATIENCE, 'the server to close', server.close());
    },
  };
}

/** For several tests, one after the other, on one server; each starts without clients. */
function serverWith(options: ServeOptions, limits: ServeOptions['limits']) {
  const turn = shared(() => started({ ...options, limits: limits! }), true);
  return (test: (served: Awaited<ReturnType<typeof started>>) => Promise<void>) =>
    turn(async (served) => {
      await served.clear();
      await test(served);
    });
}

describe.concurrent.each(
  variants.map((options) => [titleOf(options), options] as const),
)('%s', (_, options) => {
  const full = serverWith(options, { connections: FULL });

  it('makes further clients wait, and serves them when there is room', () =>
    full(async (served) => {
      const [first, second] = await served.crowd(FULL);
      const waiting = [served.guest(), served.guest('127.0.0.2')];
      const answers = waiting.map((guest) => guest.isServed());
      let count = 0;
      for (const answer of answers)
        answer.then(
          () => count++,
          () => {},
        );
      // While the admitted clients stay for three questions each, no other client is served.
      for (let i = 0; i < 3; i++) {
        expect(await first!.isServed()).toBe(true);
        expect(await second!.isServed()).toBe(true);
      }
      expect(count).toBe(0);
      await first!.leave();
      await until('one to be served', () => count === 1);
      await second!.leave();
      expect(await Promise.all(answers)).toEqual([true, true]);
      expect(served.refusals()).toEqual([]);
    }));

  it('never has more than the limit, for any burst of clients to its threads and processes', () =>
    full(async (served) => {
      const { pids, port } = served.server;
      // All of them are in the queue before any is accepted.
      await Promise.all(pids.map(freeze));
      const burst = Array.from({ length: BURST }, () => served.guest());
      await Promise.all(burst.map(({ socket }) => once(socket, 'connect')));
      for (const pid of pids) process.kill(pid, 'SIGCONT');
      let [inside, most, answered] = [0, 0, 0];
      const { promise: leaving, resolve: leave } = Promise.withResolvers<void>();
      const visits = burst.map(async (guest) => {
        expect(await guest.isServed()).toBe(true);
        most = Math.max(most, ++inside);
        answered++;
        await leaving;
        inside--;
        await guest.leave();
      });
      const all = Promise.all(visits);
      // Report what failed first, and not its consequences.
      all.catch(() => {});
      await until('as many clients as the limit to be served', () => answered === FULL);
      expect(await steady('the number of accepted clients', () => acceptedAt(port).length)).toBe(
        FULL,
      );
      leave();
      await all;
      expect(most).toBe(FULL);
      expect(served.refusals()).toEqual([]);
    }));
});

/** reasons.test.ts has each of these refusals for all architectures. */
describe.concurrent.each(
  drivers.map((options) => [titleOf(options), options] as const),
)('%s', (_, options) => {
  const networks = { allow: ['127.0.0.0/29'], deny: ['127.0.0.2', '::/0'] };
  const known = serverWith(
    { ...options, whenFull: 'busy' },
    { ...networks, connectionsPerAddress: 2, connections: 4 },
  );
  const rated = serverWith(options, { acceptsPerSecond: 2 });

  it('tells clients above the limit that it is busy', () =>
    known(async (served) => {
      const { connections: before = 0 } = served.server.counts();
      const [first] = await served.crowd(2);
      await served.crowd(2, '127.0.0.3');
      for (const from of ['127.0.0.5', '127.0.0.6']) {
        const late = served.guest(from);
        await late.ended();
        expect(late.received).toBe(BUSY);
      }
      await until('the account', () => served.refusals().length === 2);
      expect(served.refusals()).toEqual(['127.0.0.5 connections', '127.0.0.6 connections']);
      expect(served.server.counts().connections).toBe(before + 2);
      await first!.leave();
      await served.letIn('127.0.0.5');
      const tooLate = served.guest('127.0.0.6');
      await tooLate.ended();
      expect(tooLate.received).toBe(BUSY);
    }));

  it('limits the connections of an address, and no other address', () =>
    known(async (served) => {
      const [first] = await served.crowd(2);
      for (let i = 0; i < 3; i++) {
        const greedy = served.guest();
        await greedy.ended();
        expect(greedy.received).toBe(BUSY);
      }
      await served.crowd(2, '127.0.0.3');
      await until('the account', () => served.refusals().length === 3);
      expect(new Set(served.refusals())).toEqual(new Set(['127.0.0.1 connections-per-address']));
      await first!.leave();
      await served.letIn();
      expect(await served.guest().isServed()).toBe(false);
    }));

  it('limits how often an address comes', () =>
    rated(async (served) => {
      const outcomes: boolean[] = [];
      const since = performance.now();
      for (let i = 0; i < 6; i++) {
        const guest = served.guest();
        outcomes.push(await guest.isServed());
        // The policy is to make clients wait for room: it says nothing to those that must not come.
        if (!outcomes.at(-1)) expect(guest.received).toBe('');
        await guest.leave();
      }
      const seconds = (performance.now() - since) / 1000;
      const came = outcomes.filter(Boolean).length;
      expect(came).toBeGreaterThanOrEqual(2);
      expect(came).toBeLessThanOrEqual(2 + seconds * 2 + 1);
      expect(await served.guest('127.0.0.4').isServed()).toBe(true);
      await until('the account', () => served.refusals().length === 6 - came);
      await served.letIn();
    }));

  it('limits how often clients connect that reset before they are accepted', () =>
    rated(async (served) => {
      const address = { family: 'IPv4', host: '127.0.0.1', port: served.server.port } as const;
      const since = performance.now();
      for (let i = 0; i < 60; i++) reset(dial(address, { from: '127.0.0.5' }));
      await served.letIn('127.0.0.6');
      const seconds = (performance.now() - since) / 1000;
      const others = served.accepted().filter((peer) => peer !== '127.0.0.6');
      expect(others.length).toBeLessThanOrEqual(2 + seconds * 2 + 1);
    }));

  it('admits clients that are allowed and not denied', () =>
    known(async (served) => {
      const outcome = async (from: string) => {
        const guest = served.guest(from);
        const isServed = await guest.isServed();
        if (!isServed) expect(guest.received).toBe('');
        return isServed;
      };
      // No client of that address has connected before.
      expect(await outcome('127.0.0.4')).toBe(true);
      expect(await outcome('127.0.0.2')).toBe(false);
      expect(await outcome('127.0.0.7')).toBe(true);
      expect(await outcome('127.0.0.8')).toBe(false);
      expect(served.server.counts()).toMatchObject({ allow: 1, deny: 1 });
      await until('the account', () => served.refusals().length === 2);
      expect(served.refusals()).toEqual(['127.0.0.2 deny', '127.0.0.8 allow']);
    }));

  it('resets further clients, with the policy reset', async () => {
    await using served = await started({
      ...options,
      limits: { connections: 1 },
      whenFull: 'reset',
    });
    await served.crowd(1);
    const late = served.guest();
    await late.ended();
    expect(late.error).toBe('ECONNRESET');
    expect(late.received).toBe('');
  });
});

// The admission decides it, and no driver knows: see src/limits/admission.test.ts.
describe.concurrent.each([
  { architecture: 'threaded', threads: 5 },
  { architecture: 'callback' },
])('$architecture', (options) => {
  it('counts and refuses no client with dryRun', async () => {
    const limits = {
      connections: 2,
      connectionsPerAddress: 1,
      deny: ['127.0.0.3'],
      acceptsPerSecond: 1,
    };
    await using served = await started({ ...options, limits, dryRun: true });
    await served.crowd(1);
    await served.crowd(1, '127.0.0.2');
    await served.crowd(1, '127.0.0.3');
    expect(served.server.counts()).toEqual({ deny: 1 });
    await served.crowd(1, '127.0.0.4');
    expect(served.server.counts()).toEqual({ deny: 1, connections: 1 });
    expect(served.refusals()).toEqual([]);
  });
});

describe.concurrent('with a listener for each', () => {
  it.each(
    [
      { architecture: 'threaded', threads: 2 },
      { architecture: 'epoll', processes: 2 },
      { architecture: 'generator', threads: 2 },
      { architecture: 'uring', threads: 2 },
      { architecture: 'callback', processes: 2 },
    ].map((options) => [titleOf(options), options] as const),
  )('no client waits while there is room: %s', async (_title, options) => {
    const limits = { connections: 1 };
    await using served = await started({ ...options, limits, reuseport: true });
    for (let i = 0; i < 12; i++) {
      const guest = served.guest();
      expect(await guest.isServed()).toBe(true);
      await guest.leave();
    }
    // A client that waits in one queue is admitted when a client of another queue leaves.
    const all = Array.from({ length: 12 }, async () => {
      const guest = served.guest();
      expect(await guest.isServed()).toBe(true);
      await guest.leave();
    });
    await Promise.all(all);
  });
});

describe.concurrent('a server in this process', () => {
  it.each(['callback', 'coroutine'])('makes further clients wait: %s', async (architecture) => {
    const service = { delimiter: '?', answer: () => ANSWER };
    const limits = { connections: 1 };
    await using served = await started({ architecture, service, limits });
    const [first] = await served.crowd(1);
    const waiting = [served.guest(), served.guest()].map(async (guest) => {
      expect(await guest.isServed()).toBe(true);
      await guest.leave();
    });
    expect(await first!.isServed()).toBe(true);
    expect(served.refusals()).toEqual([]);
    await first!.leave();
    await Promise.all(waiting);
  });
});

describe.concurrent('a worker that is killed', () => {
  it.each(
    [
      // The supervisor gives back the places of a process, which has one worker or several.
      { architecture: 'epoll', processes: 2 },
      { architecture: 'socketserver' },
    ].map((options) => [titleOf(options), options] as const),
  )('holds no more places: %s', async (_title, options) => {
    const limits = { connections: 3, connectionsPerAddress: 2 };
    await using served = await started({ ...options, limits, whenFull: 'busy' });
    await served.crowd(2);
    const other = await served.crowd(1, '127.0.0.2');
    expect(await served.guest('127.0.0.3').isServed()).toBe(false);
    for (let round = 0; round < 2; round++) {
      const before = served.server.pids;
      for (const pid of before) process.kill(pid, 'SIGKILL');
      await until('others in their place', () => {
        const { pids } = served.server;
        return pids.length === before.length && pids.every((pid) => !before.includes(pid));
      });
      const first = await served.letIn('127.0.0.5');
      const second = await served.letIn('127.0.0.5');
      expect(await served.guest('127.0.0.5').isServed()).toBe(false);
      await served.letIn('127.0.0.6');
      const last = served.guest('127.0.0.7');
      await last.ended();
      expect(last.received).toBe(BUSY);
      for (const guest of [first, second]) expect(await guest.isServed()).toBe(true);
    }
    expect(other).toHaveLength(1);
  });
});

it.each(
  [{ architecture: 'socketserver', mixin: 'forking' } as const, { architecture: 'inetd' }].map(
    (options) => [titleOf(options), options] as const,
  ),
)('%s: clients whose super-server is killed are still served, and counted until they leave', async (_title, options) => {
  await using served = await started({ ...options, limits: { connections: 2 }, whenFull: 'busy' });
  const [one, other] = await served.crowd(2);
  const [worker] = served.server.pids;
  process.kill(worker!, 'SIGKILL');
  await until('another in its place', () => served.server.pids.some((pid) => pid !== worker));
  expect(await served.guest().isServed()).toBe(false);
  for (const guest of [one!, other!]) expect(await guest.isServed()).toBe(true);
  await one!.leave();
  await served.letIn();
});

describe.concurrent('an assistant that is killed', () => {
  it.each(
    [
      { architecture: 'socketserver', mixin: 'forking' } as const,
      { architecture: 'inetd' },
      { architecture: 'inetd', inetd: 'wait' } as const,
    ].map((options) => [titleOf(options), options] as const),
  )('gives its place back: %s', async (_title, options) => {
    const limits = { connections: 1, connectionsPerAddress: 1 };
    await using served = await started({ ...options, limits, whenFull: 'busy' });
    for (let round = 0; round < 2; round++) {
      const guest = await served.letIn();
      const assistants = served.server.pids.flatMap(descendantsOf);
      expect(assistants.length).toBeGreaterThan(0);
      for (const pid of assistants) process.kill(pid, 'SIGKILL');
      await guest.ended();
    }
    await served.letIn('127.0.0.2');
  });
});

describe.concurrent('on other addresses', () => {
  // Each of these gets the address of a peer in its own way.
  it.each([
    'threaded',
    'uring',
    'callback',
  ])('finds IPv4 peers of an IPv6 listener in IPv4 networks: %s', async (architecture) => {
    const limits = { deny: ['127.0.0.2', '::/0'], connectionsPerAddress: 1 };
    await using served = await started({ architecture, host: '', limits });
    const first = served.guest();
    expect(await first.isServed()).toBe(true);
    expect(await served.guest().isServed()).toBe(false);
    expect(await served.guest('127.0.0.2').isServed()).toBe(false);
    const six = connect({ port: served.server.port, host: '::1' });
    await once(
      six.on('error', () => {}),
      'close',
    );
    await until('the counts', () => served.server.counts().deny === 2);
    expect(served.server.counts()).toEqual({ deny: 2, 'connections-per-address': 1 });
  });

  // Each of these gets the address of a peer in its own way.
  it.each([
    'threaded',
    'uring',
    'callback',
  ])('admits all clients of a unix socket, up to their number: %s', async (architecture) => {
    const folder = mkdtempSync(join(tmpdir(), 'mondo-admission-'));
    const path = join(folder, 'socket');
    const limits = { allow: ['10.0.0.0/8'], connectionsPerAddress: 1, connections: 2 };
    const server = await serve({ architecture, host: `unix:${path}`, limits, whenFull: 'busy' });
    const ends: string[] = [];
    for (let i = 0; i < 3; i++) {
      const socket = connect(path).setEncoding('latin1');
      let received = '';
      socket
        .on('error', () => {})
        .on('data', (data) => {
          received += data;
        });
      // A client that writes to a closed unix socket gets an error, and no answer.
      if (i < 2) socket.write(QUESTION);
      await until('an answer', () => received === ANSWER || received === BUSY);
      ends.push(received);
    }
    expect(ends).toEqual([ANSWER, ANSWER, BUSY]);
    await server.close();
    rmSync(folder, { recursive: true });
  });
});
