import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { LARGE } from '../support/services/large.ts';
import { BIG, GREETING } from '../support/services/talker.ts';
import { shared } from '../support/shared.ts';
import { inTime, MS, steady, until } from '../support/until.ts';

// These tests wait most of their time.
vi.setConfig({ maxConcurrency: 12 });

/** Each I/O model enforces limits in its own way. */
const variants: readonly ServeOptions[] = [
  { architecture: 'single' },
  { architecture: 'threaded', threads: 4 },
  { architecture: 'queued' },
  { architecture: 'prefork' },
  { architecture: 'socketserver' },
  { architecture: 'inetd' },
  { architecture: 'select' },
  { architecture: 'poll' },
  { architecture: 'epoll' },
  { architecture: 'uring' },
  { architecture: 'generator' },
  { architecture: 'asyncore' },
  { architecture: 'callback' },
  { architecture: 'coroutine' },
];

/** In ms. The limits differ enough that none can be taken for another. */
const IDLE = 600 * MS;
const QUESTION_TIME = 1200 * MS;
const ANSWER_TIME = 300 * MS;

const AGE = 600 * MS;

/** For limits that are only counted. */
const SHORT = 100 * MS;

const talker = new URL('../support/services/talker.ts', import.meta.url);

async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0 }, (event) => events.push(event));
  const sockets: Socket[] = [];
  const endings = () => events.filter((event) => event.type === 'limited');
  return {
    server,
    limited: () => endings().map(({ limit }) => limit),
    endings,
    /** The limit that ended this client; any other end is an error. */
    async limitOf(socket: Socket): Promise<string> {
      if (socket.connecting) await once(socket, 'connect');
      const peer = `127.0.0.1:${socket.localPort}`;
      const event = await until('the end', () =>
        events.find((one) => 'peer' in one && one.peer === peer && one.type !== 'accepted'),
      );
      return event.type === 'limited' ? event.limit : JSON.stringify(event);
    },
    connect(onData: (data: string) => void = () => {}): Socket {
      const socket = connect(server.port, '127.0.0.1');
      socket
        .setEncoding('latin1')
        .on('data', onData)
        .on('error', () => {});
      sockets.push(socket);
      return socket;
    },
    async [Symbol.asyncDispose](): Promise<void> {
      for (const socket of sockets) socket.destroy();
      await server.close();
    },
  };
}

type Served = Awaited<ReturnType<typeof started>>;

/**
 * A server for several tests. At its end, the counts and the journal must be the same. The tests run one after the
 * other if it serves one client at a time.
 */
function sharedServer(options: ServeOptions, isOne: boolean) {
  const start = async (): Promise<Served> => {
    const served = await started(options);
    return {
      ...served,
      async [Symbol.asyncDispose]() {
        const counts: Record<string, number> = {};
        for (const event of served.endings()) {
          counts[event.limit] = (counts[event.limit] ?? 0) + 1;
          const number = expect.any(Number);
          expect(event).toMatchObject({ at: number, pid: number, tid: number, worker: number });
        }
        expect(served.server.counts()).toEqual(counts);
        await served[Symbol.asyncDispose]();
      },
    };
  };
  const turn = shared(start, isOne);
  return (test: (served: Served) => Promise<void>) =>
    turn(async (served) => {
      const own: Socket[] = [];
      const connect: Served['connect'] = (onData) => {
        const socket = served.connect(onData);
        own.push(socket);
        return socket;
      };
      try {
        await test({ ...served, connect });
      } finally {
        for (const socket of own) socket.destroy();
      }
    });
}

/** Resolves after that time in ms: to show that something does not happen during it. */
function passed(ms: number): Promise<true> {
  const due = performance.now() + ms;
  return until('time to pass', () => performance.now() >= due);
}

/** Waits for the connection. The server may have it from this beat on. */
async function arrival(client: Socket, beat: () => void): Promise<void> {
  beat();
  await once(client, 'connect');
}

/** Waits for an answer, but only while the connection exists. */
const answered = (client: Socket, isThere: () => boolean) =>
  until('an answer', () => {
    if (client.closed && !isThere()) throw new Error('The server closed before it answered');
    return isThere();
  });

const closed = (socket: Socket) => until('the end', () => socket.closed);

/** Variants that serve several clients at once; also with threads and processes if they are not built on them. */
const several: readonly ServeOptions[] = [
  ...variants.slice(1),
  { architecture: 'socketserver', mixin: 'forking' },
  { architecture: 'epoll', threads: 2 },
  { architecture: 'uring', processes: 2, reuseport: true },
  { architecture: 'callback', threads: 2 },
];

