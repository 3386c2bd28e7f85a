import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { look } from '../../src/os/processes.ts';
import { ask, NetClient } from '../support/clients.ts';
import { acceptedAt } from '../support/kernel.ts';
import { descendantsOf, mondo, Process, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { listeningAt } from '../support/serve-command.ts';
import { architectures } from '../support/serving.ts';
import { DESCRIPTORS, expectOwnAnswers } from '../support/short-connections.ts';
import { MS, mostWarnings, staysPending, until } from '../support/until.ts';

/** test/long/connections.test.ts makes ten times as many. */
const CONNECTIONS = 2000;

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';

describe(`${CONNECTIONS} short connections through ${DESCRIPTORS} descriptors`, () => {
  it.each(['uring', 'epoll', 'generator'])('each reach their own client: %s', (architecture) =>
    expectOwnAnswers(architecture, CONNECTIONS));
});

describe.skipIf(!hasProgram('strace', 'strace'))(
  'an accept that fails',
  { concurrent: true },
  () => {
    const FAILURES = 5;
    /** Each of its threads gets that error a fixed number of times before it accepts a client. */
    const failing = (architecture: string, error: string) =>
      new Process('strace', [
        // -D: the server is the child, and strace its grandchild.
        ...['-D', '-f', '--seccomp-bpf', '-qq', '-o', '/dev/null', '-e', 'trace=accept4'],
        ...['-e', `inject=accept4:error=${error}:when=1..${FAILURES}`],
        ...[process.execPath, mondo, 'serve', architecture, '-p', '0'],
      ]);

    it.each([
      ['single', 'ENOBUFS', 1],
      ['threaded', 'ENOMEM', 1],
      ['queued', 'ENFILE', 1],
      ['prefork', 'ENOBUFS', 1],
      ['socketserver', 'EMFILE', 1],
      ['inetd', 'ENOMEM', 1],
      ['select', 'ENOMEM', 1],
      ['poll', 'ENOBUFS', 1],
      ['epoll', 'ENFILE', 1],
      ['generator', 'ENOMEM', 1],
      ['asyncore', 'ENOBUFS', 1],
      // libuv tries again by itself, and reports nothing.
      ['callback', 'ENOMEM', 0],
      ['coroutine', 'ENOBUFS', 0],
      // It is the peer's fault and not the server's: the log says nothing.
      ['threaded', 'ECONNABORTED', 0],
      ['epoll', 'EPROTO', 0],
      ['callback', 'ECONNABORTED', 0],
    ])('does not end %s, and does not fill its log: %s', async (architecture, error, lines) => {
      await using server = failing(architecture, error);
      const address = await listeningAt(server);
      for (let i = 0; i < 2; i++) {
        const client = await NetClient.connect(address);
        expect(await ask(client, QUESTION, ANSWER.length)).toBe(ANSWER);
        await client.close();
      }
      server.child.kill('SIGTERM');
      const { code, stdout } = await server.ended();
      expect(code).toBe(0);
      expect(stdout.match(/Cannot accept for now: accept4: E\w+/g) ?? []).toHaveLength(lines);
      expect(stdout).not.toMatch(/ died| failed/);
    });
  },
);

describe.skipIf(!hasProgram('prlimit', 'util-linux'))(
  'no descriptor at all',
  { concurrent: true },
  () => {
    /** Limits the number of these processes' descriptors; the ones they have stay open. */
    const allow = (pids: readonly number[], count: number) => {
      for (const pid of pids) execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${count}:`]);
    };
    /** Fewer than any of them has. */
    const NONE = 5;
    const ENOUGH = 1000;
    const portOf = (client: NetClient) => Number(client.peer.split(':')[1]);
    // Node keeps a descriptor in reserve for this: see below.
    const ours = architectures.filter(({ traits }) => traits.arrangement !== 'node');

    it.each(ours)('makes $title ignore its listener, and accept again when there are some', async ({
      options,
      traits,
      capacity,
    }) => {
      const since = performance.now();
      await using server = spawnMondo(
        ...['serve', options.architecture!, '-p', '0'],
        // Far from the limit, io_uring uses the number of descriptors from the time of the accept request.
        ...['--limit', 'connections=100'],
        // A waiting process has descriptor 0 free for its next client.
        ...(options.architecture === 'inetd' ? ['--process-cache', '0'] : []),
      );
      const address = await listeningAt(server);
      // All threads of a pool run once each of them has a client.
      const all = Number.isFinite(capacity) ? capacity : 1;
      const served = await Promise.all(
        Array.from({ length: all }, () => NetClient.connect(address)),
      );
      for (const client of served) expect(await ask(client, QUESTION, ANSWER.length)).toBe(ANSWER);
      const [first, ...others] = served;
      for (const client of traits.capacity === 'one' ? served : others) await client.close();
      const pids = descendantsOf(server.pid);
      allow(pids, NONE);
      // A thread that sleeps in accept(2) already has the descriptor for one more client.
      const [late, answer] = await until('the worker to stop accepting', async () => {
        const client = await NetClient.connect(address);
        const reply = ask(client, QUESTION, ANSWER.length);
        const isPending = await staysPending(reply, 300);
        if (isPending && !acceptedAt(address.port).includes(portOf(client)))
          return [client, reply] as const;
        reply.catch(() => {});
        await client.close();
        return undefined;
      });
      // The super-server of inetd never accepts: it fails to start a process that does.
      await server.printed(
        /Cannot (accept|start a process) for now: (accept4?|socketpair): EMFILE/,
      );
      const before = look(server.pid).cpu;
      expect(await staysPending(answer, 1000)).toBe(true);
      // Attempts without a pause would use all of that time, in each thread.
      expect(look(server.pid).cpu - before).toBeLessThan(500 * MS);
      if (traits.capacity !== 'one')
        expect(await ask(first!, QUESTION, ANSWER.length)).toBe(ANSWER);
      allow(pids, ENOUGH);
      expect(await answer).toBe(ANSWER);
      await late.close();
      await first!.close();
      server.child.kill('SIGTERM');
      const { code, stdout } = await server.ended();
      expect(code).toBe(0);
      expect(stdout.match(/Cannot (accept|start a process) for now/g)!.length).toBeLessThanOrEqual(
        mostWarnings(since),
      );
      // The log also says that the client failed which the test closed before its answer.
      expect(stdout).not.toMatch(/ died|Service failed/);
    });

    it.each([
      'callback',
      'coroutine',
    ])('makes %s ignore its listener if it cannot listen again, and listen when there are some', async (architecture) => {
      const since = performance.now();
      await using server = spawnMondo('serve', architecture, '-p', '0', '--limit', 'connections=1');
      const address = await listeningAt(server);
      // This client makes the server full, so that it does not listen.
      const only = await NetClient.connect(address);
      expect(await ask(only, QUESTION, ANSWER.length)).toBe(ANSWER);
      const pids = descendantsOf(server.pid);
      allow(pids, NONE);
      await only.close();
      await server.printed(/Cannot listen for now: .*EMFILE/);
      const late = await NetClient.connect(address);
      const answer = ask(late, QUESTION, ANSWER.length);
      const before = look(server.pid).cpu;
      expect(await staysPending(answer, 1000)).toBe(true);
      // Attempts without a pause would use all of that time.
      expect(look(server.pid).cpu - before).toBeLessThan(500 * MS);
      allow(pids, ENOUGH);
      expect(await answer).toBe(ANSWER);
      await late.close();
      server.child.kill('SIGTERM');
      const { code, stdout } = await server.ended();
      expect(code).toBe(0);
      expect(stdout.match(/Cannot listen for now/g)!.length).toBeLessThanOrEqual(
        mostWarnings(since),
      );
      expect(stdout).not.toMatch(/ died| failed/);
    });
  },
);

describe.concurrent('out of descriptors', () => {
  // Each connection of the server takes one descriptor, and there are few.
  const limited = (architecture: string, descriptors = 48, ...options: string[]) =>
    new Process('/bin/sh', [
      '-c',
      `ulimit -n ${descriptors}; exec "$0" "$@"`,
      process.execPath,
      mondo,
      ...['serve', architecture, '-p', '0', '--limit', 'idle=1m', ...options],
    ]);
  const UNBOUNDED = ['--limit', 'connections=off'];

  /** It uses less than half of a processor while an admitted client is silent: no loop spins. */
  async function expectCalm(server: Process, client: NetClient): Promise<void> {
    const nothing = client.receive(1);
    nothing.catch(() => {});
    const before = look(server.pid).cpu;
    expect(await staysPending(nothing, 1000)).toBe(true);
    expect(look(server.pid).cpu - before).toBeLessThan(500 * MS);
    await client.send(QUESTION);
    expect((await nothing) + (await client.receive(ANSWER.length - 1))).toBe(ANSWER);
  }

  it.each([
    ['epoll', 64, 64],
    ['uring', 64, 64],
    ['generator', 64, 64],
    ['callback', 64, 64],
    ['coroutine', 64, 64],
    // Each thread needs descriptors of its own.
    ['socketserver', 128, 20],
  ])('%s never occurs with the default limit: further clients wait', async (architecture, descriptors, crowd) => {
    await using server = limited(architecture, descriptors);
    const address = await listeningAt(server);
    const clients: NetClient[] = [];
    const answered: NetClient[] = [];
    for (let i = 0; i < crowd; i++) {
      const client = await NetClient.connect(address);
      clients.push(client);
      await client.send(QUESTION);
      const answer = client
        .receive(ANSWER.length)
        .then((text) => text === ANSWER && answered.push(client));
      answer.catch(() => {});
    }
    await until('some to be served', () => answered.length >= 3);
    expect(
      await staysPending(
        until('all', () => answered.length === clients.length),
        300,
      ),
    ).toBe(true);
    const [first] = answered;
    expect(await ask(first!, QUESTION, ANSWER.length)).toBe(ANSWER);
    // Waiting clients are admitted when others leave.
    const waiting = () => clients.filter((client) => !answered.includes(client));
    while (waiting().length > 0) {
      const { length } = answered;
      const [leaving] = answered.splice(0, 1);
      clients.splice(clients.indexOf(leaving!), 1);
      await leaving!.close();
      await until('another to be served', () => answered.length >= length);
    }
    for (const client of clients) await client.close();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout).not.toMatch(/EMFILE|Refused| died/);
  });

  it.each([
    ['epoll', 48],
    ['uring', 48],
    ['poll', 48],
    ['select', 48],
    ['generator', 48],
    ['asyncore', 48],
    // Every other architecture on system calls accepts no more clients than it serves.
    ['queued', 64, '--threads', '1'],
  ] as [
    string,
    number,
    ...string[],
  ][])('%s serves its clients, refuses the next one, and recovers', async (architecture, descriptors, ...options) => {
    const since = performance.now();
    await using server = limited(architecture, descriptors, ...UNBOUNDED, ...options);
    const address = await listeningAt(server);
    const first = await NetClient.connect(address);
    expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
    const more = await Promise.all(Array.from({ length: 60 }, () => NetClient.connect(address)));
    await server.printed(/Cannot accept for now: .*EMFILE/);
    await server.printed(/Refused .*the server is full/);
    // Admitted clients are served at all times.
    await expectCalm(server, first);
    expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
    for (const client of [first, ...more]) await client.close();
    await until('room for another', async () => {
      const client = await NetClient.connect(address);
      const answer = await ask(client, QUESTION, ANSWER.length).catch(() => '');
      await client.close();
      return answer === ANSWER;
    });
    expect(server.stdout.match(/Cannot accept for now/g)!.length).toBeLessThanOrEqual(
      mostWarnings(since),
    );
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0 });
  });

  it.each([
    ['queued', 64],
    ['socketserver', 64],
    ['inetd', 64],
    ['epoll', 64],
    ['uring', 64],
    ['callback', 64],
  ])('%s answers or refuses each of 200 clients that come at once, and no worker dies', async (architecture, descriptors) => {
    await using server = limited(architecture, descriptors, ...UNBOUNDED);
    const address = await listeningAt(server);
    const clients = await Promise.all(
      Array.from({ length: 200 }, () => NetClient.connect(address)),
    );
    const outcomes = await Promise.all(
      clients.map(async (client) => {
        const answer = await ask(client, QUESTION, ANSWER.length).catch((error: Error) => error);
        await client.close();
        if (answer === ANSWER) return 'answered';
        // A refused client is closed, or reset if its question was not read.
        return String(answer).startsWith('Error: Waited') ? 'lost' : 'refused';
      }),
    );
    const count = (what: string) => outcomes.filter((outcome) => outcome === what).length;
    expect(count('answered') + count('refused')).toBe(200);
    expect(count('answered')).toBeGreaterThan(0);
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    if (architecture !== 'inetd') expect(stdout).toMatch(/EMFILE/);
    expect(stdout).not.toMatch(/ died| failed/);
  });

  it('socketserver keeps clients for which no thread can be started, until others have finished', async () => {
    const since = performance.now();
    await using server = limited('socketserver', 96, ...UNBOUNDED);
    const address = await listeningAt(server);
    const first = await NetClient.connect(address);
    expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
    const more = await Promise.all(Array.from({ length: 40 }, () => NetClient.connect(address)));
    const missing = server.printed(/Cannot start a thread for a client, which waits: EMFILE/);
    const answers = more.map(async (client) => {
      const answer = await ask(client, QUESTION, ANSWER.length).catch(() => 'refused');
      // Clients with a thread keep it until a thread is missing.
      await missing;
      await client.close();
      return answer;
    });
    const refused = (await Promise.all(answers)).filter((answer) => answer !== ANSWER);
    // If no descriptor is left to accept with, the next client is refused, and the log says so.
    expect(server.stdout.match(/Refused/g) ?? []).toHaveLength(refused.length);
    expect(refused.length).toBeLessThan(more.length / 2);
    expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
    await first.close();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout.match(/Cannot start a thread/g)!.length).toBeLessThanOrEqual(mostWarnings(since));
    expect(stdout).not.toMatch(/ died| failed/);
  });

  it.each([
    'callback',
    'coroutine',
  ])('%s reports it, and serves its clients while Node refuses the next ones', async (architecture) => {
    const since = performance.now();
    await using server = limited(architecture, 48, ...UNBOUNDED);
    const address = await listeningAt(server);
    const first = await NetClient.connect(address);
    expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
    const more = await Promise.all(Array.from({ length: 60 }, () => NetClient.connect(address)));
    await server.printed(/All 48 descriptors are in use \(EMFILE\)/);
    await expectCalm(server, first);
    expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
    for (const client of more) await client.close();
    await until('room for another', async () => {
      const client = await NetClient.connect(address);
      const answer = await ask(client, QUESTION, ANSWER.length).catch(() => '');
      await client.close();
      return answer === ANSWER;
    });
    expect(server.stdout.match(/descriptors are in use/g)!.length).toBeLessThanOrEqual(
      mostWarnings(since),
    );
    await first.close();
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0 });
  });
});
