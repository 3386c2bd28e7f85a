/** Whoever is ended or refused is so for a reason that has a name: in the journal and in the counts alike, everywhere. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { architectures } from '../support/serving.ts';
import { MS, staysPending, until } from '../support/until.ts';

const QUESTION = 'Simple is better than?';
const ANSWER = 'Complex.';
const talker = new URL('../support/services/talker.ts', import.meta.url);

async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0 }, (event) => events.push(event));
  const sockets: Socket[] = [];
  const told = () =>
    events.flatMap((event) => {
      if (event.type !== 'limited' && event.type !== 'refused') return [];
      return [{ ...event, reason: event.type === 'limited' ? event.limit : event.reason }];
    });
  return {
    server,
    told,
    connect(from = '127.0.0.1'): Socket {
      const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: from });
      sockets.push(socket.setEncoding('latin1').on('error', () => {}));
      return socket;
    },
    /** The journal and the counts have all of these, and nothing else. */
    async expectReasons(expected: Readonly<Record<string, number>>): Promise<void> {
      const sum = Object.values(expected).reduce((all, one) => all + one, 0);
      await until('the journal', () => told().length >= sum).catch(() => {});
      const journal: Record<string, number> = {};
      for (const { reason } of told()) journal[reason] = (journal[reason] ?? 0) + 1;
      expect(journal).toEqual(expected);
      expect(server.counts()).toEqual(expected);
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await server.close();
    },
  };
}

const closed = (socket: Socket) => {
  socket.resume();
  return until('the end', () => socket.closed);
};

/** Whether a client's question is answered; false if its connection ends instead. */
async function isServed(socket: Socket): Promise<boolean> {
  let received = '';
  socket.on('data', (data) => {
    received += data;
  });
  socket.write(QUESTION);
  await until('an answer or the end', () => socket.closed || received.length >= ANSWER.length);
  return received === ANSWER;
}

