import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { eventText } from '../../src/host/server-event.ts';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { mondo, Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { staysPending, until } from '../support/until.ts';

/** A server with its events, and silent clients that connect to it. */
async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0 }, (event) => events.push(event));
  const silent: Socket[] = [];
  return {
    server,
    events,
    silent,
    count: (type: ServerEvent['type']) => events.filter((event) => event.type === type).length,
    async connectSilent(count: number): Promise<void> {
      for (let i = 0; i < count; i++) {
        const socket = connect(server.port, '127.0.0.1');
        socket.on('error', () => {});
        await new Promise((resolve) => socket.once('connect', resolve));
        silent.push(socket);
      }
    },
    ask: (question: string) =>
      new Promise<string>((resolve) => {
        const socket = connect(server.port, '127.0.0.1');
        let answer = '';
        socket.on('data', (data) => {
          answer += data;
        });
        // A refusal with an unread question is a reset, and not an answer.
        socket.on('error', () => {});
        socket.on('close', () => resolve(answer));
        socket.end(question);
      }),
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of silent) socket.destroy();
      await server.close();
    },
  };
}

describe('queued', () => {
  it('shows how many sockets wait in its queue, and stops accepting when it is full', async () => {
    await using served = await started({ architecture: 'queued', threads: 2, queue: 3 });
    await served.connectSilent(2);
    await until('both workers to be busy', () => {
      const states = served.server.workers().map(({ state }) => state);
      return states.filter((state) => state === 'receiving').length === 2;
    });
    expect(served.server.queued).toBe(0);

    await served.connectSilent(3);
    await until('three in the queue', () => served.server.queued === 3);
    await until('five to be accepted', () => served.count('accepted') === 5);
    expect(served.events.at(-1)).toMatchObject({ type: 'accepted', queued: 3 });

    // The acceptor accepts one more, holds it, and then sleeps; the others stay in the kernel.
    await served.connectSilent(3);
    await until('the acceptor to hold one', () => served.count('accepted') === 6);
    const seventh = until('a seventh', () => served.count('accepted') > 6);
    expect(await staysPending(seventh)).toBe(true);

    const answer = served.ask('Simple is better than?');
    for (const socket of served.silent.splice(0)) socket.destroy();
    expect(await answer).toBe('Complex.');
    await until('an empty queue', () => served.server.queued === 0);
    await seventh;
  });
});

describe('socketserver', () => {
  const isOfNoCap = (event: ServerEvent) =>
    event.type === 'warning' &&
    /clients decide how many threads start.*--max-threads/.test(event.text);

  it.each([
    'threading',
    'forking',
  ] as const)('%s starts no more than --max-threads', async (mixin) => {
    await using served = await started({ architecture: 'socketserver', mixin, maxThreads: 2 });
    expect(served.events.filter(isOfNoCap)).toEqual([]);
    await served.connectSilent(2);
    await until('two conversations', () => served.count('accepted') === 2);
    const third = served.ask('Beautiful is better than?');
    expect(await staysPending(third)).toBe(true);
    expect(served.count('accepted')).toBe(2);
    served.silent.pop()!.destroy();
    expect(await third).toBe('Ugly.');
  });

  it('warns at the start if there is no cap', async () => {
    await using served = await started({ architecture: 'socketserver' });
    await until('a warning', () => served.events.some(isOfNoCap));
  });
});

describe('select', () => {
  it('refuses clients past descriptor 1023, and continues to serve the others', async () => {
    await using served = await started({ architecture: 'select' });
    await served.connectSilent(1020);
    await until('a refusal', () => served.count('refused') > 0);
    const refused = served.events.find((event) => event.type === 'refused')!;
    expect(refused.reason).toBe('descriptor');
    expect(eventText(refused)).toMatch(/its descriptor is past 1023/);
    expect(served.server.counts()).toEqual({ descriptor: expect.any(Number) });
    expect(await served.ask('Simple is better than?')).toBe('');
    const all = 1020 + 1;
    await until('all to be accepted', () => served.count('accepted') === all);

    const [first] = served.silent;
    const answer = new Promise((resolve) => first!.once('data', (data) => resolve(String(data))));
    first!.write('Simple is better than?');
    expect(await answer).toBe('Complex.');
    for (const socket of served.silent.splice(0, 100)) socket.destroy();
    await until('the server to notice that they closed', () => served.count('closed') >= 100);
    expect(await served.ask('Explicit is better than?')).toBe('Implicit.');
  });
});

describe.runIf(hasProgram('strace', 'strace'))('with io_uring switched off', () => {
  const withoutUring = (...words: string[]) =>
    new Process('strace', [
      ...['-f', '-qq', '-o', '/dev/null', '-e', 'inject=io_uring_setup:error=EPERM'],
      ...[process.execPath, mondo, 'serve', ...words],
    ]);

  it('uring names the reason and the alternative in one line, and exits 1', async () => {
    await using server = withoutUring('uring', '127.0.0.1', '-p', '0');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^mondo: Cannot serve with io_uring: .*switched off.*epoll\n$/);
  });

  it('serve without a name takes epoll, and says why', async () => {
    await using server = withoutUring();
    // Port 1060 may be in use: the choice is reported before the server tries it.
    const [, name] = await server.printed(/Serving with (\w+): .*switched off/);
    expect(name).toBe('epoll');
    server.signalGroup('SIGTERM');
    await server.ended();
  });
});

describe('serve without a name', () => {
  it('takes uring if the kernel has it, and says why', async () => {
    await using served = await started({});
    expect(served.server.architecture).toBe('uring');
    expect(served.events[0]).toMatchObject({ type: 'chose', architecture: 'uring' });
    expect(await served.ask('Beautiful is better than?')).toBe('Ugly.');
  });

  it('takes callback for a service that is an object', async () => {
    await using served = await started({ service: { delimiter: '!', answer: (q) => `${q}?` } });
    expect(served.server.architecture).toBe('callback');
    expect(served.server.pids).toEqual([]);
    expect(await served.ask('so!')).toBe('so!?');
  });
});