describe.concurrent('the total of unsent bytes', () => {
  const service = new URL('../support/services/large.ts', import.meta.url);
  const limits = { unsentTotal: LARGE + 2 ** 20, answerTime: 0 };

  /** A client with the beginning of its large answer. It reads no more until the test calls `readsAll`. */
  async function unreading(served: Awaited<ReturnType<typeof started>>) {
    let size = 0;
    let isReading = false;
    const socket: Socket = served.connect((data) => {
      size += data.length;
      if (!isReading) socket.pause();
    });
    socket.write('x?');
    await until('the beginning of an answer, or the end', () => size > 0 || socket.closed);
    return {
      socket,
      /** False if the server closed the connection before the client had all. */
      async readsAll() {
        isReading = true;
        socket.resume();
        await until('all of the answer, or the end', () => size === LARGE || socket.closed);
        return size === LARGE;
      },
    };
  }

  it.each(
    several.map((options) => [Object.values(options).join(' '), options] as const),
  )('is counted over all threads and processes of %s', async (_, options) => {
    await using served = await started({ ...options, service, limits });
    const first = await unreading(served);
    expect(served.server.counts()).toEqual({});
    // Each client has fewer unsent bytes than the limit, and both together have more.
    await unreading(served);
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['unsent-total']);
    expect(await first.readsAll()).toBe(true);
    // A worker counts a moment later what the kernel took, and the client may have it already. A third client is
    // closed in that moment.
    await until('a third client to have all', async () => (await unreading(served)).readsAll());
    const counts = served.server.counts();
    expect(Object.keys(counts)).toEqual(['unsent-total']);
    await until('the accounts', () => served.limited().length === counts['unsent-total']);
  });

  it.each([
    'threaded',
    'prefork',
    'inetd',
    'epoll',
  ])('is given back by a process of %s that is killed', async (architecture) => {
    await using served = await started({ architecture, service, limits });
    const { server } = served;
    const first = await unreading(served);
    const { pid } = await until('its row', () => server.workers().find(({ open }) => open > 0));
    process.kill(pid, 'SIGKILL');
    first.socket.destroy();
    await until('its row to be free', () => server.workers().every((row) => row.pid !== pid));
    const second = await unreading(served);
    expect(await second.readsAll()).toBe(true);
    expect(server.counts()).toEqual({});
  });
});

/** Time limits: some clients exceed one, others stay within them. */
const times = { idle: IDLE, questionTime: QUESTION_TIME, questionSize: 1000 };

