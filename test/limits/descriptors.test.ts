import { execFileSync } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { look } from '../../src/os/processes.ts';
import { ask, NetClient } from '../support/clients.ts';
import { acceptedAt } from '../support/kernel.ts';
import { descendantsOf, mondo, Process, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { architectures } from '../support/serving.ts';
import { MS, staysPending, until } from '../support/until.ts';

const CONNECTIONS = 20_000;
const AT_ONCE = 40;
const DESCRIPTORS = 100;

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';

const echo = join(import.meta.dirname, '..', 'support', 'services', 'echo.ts');

/** Asks one question of its own on a connection of its own; resolves with what came back. */
function askOnce(port: number, question: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let answer = '';
    const socket = connect(port, '127.0.0.1', () => socket.write(question));
    socket.setEncoding('latin1');
    socket.on('data', (data) => {
      answer += data;
      if (answer.length >= question.length + 1) socket.destroy();
    });
    socket.on('error', reject);
    socket.on('close', () => resolve(answer));
  });
}

describe(`${CONNECTIONS} short connections through ${DESCRIPTORS} descriptors`, () => {
  it.each([
    'uring',
    'epoll',
    'generator',
  ])('reach their own client each: %s', async (architecture) => {
    const command = `ulimit -n ${DESCRIPTORS}; exec "$@"`;
    const words = ['serve', architecture, '127.0.0.1', '-p', '0', '--log', 'none'];
    await using server = new Process('sh', [
      ...['-c', command, 'sh', process.execPath, mondo],
      ...[...words, '--service', echo],
    ]);
    const port = Number((await server.printed(/127\.0\.0\.1:(\d+)/))[1]);
    let next = 0;
    const wrong: string[] = [];
    const client = async () => {
      while (next < CONNECTIONS) {
        const question = `client ${next++}?`;
        const answer = await askOnce(port, question);
        if (answer !== `${question}!`) wrong.push(`${question} got ${answer}`);
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, client));
    expect(wrong).toEqual([]);
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  }, 120_000);
});

describe.skipIf(!hasProgram('strace', 'strace'))('an accept that fails', () => {
  const FAILURES = 5;
  /** Each of its threads finds that error so many times before it accepts anybody. */
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
    // libuv tries again by itself, and tells nobody.
    ['callback', 'ENOMEM', 0],
    ['coroutine', 'ENOBUFS', 0],
    // It is the peer's fault and not the server's: no word of it.
    ['threaded', 'ECONNABORTED', 0],
    ['epoll', 'EPROTO', 0],
    ['callback', 'ECONNABORTED', 0],
  ])('neither ends %s nor fills its log: %s', async (architecture, error, lines) => {
    await using server = failing(architecture, error);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
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
});

describe.skipIf(!hasProgram('prlimit', 'util-linux'))('no descriptor at all', () => {
  /** As many as these processes may have from now on; none of those they have is taken. */
  const allow = (pids: readonly number[], count: number) => {
    for (const pid of pids) execFileSync('prlimit', ['--pid', `${pid}`, `--nofile=${count}:`]);
  };
  /** Fewer than any of them has. */
  const NONE = 5;
  const ENOUGH = 1000;
  const portOf = (client: NetClient) => Number(client.peer.split(':')[1]);
  // Node keeps a descriptor for that day itself: see leaving/leaving.test.ts.
  const ours = architectures.filter(({ traits }) => traits.arrangement !== 'node');

  it.each(
    ours,
  )('has $title leave the listener alone, and accept again when there are some', async ({
    options,
    traits,
    capacity,
  }) => {
    await using server = spawnMondo(
      ...['serve', options.architecture!, '-p', '0'],
      // Far from the limit io_uring goes by the number that was allowed when it was asked to accept.
      ...['--limit', 'connections=100'],
    );
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    // All threads of a pool are there once they have a client each.
    const all = Number.isFinite(capacity) ? capacity : 1;
    const served = await Promise.all(Array.from({ length: all }, () => NetClient.connect(address)));
    for (const client of served) expect(await ask(client, QUESTION, ANSWER.length)).toBe(ANSWER);
    const [first, ...others] = served;
    for (const client of traits.capacity === 'one' ? served : others) await client.close();
    const pids = descendantsOf(server.pid);
    allow(pids, NONE);
    // A thread that was asleep in accept(2) has the descriptor for one more already.
    const [late, answer] = await until('nobody to be accepted any more', async () => {
      const client = await NetClient.connect(address);
      const reply = ask(client, QUESTION, ANSWER.length);
      const isPending = await staysPending(reply, 300);
      if (isPending && !acceptedAt(address.port).includes(portOf(client)))
        return [client, reply] as const;
      reply.catch(() => {});
      await client.close();
      return undefined;
    });
    await server.printed(/Cannot accept for now: accept4?: EMFILE/);
    const before = look(server.pid).cpu;
    expect(await staysPending(answer, 1000)).toBe(true);
    // To try without a pause would take all of that time, of each thread.
    expect(look(server.pid).cpu - before).toBeLessThan(500 * MS);
    if (traits.capacity !== 'one') expect(await ask(first!, QUESTION, ANSWER.length)).toBe(ANSWER);
    allow(pids, ENOUGH);
    expect(await answer).toBe(ANSWER);
    await late.close();
    await first!.close();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout.match(/Cannot accept for now/g)!.length).toBeLessThan(4);
    expect(stdout).not.toMatch(/ died| failed/);
  });

  it.each([
    'callback',
    'coroutine',
  ])('has %s leave its listener alone where it cannot listen again, and do so when there are some', async (architecture) => {
    await using server = spawnMondo('serve', architecture, '-p', '0', '--limit', 'connections=1');
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    // With it the server is full, and does not listen.
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
    // To try without a pause would take all of that time.
    expect(look(server.pid).cpu - before).toBeLessThan(500 * MS);
    allow(pids, ENOUGH);
    expect(await answer).toBe(ANSWER);
    await late.close();
    server.child.kill('SIGTERM');
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout.match(/Cannot listen for now/g)!.length).toBeLessThan(4);
    expect(stdout).not.toMatch(/ died| failed/);
  });
});