describe.each(architectures)('$title', ({ options, traits }) => {
  it('tells and counts each limit on a conversation', async () => {
    const limits = {
      ...{ idle: 300 * MS, questionTime: 600 * MS, answerTime: 300 * MS, age: 1500 * MS },
      ...{ questionSize: 1000, questions: 300 },
    };
    await using served = await started({ ...options, service: talker, limits });
    const peers: string[] = [];
    const end = async (act: (socket: Socket) => unknown) => {
      const socket = served.connect();
      await once(socket, 'connect');
      peers.push(`127.0.0.1:${socket.localPort}`);
      const timer = act(socket);
      await (socket.isPaused()
        ? until('the limit', () => served.told().length === peers.length)
        : closed(socket));
      clearInterval(timer as NodeJS.Timeout | undefined);
      socket.destroy();
      await until('its account', () => served.told().length === peers.length);
    };
    await end(() => {});
    await end((socket) => setInterval(() => socket.write('x'), 75 * MS));
    await end((socket) => {
      socket.write('x'.repeat(1200));
    });
    await end((socket) => {
      socket.write('count?'.repeat(400));
    });
    await end((socket) => {
      socket.pause();
      socket.write('big?'.repeat(200));
    });
    await end((socket) => {
      socket.write('count?');
      return setInterval(() => socket.write('count?'), 75 * MS);
    });
    await served.expectReasons({
      ...{
        idle: 1,
        'question-time': 1,
        'question-size': 1,
        questions: 1,
        'answer-time': 1,
        age: 1,
      },
    });
    expect(served.told().map(({ peer }) => peer)).toEqual(peers);
    for (const event of served.told()) {
      const number = expect.any(Number);
      expect(event).toMatchObject({ at: number, pid: number, tid: number, worker: number });
    }
  });

  it('counts the same with dryRun, and neither ends anybody nor tells of it', async () => {
    const limits = {
      ...{ idle: 200 * MS, questionTime: 300 * MS, answerTime: 200 * MS, age: 400 * MS },
      ...{ questionSize: 1000, questions: 3, unsentTotal: 1000 },
    };
    await using served = await started({ ...options, service: talker, limits, dryRun: true });
    const counted = async (reason: string, act: (socket: Socket) => unknown) => {
      const socket = served.connect();
      const before = served.server.counts()[reason] ?? 0;
      const timer = act(socket);
      await until(reason, () => (served.server.counts()[reason] ?? 0) > before);
      clearInterval(timer as NodeJS.Timeout | undefined);
      return socket;
    };
    const drip = (text: string) => (socket: Socket) => {
      socket.write(text);
      return setInterval(() => socket.write(text), 50 * MS);
    };
    const answered = async (socket: Socket) => {
      let received = '';
      socket.on('data', (data) => {
        received += data;
      });
      socket.write('count?');
      await until('an answer', () => /\d\.$/.test(received));
      socket.destroy();
    };
    await answered(await counted('idle', () => {}));
    await answered(await counted('questions', (socket) => socket.write('count?'.repeat(5))));
    await answered(await counted('age', drip('count?')));
    for (const [reason, act] of [
      ['question-time', drip('x')],
      ['question-size', (socket: Socket) => socket.write('x'.repeat(1200))],
      ['answer-time', (socket: Socket) => socket.pause().write('big?'.repeat(200))],
      ['unsent-total', (socket: Socket) => socket.pause().write('big?'.repeat(200))],
    ] as const) {
      const socket = await counted(reason, act);
      expect(
        await staysPending(
          until('the end', () => socket.closed),
          100,
        ),
      ).toBe(true);
      socket.destroy();
    }
    expect(served.told()).toEqual([]);
  });

  it('tells and counts each reason at the door', async () => {
    const limits = {
      ...{ deny: ['127.0.0.2'], allow: ['127.0.0.0/29'] },
      ...{ acceptsPerSecond: 2, connectionsPerAddress: 1, connections: 100 },
    };
    await using served = await started({ ...options, limits, whenFull: 'random:2:100:50' });
    const come = async (from: string): Promise<[Socket, boolean]> => {
      const socket = served.connect(from);
      return [socket, await isServed(socket)];
    };
    const expected: Record<string, number> = { deny: 1, allow: 1 };
    expect((await come('127.0.0.2'))[1]).toBe(false);
    expect((await come('127.0.0.9'))[1]).toBe(false);
    await until('one to come too often', async () => {
      const [socket] = await come('127.0.0.7');
      socket.destroy();
      return (served.server.counts()['accepts-per-second'] ?? 0) > 0;
    });
    expected['accepts-per-second'] = served.server.counts()['accepts-per-second']!;
    // It may still have a place when it comes again.
    const greedy = served.server.counts()['connections-per-address'];
    if (greedy !== undefined) expected['connections-per-address'] = greedy;
    if (traits.capacity !== 'one') {
      await until('all to have left', () =>
        served.server.workers().every(({ open }) => open === 0),
      );
      expect((await come('127.0.0.3'))[1]).toBe(true);
      expect((await come('127.0.0.3'))[1]).toBe(false);
      expect((await come('127.0.0.4'))[1]).toBe(true);
      expect((await come('127.0.0.5'))[1]).toBe(false);
      expected['connections-per-address'] = (greedy ?? 0) + 1;
      expected.early = 1;
    }
    await served.expectReasons(expected);
  });
});

it.each([
  'wait',
  'busy',
  'reset',
  'random',
] as const)('single is never full for whoever comes, for it accepts nobody meanwhile: %s', async (whenFull) => {
  const limits = { connections: 1 };
  await using served = await started({ architecture: 'single', limits, whenFull });
  const first = served.connect();
  expect(await isServed(first)).toBe(true);
  const second = isServed(served.connect());
  expect(await staysPending(second, 100)).toBe(true);
  first.destroy();
  expect(await second).toBe(true);
  expect(served.server.counts()).toEqual({});
});