describe.concurrent.each(variants)('$architecture', (options) => {
  const isOne = options.architecture === 'single';

  const timed = sharedServer({ ...options, limits: times }, isOne);
  const takes = sharedServer(
    { ...options, service: talker, limits: { answerTime: ANSWER_TIME, questions: 250 } },
    isOne,
  );
  const aged = sharedServer(
    { ...options, service: talker, limits: { age: AGE, answerTime: 0 } },
    isOne,
  );

  it('closes a silent client, and serves the next one that waited', () =>
    timed(async (served) => {
      const since = performance.now();
      const silent = served.connect();
      const limit = served.limitOf(silent);
      await closed(silent);
      // It is not early; how late depends on the machine.
      expect(performance.now() - since).toBeGreaterThanOrEqual(IDLE * 0.98);
      expect(await limit).toBe('idle');

      await inTime(IDLE, async (beat) => {
        let answer = '';
        const honest = served.connect((data) => {
          answer += data;
        });
        await arrival(honest, beat);
        beat();
        honest.write('Simple is better than?');
        await answered(honest, () => answer === 'Complex.');
        honest.destroy();
      });
    }));

  it('keeps a client that asks again in time', () =>
    timed((served) =>
      inTime(IDLE, async (beat) => {
        let answers = '';
        const client = served.connect((data) => {
          answers += data;
        });
        await arrival(client, beat);
        const over = performance.now() + IDLE * 2.5;
        for (let i = 1; performance.now() < over; i++) {
          beat();
          client.write('Simple is better than?');
          await answered(client, () => answers.length === i * 'Complex.'.length);
          await passed(IDLE / 5);
        }
        client.destroy();
      }),
    ));

  it('closes a client that sends a question byte by byte, although it is never idle', () =>
    timed((served) =>
      inTime(IDLE, async (beat) => {
        const since = performance.now();
        const dripping = served.connect();
        const limit = served.limitOf(dripping);
        await arrival(dripping, beat);
        const drip = setInterval(() => {
          beat();
          dripping.write('x');
        }, IDLE / 5);
        await closed(dripping);
        beat();
        clearInterval(drip);
        expect(performance.now() - since).toBeGreaterThanOrEqual(QUESTION_TIME * 0.98);
        expect(await limit).toBe('question-time');
      }),
    ));

  it('keeps a client that ends each question in time, and starts the next in the same piece', () =>
    timed((served) =>
      inTime(IDLE, async (beat) => {
        const [end, beginning] = ['an?', 'Simple is better th'];
        let answers = '';
        const client = served.connect((data) => {
          answers += data;
        });
        const limit = served.limitOf(client);
        await arrival(client, beat);
        beat();
        client.write(beginning);
        const over = performance.now() + QUESTION_TIME * 1.5;
        for (let i = 1; performance.now() < over; i++) {
          await passed(QUESTION_TIME / 6);
          beat();
          client.write(end + beginning);
          await answered(client, () => answers.length === i * 'Complex.'.length);
        }
        // The last question has no end.
        await closed(client);
        expect(await limit).toBe('question-time');
      }),
    ));

  it('closes a client whose question never ends', () =>
    timed((served) =>
      inTime(IDLE, async (beat) => {
        const client = served.connect();
        const limit = served.limitOf(client);
        await arrival(client, beat);
        beat();
        client.write('x'.repeat(600));
        await new Promise((resolve) => client.write('x'.repeat(300), resolve));
        client.write('x'.repeat(200));
        beat();
        await closed(client);
        expect(await limit).toBe('question-size');
      }),
    ));

  it('closes a client that does not take its answers', () =>
    takes(async (served) => {
      const client = served.connect();
      const limit = served.limitOf(client);
      client.pause();
      client.write('big?'.repeat(200));
      expect(await limit).toBe('answer-time');
    }));

  it('closes after the limit of questions', () =>
    takes(async (served) => {
      let answers = '';
      const client = served.connect((data) => {
        answers += data;
      });
      const limit = served.limitOf(client);
      client.write('count?'.repeat(255));
      await closed(client);
      const numbers = Array.from({ length: 250 }, (_, i) => `${i + 1}.`);
      expect(answers).toBe(GREETING + numbers.join(''));
      expect(await limit).toBe('questions');
    }));

  it('closes an old client, although it asks without a pause', () =>
    aged((served) =>
      inTime(AGE / 3, async (beat) => {
        let answers = '';
        const since = performance.now();
        const client: Socket = served.connect((data) => {
          beat();
          answers += data;
          client.write('count?');
        });
        const limit = served.limitOf(client);
        await arrival(client, beat);
        await closed(client);
        beat();
        expect(performance.now() - since).toBeGreaterThanOrEqual(AGE * 0.98);
        const numbers = answers.slice(GREETING.length).split('.').slice(0, -1).map(Number);
        expect(numbers).toEqual(numbers.map((_, i) => i + 1));
        expect(numbers.length).toBeGreaterThan(1);
        expect(await limit).toBe('age');
      }),
    ));

  it('closes an old client that is never between two questions', () =>
    aged(async (served) => {
      const client: Socket = served.connect(() => client.write('nt?cou'));
      const limit = served.limitOf(client);
      client.write('count?cou');
      await closed(client);
      expect(await limit).toBe('age');
    }));

  it('closes an old client that never reads, if no other limit applies', () =>
    aged(async (served) => {
      const client = served.connect();
      const limit = served.limitOf(client);
      client.pause();
      client.write('big?'.repeat(200));
      expect(await limit).toBe('age');
    }));
});

/**
 * One architecture for each way to wait: the rules are those of terms.ts, and these tests show that each driver
 * reports to them what a connection is doing.
 */
const ways = variants.filter(({ architecture }) =>
  ['threaded', 'inetd', 'epoll', 'generator', 'uring', 'callback', 'coroutine'].includes(
    architecture!,
  ),
);

