import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import { UNBOUNDED } from '../../src/limits/limits.ts';
import type { SocketAddress } from '../../src/os/address.ts';
import { look } from '../../src/os/processes.ts';
import { ask, NetClient } from '../support/clients.ts';
import { acceptedAt } from '../support/kernel.ts';
import { mondo, Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { listeningAt } from '../support/serve-command.ts';
import { pairs, Serving } from '../support/serving.ts';
import { DESCRIPTORS, expectOwnAnswers } from '../support/short-connections.ts';
import { mostWarnings, staysPending, until } from '../support/until.ts';

/** Each descriptor serves several of them; test/long/connections.test.ts makes many more. */
const CONNECTIONS = 300;

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';

describe(`${CONNECTIONS} short connections through ${DESCRIPTORS} descriptors`, () => {
  it.each(['uring', 'epoll', 'generator'])('each reach their own client: %s', (architecture) =>
    expectOwnAnswers(architecture, CONNECTIONS));
});

/** Limits the number of these processes' descriptors; the ones they have stay open. */
const allow = (pids: readonly number[], count: number) => {
  for (const pid of pids) execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${count}:`]);
};

/** The warnings that a server has given. */
const warnings = (serving: Serving) =>
  serving.events.flatMap((event) => (event.type === 'warning' ? [event.text] : []));
const warned = (serving: Serving, pattern: RegExp) =>
  until(`${pattern}`, () => warnings(serving).some((text) => pattern.test(text)));
const cpuOf = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + look(pid).cpu, 0);

/**
 * The processes use less than half of a processor while the promise stays pending: attempts without a pause would use
 * all of one.
 */
async function expectNoSpin(pids: readonly number[], pending: Promise<unknown>): Promise<void> {
  const [cpu, began] = [cpuOf(pids), performance.now()];
  expect(await staysPending(pending, 1000)).toBe(true);
  expect((cpuOf(pids) - cpu) / (performance.now() - began)).toBeLessThan(0.5);
}

/** Ends the server, and checks what it reported. */
async function expectCalmEnd(serving: Serving, since: number, pattern: RegExp): Promise<void> {
  await serving.close();
  const told = warnings(serving).filter((text) => pattern.test(text));
  expect(told.length).toBeLessThanOrEqual(mostWarnings(since));
  const faults = serving.events.filter(({ type }) => ['died', 'threw'].includes(type));
  expect(faults).toEqual([]);
}

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

    // Each error, and each way to accept: see src/drivers/accept.ts.
    it.each([
      ['threaded', 'ENOMEM', 1],
      ['socketserver', 'EMFILE', 1],
      ['inetd', 'ENOMEM', 1],
      ['epoll', 'ENFILE', 1],
      ['generator', 'ENOBUFS', 1],
      // libuv tries again by itself, and reports nothing.
      ['callback', 'ENOMEM', 0],
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
    /** Fewer than any of them has. */
    const NONE = 5;
    const ENOUGH = 1000;
    const portOf = (client: NetClient) => Number(client.peer.split(':')[1]);
    // Node keeps a descriptor in reserve for this: see below.
    // Single and prefork wait for a client as threaded does; select and poll share the listener of epoll.
    const same = ['single', 'prefork', 'select', 'poll'];
    const ours = pairs.filter(
      ({ options, traits }) =>
        traits.arrangement !== 'node' && !same.includes(options.architecture!),
    );

    it.each(ours)('makes $title ignore its listener, and accept again when there are some', async ({
      options,
      traits,
      capacity,
    }) => {
      const since = performance.now();
      const serving = await Serving.start({
        ...options,
        // Far from the limit, io_uring uses the number of descriptors from the time of the accept request.
        limits: { connections: 100 },
        // A waiting process has descriptor 0 free for its next client.
        ...(options.architecture === 'inetd' ? { processCache: 0 } : {}),
      });
      const { address } = serving;
      // All threads of a pool run once each of them has a client.
      const all = Number.isFinite(capacity) ? capacity : 1;
      const served = await Promise.all(
        Array.from({ length: all }, () => NetClient.connect(address)),
      );
      for (const client of served) expect(await ask(client, QUESTION, ANSWER.length)).toBe(ANSWER);
      const [first, ...others] = served;
      for (const client of traits.capacity === 'one' ? served : others) await client.close();
      const pids = serving.processes;
      allow(pids, NONE);
      // A thread that sleeps in accept(2) already has the descriptor for one more client.
      const [late, answer] = await until('the worker to stop accepting', async () => {
        const client = await NetClient.connect(address);
        const reply = ask(client, QUESTION, ANSWER.length);
        const isPending = await staysPending(reply, 300);
        if (isPending && !acceptedAt(serving.server.port).includes(portOf(client)))
          return [client, reply] as const;
        reply.catch(() => {});
        await client.close();
        return undefined;
      });
      // The super-server of inetd never accepts: it fails to start a process that does.
      await warned(
        serving,
        /Cannot (accept|start a process) for now: (accept4?|socketpair): EMFILE/,
      );
      await expectNoSpin(serving.server.pids, answer);
      if (traits.capacity !== 'one')
        expect(await ask(first!, QUESTION, ANSWER.length)).toBe(ANSWER);
      allow(pids, ENOUGH);
      expect(await answer).toBe(ANSWER);
      await late.close();
      await first!.close();
      await expectCalmEnd(serving, since, /Cannot (accept|start a process) for now/);
    });

    it('makes callback ignore its listener if it cannot listen again, and listen when there are some', async () => {
      const since = performance.now();
      const serving = await Serving.start({ architecture: 'callback', limits: { connections: 1 } });
      // This client makes the server full, so that it does not listen.
      const only = await NetClient.connect(serving.address);
      expect(await ask(only, QUESTION, ANSWER.length)).toBe(ANSWER);
      const pids = serving.processes;
      allow(pids, NONE);
      await only.close();
      await warned(serving, /Cannot listen for now: .*EMFILE/);
      const late = await NetClient.connect(serving.address);
      const answer = ask(late, QUESTION, ANSWER.length);
      await expectNoSpin(serving.server.pids, answer);
      allow(pids, ENOUGH);
      expect(await answer).toBe(ANSWER);
      await late.close();
      await expectCalmEnd(serving, since, /Cannot listen for now/);
    });
  },
);

describe.runIf(hasProgram('prlimit', 'util-linux'))(
  'out of descriptors',
  { concurrent: true },
  () => {
    // Each connection of the server takes one descriptor, and there are few.
    const limitedCommand = (architecture: string, descriptors: number, ...options: string[]) =>
      new Process('/bin/sh', [
        '-c',
        `ulimit -n ${descriptors}; exec "$0" "$@"`,
        process.execPath,
        mondo,
        ...['serve', architecture, '-p', '0', '--limit', 'idle=1m', ...options],
      ]);
    /** The same, without a limit on connections; its worker has this limit once it serves. */
    async function limited(architecture: string, descriptors: number, options: ServeOptions = {}) {
      const limits = { idle: 60_000, connections: UNBOUNDED };
      const serving = await Serving.start({ architecture, limits, ...options });
      allow(serving.server.pids, descriptors);
      return serving;
    }
    const refusedBy = (serving: Serving) =>
      serving.events.filter((event) => event.type === 'refused' && event.reason === 'connections');
    /** More clients than any of these servers has descriptors. */
    const CROWD = 150;

    /** No loop spins while an admitted client is silent. */
    async function expectCalm(pids: readonly number[], client: NetClient): Promise<void> {
      const nothing = client.receive(1);
      nothing.catch(() => {});
      await expectNoSpin(pids, nothing);
      await client.send(QUESTION);
      expect((await nothing) + (await client.receive(ANSWER.length - 1))).toBe(ANSWER);
    }

    /** Each client of a crowd is answered or refused, and some are answered. */
    async function expectOutcomes(address: SocketAddress): Promise<void> {
      const clients = await Promise.all(
        Array.from({ length: CROWD }, () => NetClient.connect(address)),
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
      expect(count('answered') + count('refused')).toBe(CROWD);
      expect(count('answered')).toBeGreaterThan(0);
    }

    it.each([
      ['epoll', 64, 64],
      ['uring', 64, 64],
      ['callback', 64, 64],
      // Each thread needs descriptors of its own.
      ['socketserver', 128, 20],
    ])('%s never occurs with the default limit: further clients wait', async (architecture, descriptors, crowd) => {
      await using server = limitedCommand(architecture, descriptors);
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
      ['generator', 48],
      ['asyncore', 48],
      // Every other architecture on system calls accepts no more clients than it serves.
      ['queued', 64],
    ])('%s serves its clients, refuses the next one, and recovers; no crowd ends a worker', async (architecture, descriptors) => {
      const since = performance.now();
      const threads = architecture === 'queued' ? { threads: 1 } : {};
      const serving = await limited(architecture, descriptors, threads);
      const { address } = serving;
      const first = await NetClient.connect(address);
      expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
      const more = await Promise.all(Array.from({ length: 60 }, () => NetClient.connect(address)));
      await warned(serving, /Cannot accept for now: .*EMFILE/);
      await until('a client to be refused', () => refusedBy(serving).length > 0);
      // Admitted clients are served at all times.
      await expectCalm(serving.server.pids, first);
      expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
      for (const client of [first, ...more]) await client.close();
      await until('room for another', async () => {
        const client = await NetClient.connect(address);
        const answer = await ask(client, QUESTION, ANSWER.length).catch(() => '');
        await client.close();
        return answer === ANSWER;
      });
      await expectOutcomes(address);
      await expectCalmEnd(serving, since, /Cannot accept for now/);
    });

    it('inetd answers or refuses each of many clients that come at once, and no worker dies', async () => {
      const since = performance.now();
      const serving = await limited('inetd', 64);
      await expectOutcomes(serving.address);
      await expectCalmEnd(serving, since, /Cannot start a process/);
    });

    it('socketserver keeps clients for which no thread can be started, until others have finished; no crowd ends its worker', async () => {
      const since = performance.now();
      const serving = await limited('socketserver', 96);
      const { address } = serving;
      const first = await NetClient.connect(address);
      expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
      const more = await Promise.all(Array.from({ length: 40 }, () => NetClient.connect(address)));
      const missing = warned(serving, /Cannot start a thread for a client, which waits: EMFILE/);
      const answers = more.map(async (client) => {
        const answer = await ask(client, QUESTION, ANSWER.length).catch(() => 'refused');
        // Clients with a thread keep it until a thread is missing.
        await missing;
        await client.close();
        return answer;
      });
      const refused = (await Promise.all(answers)).filter((answer) => answer !== ANSWER);
      // If no descriptor is left to accept with, the next client is refused, and the journal says so.
      await until('the journal', () => refusedBy(serving).length >= refused.length);
      expect(refusedBy(serving)).toHaveLength(refused.length);
      expect(refused.length).toBeLessThan(more.length / 2);
      expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
      await first.close();
      await expectOutcomes(address);
      expect(warnings(serving).join()).toMatch(/EMFILE/);
      await expectCalmEnd(serving, since, /Cannot start a thread/);
    });

    it('callback reports it, and serves its clients while Node refuses the next ones', async () => {
      const since = performance.now();
      await using server = limitedCommand('callback', 48, '--limit', 'connections=off');
      const address = await listeningAt(server);
      const first = await NetClient.connect(address);
      expect(await ask(first, QUESTION, ANSWER.length)).toBe(ANSWER);
      const more = await Promise.all(Array.from({ length: 60 }, () => NetClient.connect(address)));
      await server.printed(/All 48 descriptors are in use \(EMFILE\)/);
      await expectCalm([server.pid], first);
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
      await expectOutcomes(address);
      server.child.kill('SIGTERM');
      const { code, stdout, stderr } = await server.ended();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).not.toMatch(/ died| failed/);
    });
  },
);
