import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it, vi } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { LARGE } from '../support/services/large.ts';
import { GREETED } from '../support/services/limited.ts';
import { BIG, GREETING } from '../support/services/talker.ts';
import { shared } from '../support/shared.ts';
import { inTime, MS, steady, until } from '../support/until.ts';

// These tests wait most of their time.
vi.setConfig({ maxConcurrency: 12 });

/**
 * Each code that serves clients enforces limits in its own way. Queued and prefork do it as threaded, select and poll as
 * epoll.
 */
const variants: readonly ServeOptions[] = [
  { architecture: 'single' },
  { architecture: 'threaded', threads: 4 },
  { architecture: 'socketserver' },
  { architecture: 'inetd' },
  { architecture: 'epoll' },
  { architecture: 'uring' },
  { architecture: 'generator' },
  { architecture: 'asyncore' },
  { architecture: 'callback' },
  { architecture: 'coroutine' },
];

/**
 * One architecture for each way to wait: the rules are those of src/lifecycle/terms.test.ts, and these tests show that
 * each driver reports to them what a connection is doing.
 */
const ways: readonly ServeOptions[] = variants.filter(({ architecture }) =>
  ['threaded', 'epoll', 'asyncore', 'generator', 'uring', 'callback', 'coroutine'].includes(
    architecture!,
  ),
);

/** In ms. The limits differ enough that none can be taken for another. */
const IDLE = 600 * MS;
const QUESTION_TIME = 1200 * MS;
const ANSWER_TIME = 300 * MS;

const AGE = 600 * MS;

/** For limits that are only counted. */
const SHORT = 100 * MS;