describe.concurrent.each(ways)('$architecture', (options) => {
  const thinking = { think: QUESTION_TIME * 0.7, thinkHow: 'defer' } as const;
  const quick = { think: 1, thinkHow: 'defer' } as const;
  const slower = { think: 20 * MS, thinkHow: 'defer' } as const;
  const wordy = new URL('../support/services/wordy.ts', import.meta.url);

  it('does not count the time of earlier answers for a question', async () => {
    await using served = await started({
      ...options,
      ...thinking,
      limits: { questionTime: QUESTION_TIME },
    });
    await inTime(QUESTION_TIME, async (beat) => {
      let answers = '';
      const client = served.connect((data) => {
        answers += data;
      });
      client.write('Simple is better than?'.repeat(2));
      await answered(client, () => answers === 'Complex.'.repeat(2));
      client.write('Simple is better th');
      beat();
      await passed(QUESTION_TIME / 6);
      client.write('an?');
      beat();
      await answered(client, () => answers === 'Complex.'.repeat(3));
      client.destroy();
    });
  });

  it('makes no later answers either for a client that takes none', async () => {
    const limits = { answerTime: ANSWER_TIME, unsentTotal: 2 ** 20 };
    await using served = await started({ ...options, ...quick, service: talker, limits });
    const client = served.connect();
    client.pause();
    client.write('big?'.repeat(200));
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['answer-time']);
  });

  it('keeps the limit on unsent bytes, then receives no more, and closes a client that takes nothing', async () => {
    // With the default size, the rest would exceed the total.
    const limits = { unsent: 1000, unsentTotal: 5000, answerTime: ANSWER_TIME };
    await using served = await started({ ...options, service: wordy, limits });
    const client = served.connect();
    client.pause();
    let isTaken = false;
    // More than the kernel takes from a client that the server does not read.
    client.write('x?'.repeat(2 ** 24), (error) => {
      isTaken = error === undefined || error === null;
    });
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['answer-time']);
    expect(isTaken).toBe(false);
  });

  it('closes an old client that always waits for an answer, after that answer', async () => {
    await using served = await started({ ...options, ...slower, limits: { age: AGE } });
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    // Answering all of them would take a quarter of an hour.
    client.write('Simple is better than?'.repeat(50_000));
    await closed(client);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['age']);
    expect(served.server.counts()).toEqual({ age: 1 });
    expect(answers).toBe('Complex.'.repeat(answers.length / 8));
  });

  it('closes a client that leaves more bytes unsent than the total limit', async () => {
    const limits = { unsentTotal: 1000 };
    await using served = await started({ ...options, service: talker, limits });
    const client = served.connect();
    client.pause();
    client.write('big?'.repeat(200));
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['unsent-total']);
    expect(served.server.counts()).toEqual({ 'unsent-total': 1 });
  });

  it('counts with dryRun each silence and question once, and closes no client', async () => {
    const times = { idle: SHORT, questionTime: SHORT, age: 4 * SHORT };
    const sizes = { questionSize: 10, questions: 2 };
    await using served = await started({
      ...options,
      limits: { ...times, ...sizes },
      dryRun: true,
    });
    const { server } = served;
    const count = (name: string) => server.counts()[name] ?? 0;
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    for (let i = 1; i <= 3; i++) {
      await until('a silence to be counted', () => count('idle') === i);
      await passed(2 * SHORT);
      const drip = setInterval(() => client.write(' '), SHORT / 5);
      await until('a question to be counted', () => count('question-time') === i);
      await until('its size to be counted', () => count('question-size') === i);
      await passed(2 * SHORT);
      clearInterval(drip);
      client.write('?');
      await until('an answer', () => answers === 'Error: unknown aphorism.'.repeat(i));
    }
    const counts = { 'question-time': 3, 'question-size': 3, questions: 1, age: 1 };
    // There may already be a silence after the last answer.
    expect(server.counts()).toMatchObject(counts);
    expect(Object.keys(server.counts()).sort()).toEqual(['idle', ...Object.keys(counts)].sort());
    expect(served.limited()).toEqual([]);
  });

  it('counts with dryRun a client that does not take its answers, and sends all of them later', async () => {
    const limits = { answerTime: SHORT, unsentTotal: 1000 };
    await using served = await started({ ...options, service: talker, limits, dryRun: true });
    const { server } = served;
    let size = 0;
    const client = served.connect((data) => {
      size += data.length;
    });
    client.pause();
    client.write('big?'.repeat(200));
    await until('it to be counted', () => (server.counts()['answer-time'] ?? 0) > 0);
    // The kernel may make room once more, for the beginning of the next answers.
    await steady('the count', () => server.counts()['answer-time'], (5 * SHORT) / MS);
    expect(Object.keys(server.counts()).sort()).toEqual(['answer-time', 'unsent-total']);
    client.resume();
    await until('all answers', () => size === GREETING.length + 200 * BIG);
    expect(served.limited()).toEqual([]);
  });
});
