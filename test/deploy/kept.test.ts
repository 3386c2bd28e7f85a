/** Servers on a listener that another process keeps: a stop and a start lose no client. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { libc } from '../../src/os/libc.ts';
import { close, localAddress, openListener } from '../../src/os/socket.ts';
import { spawnManaged } from '../support/activated.ts';
import { descendantsOf } from '../support/kernel.ts';
import { NotifyRecorder } from '../support/notify-recorder.ts';
import { isAlive, type Process } from '../support/processes.ts';
import { isRefused } from '../support/serve-command.ts';
import { distinct } from '../support/serving.ts';
import { staysPending, until, untilSo } from '../support/until.ts';

const QUESTION = 'Beautiful is better than?';
const ANSWER = 'Ugly.';

/** Clients that each ask one question, one client after the other in each of `size` rows. */
function visitors(port: number, size: number) {
  const faults: string[] = [];
  let served = 0;
  let isOver = false;
  const visit = () =>
    new Promise<void>((resolve) => {
      let received = '';
      const socket = connect(port, '127.0.0.1').setEncoding('latin1');
      socket.on('data', (text: string) => {
        received += text;
        if (received.length >= ANSWER.length) socket.destroy();
      });
      socket.on('error', (error) => faults.push(error.message));
      socket.on('close', () => {
        if (received === ANSWER) served++;
        else faults.push(`closed after "${received}"`);
        resolve();
      });
      socket.write(QUESTION);
    });
  const row = async () => {
    while (!isOver) await visit();
  };
  const all = Array.from({ length: size }, row);
  return {
    faults,
    get served() {
      return served;
    },
    async stop() {
      isOver = true;
      await Promise.all(all);
    },
  };
}

type Row = ReturnType<typeof visitors>;

const IPPROTO_TCP = 6;
const TCP_DEFER_ACCEPT = 9;

function kept(): number {
  const loopback = { family: 'IPv4', host: '127.0.0.1', port: 0 } as const;
  return openListener(loopback, { backlog: 512 });
}

/**
 * A listener whose clients can be accepted only once their question is here. So a busy machine cannot delay a question
 * until the time of its client is over.
 */
function keptUntilAsked(): number {
  const listener = kept();
  const seconds = Uint8Array.from([60, 0, 0, 0]);
  libc.setsockopt(listener, IPPROTO_TCP, TCP_DEFER_ACCEPT, seconds, seconds.length);
  return listener;
}

function portOf(listener: number): number {
  const address = localAddress(listener);
  return address.family === 'unix' ? 0 : address.port;
}

const start = async (listener: number, ...args: string[]): Promise<Process> => {
  const server = spawnManaged([listener], ['serve', ...args]);
  await server.printed(/Listening at 127\.0\.0\.1/);
  return server;
};

async function stop(server: Process): Promise<void> {
  const processes = [server.pid, ...descendantsOf(server.pid)];
  server.child.kill('SIGTERM');
  const { code, stderr, stdout } = await server.ended();
  expect({ code, stderr, cut: / cut (\d+)/.exec(stdout)?.[1] }).toEqual({
    ...{ code: 0, stderr: '', cut: '0' },
  });
  expect(processes.filter(isAlive)).toEqual([]);
}

const O_NONBLOCK = 0o4000;
const isNonblocking = (fd: number) => {
  const [, flags = ''] = /^flags:\s+(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))!;
  return (Number.parseInt(flags, 8) & O_NONBLOCK) !== 0;
};

/** What was seen of a server. */
interface Seen {
  readonly faults: readonly string[];
  /** The mode of the listener while it served. */
  readonly isNonblocking: boolean;
}

/** Starts a server, serves clients, and stops it, while clients come all the time. */
async function turn(listener: number, args: readonly string[], row: Row): Promise<Seen> {
  const before = row.faults.length;
  const more = async () => {
    const { served } = row;
    await until('clients to be served', () => row.served > served + 20);
  };
  await using server = await start(listener, ...args);
  await more();
  const mode = isNonblocking(listener);
  await stop(server);
  // No server is there, and the kernel still connects clients.
  expect(await isRefused(portOf(listener))).toBe(false);
  return { faults: row.faults.slice(before), isNonblocking: mode };
}

/**
 * The turns of a chain: one server after the other on one listener, each with the mode of the listener that it needs.
 * Each code that serves clients has a turn, with several threads or processes if it can have them: they stop one after
 * the other.
 */
const chains: Readonly<Record<string, readonly (readonly [words: string, needs: boolean])[]>> = {
  one: [
    ['epoll --processes 2 --exclusive', true],
    ['single', false],
    ['callback --threads 2', true],
    ['uring --threads 2', false],
    ['inetd', true],
    ['socketserver', false],
  ],
  another: [
    ['threaded --threads 2', false],
    ['coroutine --processes 2', true],
    ['queued --threads 2', false],
    ['socketserver --mixin forking', true],
    ['generator', true],
    ['asyncore', true],
    ['inetd --inetd wait', false],
  ],
};

it('each code that serves clients has its turn', () => {
  const all = Object.values(chains).flatMap((turns) => turns.map(([words]) => words.split(' ')[0]));
  const names = distinct.map(({ traits }) => traits.name as string);
  expect([...new Set(all)].toSorted()).toEqual(['single', ...names].toSorted());
});

// A stop and a start, again and again: the first server of a chain has the last clients of no other.
describe.concurrent('stops and starts on a listener that another process keeps', () => {
  it.each(
    Object.keys(chains),
  )('lose no client, and each server finds the listener in the mode it needs: %s chain', {
    timeout: 0,
  }, async (name) => {
    const listener = keptUntilAsked();
    const row = visitors(portOf(listener), 4);
    const seen: Record<string, Seen | string> = {};
    const expected: Record<string, Seen> = {};
    for (const [words, needs] of chains[name]!) {
      // A turn that fails leaves the listener to the next.
      seen[words] = await turn(listener, words.split(' '), row).catch(String);
      expected[words] = { faults: [], isNonblocking: needs };
    }
    // The last clients wait in the accept queue.
    await using last = await start(listener, 'epoll');
    await row.stop();
    await stop(last);
    close(listener);
    expect(seen).toEqual(expected);
    expect(row.faults).toEqual([]);
  });
});

describe('a stop on a listener that another process keeps', () => {
  /** The answer to a question that comes 100 ms after the stop has begun. */
  async function answerAfterStop(name: string, listener: number): Promise<string> {
    using manager = new NotifyRecorder();
    const more = { NOTIFY_SOCKET: manager.name };
    await using server = spawnManaged([listener], ['serve', name], more);
    await server.printed(/Listening/);
    const client = connect(portOf(listener), '127.0.0.1').setEncoding('latin1');
    let received = '';
    client.on('data', (text: string) => (received += text));
    const closed = once(client, 'close');
    await server.printed(/Accepted connection/);
    server.child.kill('SIGTERM');
    await manager.has('STOPPING');
    if (await staysPending(closed, 100)) client.write(QUESTION);
    await closed;
    expect((await server.ended()).code).toBe(0);
    return received;
  }

  it.each([
    'single',
    'epoll',
    'uring',
    'callback',
  ])('waits for the first question of a client that %s has just accepted', async (name) => {
    const listener = kept();
    // A busy machine may delay the question for more than 250 ms.
    const isAnswered = (answer: string) => answer === ANSWER;
    expect(await untilSo(() => answerAfterStop(name, listener), isAnswered)).toBe(ANSWER);
    close(listener);
  });
});