const service = new URL('../support/services/limited.ts', import.meta.url);

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
      const peer = `${socket.localAddress}:${socket.localPort}`;
      const event = await until('the end', () =>
        events.find((one) => 'peer' in one && one.peer === peer && one.type !== 'accepted'),
      );
      return event.type === 'limited' ? event.limit : JSON.stringify(event);
    },
    connect(onData: (data: string) => void = () => {}, from = '127.0.0.1'): Socket {
      const socket = connect({ port: server.port, host: '127.0.0.1', localAddress: from });
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
      const connect: Served['connect'] = (...given) => {
        const socket = served.connect(...given);
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

/** For a client that never pauses: far less than the time between two looks of a server, and no busy loop. */
const atOnce = (send: () => void) => setTimeout(send, 5);

const closed = (socket: Socket) => until('the end', () => socket.closed);

/** One for each driver, with several threads or processes: all of them count in one memory. */
const several: readonly ServeOptions[] = [
  { architecture: 'threaded', threads: 3 },
  { architecture: 'socketserver', mixin: 'forking' },
  { architecture: 'epoll', threads: 2 },
  { architecture: 'uring', processes: 2, reuseport: true },
  { architecture: 'callback', threads: 2 },
];

describe.concurrent('the total of unsent bytes', () => {
  const large = new URL('../support/services/large.ts', import.meta.url);
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
    await using served = await started({ ...options, service: large, limits });
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

  // The supervisor gives it back, for a worker and for a process of a worker's.
  it.each([
    'inetd',
    'epoll',
  ])('is given back by a process of %s that is killed', async (architecture) => {
    await using served = await started({ architecture, service: large, limits });
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

/** Some clients exceed one of these limits, others stay within them. */
const limits = {
  ...{ idle: IDLE, questionTime: QUESTION_TIME, questionSize: 1000 },
  ...{ answerTime: ANSWER_TIME, questions: 250 },
};

describe.concurrent.each(variants)('$architecture', (options) => {
  const isOne = options.architecture === 'single';

  const limited = sharedServer({ ...options, service, limits }, isOne);

  it('closes a silent client, and serves the next one that waited', () =>
    limited(async (served) => {
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
    limited((served) =>
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
    limited((served) =>
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
    limited((served) =>
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
    limited((served) =>
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
    limited(async (served) => {
      const client = served.connect();
      const limit = served.limitOf(client);
      client.pause();
      client.write('big?'.repeat(200));
      expect(await limit).toBe('answer-time');
    }));

  it('closes after the limit of questions', () =>
    limited(async (served) => {
      let answers = '';
      const client = served.connect((data) => {
        answers += data;
      }, GREETED);
      const limit = served.limitOf(client);
      client.write('count?'.repeat(255));
      await closed(client);
      const numbers = Array.from({ length: 250 }, (_, i) => `${i + 1}.`);
      expect(answers).toBe(GREETING + numbers.join(''));
      expect(await limit).toBe('questions');
    }));
});

describe.concurrent.each(ways)('$architecture', (options) => {
  const aged = sharedServer({ ...options, service, limits: { age: AGE, answerTime: 0 } }, false);

  it('closes an old client, although it asks without a pause', () =>
    aged((served) =>
      inTime(AGE / 3, async (beat) => {
        let answers = '';
        const since = performance.now();
        const client: Socket = served.connect((data) => {
          beat();
          answers += data;
          atOnce(() => client.write('count?'));
        });
        const limit = served.limitOf(client);
        await arrival(client, beat);
        client.write('count?');
        await closed(client);
        beat();
        expect(performance.now() - since).toBeGreaterThanOrEqual(AGE * 0.98);
        const numbers = answers.split('.').slice(0, -1).map(Number);
        expect(numbers).toEqual(numbers.map((_, i) => i + 1));
        expect(numbers.length).toBeGreaterThan(1);
        expect(await limit).toBe('age');
      }),
    ));

  it('closes an old client that is never between two questions', () =>
    aged(async (served) => {
      const client: Socket = served.connect(() => atOnce(() => client.write('nt?cou')));
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

/** Less than the answers to this number of questions take, one after the other. */
const [SOON, MANY] = [600 * MS, 80];
/** The age at which a thinking server closes clients: more than its other tests take. */
const LATER = 2500 * MS;

describe.concurrent.each(ways)('$architecture', (options) => {
  const thinking = sharedServer(
    {
      ...{ ...options, service, think: 10 * MS, thinkHow: 'defer' },
      limits: { questionTime: SOON, answerTime: ANSWER_TIME, unsentTotal: 2 ** 20, age: LATER },
    },
    false,
  );
  // With the default size of unsent bytes, an answer to a wordy question would exceed the total.
  const tight = sharedServer(
    { ...options, service, limits: { unsent: 1000, unsentTotal: 5000, answerTime: ANSWER_TIME } },
    true,
  );

  it('does not count the time of earlier answers for a question', () =>
    thinking((served) =>
      // The client must finish before it is too old, and each of its questions in time.
      inTime(LATER, (whole) =>
        inTime(SOON, async (beat) => {
          let answers = '';
          whole();
          const client = served.connect((data) => {
            beat();
            answers += data;
          });
          client.write('Simple is better than?'.repeat(MANY));
          try {
            await answered(client, () => answers === 'Complex.'.repeat(MANY));
            client.write('Simple is better th');
            beat();
            await passed(SOON / 3);
            client.write('an?');
            beat();
            await answered(client, () => answers === 'Complex.'.repeat(MANY + 1));
          } finally {
            whole();
            client.destroy();
          }
        }),
      ),
    ));

  it('makes no later answers either for a client that takes none', () =>
    thinking((served) =>
      inTime(LATER, async (beat) => {
        const client = served.connect();
        const limit = served.limitOf(client);
        client.pause();
        await arrival(client, beat);
        client.write('big?'.repeat(200));
        const name = await limit;
        beat();
        client.destroy();
        expect(name).toBe('answer-time');
      }),
    ));

  it('closes an old client that always waits for an answer, after that answer', () =>
    thinking(async (served) => {
      let answers = '';
      const client = served.connect((data) => {
        answers += data;
      });
      const limit = served.limitOf(client);
      // Answering all of them would take minutes.
      client.write('Simple is better than?'.repeat(20_000));
      await closed(client);
      expect(await limit).toBe('age');
      expect(answers).toBe('Complex.'.repeat(answers.length / 8));
    }));

  it('keeps the limit on unsent bytes, then receives no more, and closes a client that takes nothing', () =>
    tight(async (served) => {
      const client = served.connect();
      const limit = served.limitOf(client);
      client.pause();
      let isTaken = false;
      // More than the kernel takes from a client that the server does not read.
      client.write('x?'.repeat(2 ** 23), (error) => {
        isTaken = error === undefined || error === null;
      });
      expect(await limit).toBe('answer-time');
      expect(isTaken).toBe(false);
    }));

  it('closes a client that leaves more bytes unsent than the total limit', () =>
    tight(async (served) => {
      const client = served.connect();
      const limit = served.limitOf(client);
      client.pause();
      client.write('big?'.repeat(200));
      expect(await limit).toBe('unsent-total');
    }));
});

/** One for each driver: the rule is that of src/lifecycle. */
const drivers = ways.filter(({ architecture }) =>
  ['threaded', 'epoll', 'uring', 'callback'].includes(architecture!),
);

describe.concurrent.each(drivers)('$architecture', (options) => {
  it('counts with dryRun each limit once for each silence, question and answer, and closes no client', async () => {
    const times = { idle: SHORT, questionTime: SHORT, age: 4 * SHORT, answerTime: SHORT };
    const sizes = { questionSize: 10, questions: 2, unsentTotal: 1000 };
    await using served = await started({
      ...{ ...options, service },
      limits: { ...times, ...sizes },
      dryRun: true,
    });
    const { server } = served;
    const count = (name: string) => server.counts()[name] ?? 0;
    const names = () => Object.keys(server.counts()).sort();

    // A client that does not take its answers gets all of them later.
    let size = 0;
    const taker = served.connect((data) => {
      size += data.length;
    });
    taker.pause();
    taker.write('big?'.repeat(200));
    await until('it to be counted', () => count('answer-time') > 0 && count('age') > 0);
    // The kernel may make room once more, for the beginning of the next answers.
    await steady('the count', () => count('answer-time'), (5 * SHORT) / MS);
    // On a busy machine its first question may come late.
    const late = names().filter((name) => name !== 'idle');
    expect(late).toEqual(['age', 'answer-time', 'questions', 'unsent-total']);
    taker.resume();
    await until('all answers', () => size === 200 * BIG);
    taker.destroy();
    await until('it to have left', () => server.workers().every(({ open }) => open === 0));
    const before = server.counts();

    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    const silences = count('idle');
    for (let i = 1; i <= 3; i++) {
      await until('a silence to be counted', () => count('idle') === silences + i);
      await passed(2 * SHORT);
      const drip = setInterval(() => client.write(' '), SHORT / 5);
      await until('a question to be counted', () => count('question-time') === i);
      await until('its size to be counted', () => count('question-size') === i);
      await passed(2 * SHORT);
      clearInterval(drip);
      client.write('?');
      await until('an answer', () => answers === 'Complex.'.repeat(i));
    }
    // There may already be a silence after the last answer.
    expect(server.counts()).toMatchObject({
      ...{ ...before, idle: expect.any(Number) },
      ...{ 'question-time': 3, 'question-size': 3 },
      ...{ questions: 2, age: 2 },
    });
    const own = ['idle', 'question-time', 'question-size'];
    expect(names()).toEqual([...new Set([...Object.keys(before), ...own])].sort());
    expect(served.limited()).toEqual([]);
  });
});
