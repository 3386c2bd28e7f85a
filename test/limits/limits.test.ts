import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { type ServeOptions, type ServerEvent, serve } from '../../src/index.ts';
import { LARGE } from '../support/services/large.ts';
import { BIG, GREETING } from '../support/services/talker.ts';
import { MS, steady, until } from '../support/until.ts';

/** Each I/O model enforces limits by its own means. */
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

/** In ms. Far enough apart that one cannot be taken for another. */
const IDLE = 300 * MS;
const QUESTION_TIME = 600 * MS;
const ANSWER_TIME = 300 * MS;

const AGE = 400 * MS;

/** Of limits that are only counted. */
const SHORT = 100 * MS;

const talker = new URL('../support/services/talker.ts', import.meta.url);

async function started(options: ServeOptions) {
  const events: ServerEvent[] = [];
  const server = await serve({ ...options, port: 0 }, (event) => events.push(event));
  const sockets: Socket[] = [];
  return {
    server,
    limited: () => events.flatMap((event) => (event.type === 'limited' ? [event.limit] : [])),
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

/** Resolves when so many ms have gone by: for what is not to happen meanwhile. */
function passed(ms: number): Promise<true> {
  const due = performance.now() + ms;
  return until('time to pass', () => performance.now() >= due);
}

const closed = (socket: Socket) =>
  new Promise<void>((resolve) => socket.once('close', () => resolve()));

/** Those who serve several at once, in threads and processes too where those are not what they are made of. */
const shared: readonly ServeOptions[] = [
  ...variants.slice(1),
  { architecture: 'socketserver', mixin: 'forking' },
  { architecture: 'epoll', threads: 2 },
  { architecture: 'uring', processes: 2, reuseport: true },
  { architecture: 'callback', threads: 2 },
];

describe('what is unsent in all', () => {
  const service = new URL('../support/services/large.ts', import.meta.url);
  const limits = { unsentTotal: LARGE + 2 ** 20, answerTime: 0 };

  /** A client with the beginning of its large answer, of which it reads no more unless it is told to. */
  async function unreading(served: Awaited<ReturnType<typeof started>>) {
    let size = 0;
    let isReading = false;
    const socket: Socket = served.connect((data) => {
      size += data.length;
      if (!isReading) socket.pause();
    });
    socket.write('x?');
    await until('the beginning of an answer', () => size > 0);
    return {
      socket,
      async readAll() {
        isReading = true;
        socket.resume();
        await until('all of the answer', () => size === LARGE);
      },
    };
  }

  it.each(
    shared.map((options) => [Object.values(options).join(' '), options] as const),
  )('is counted over all threads and processes of %s', async (_, options) => {
    await using served = await started({ ...options, service, limits });
    const first = await unreading(served);
    expect(served.server.counts()).toEqual({});
    // Each has less unsent than there may be in all, and both together have more.
    await unreading(served);
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['unsent-total']);
    await first.readAll();
    const third = await unreading(served);
    await third.readAll();
    expect(served.server.counts()).toEqual({ 'unsent-total': 1 });
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
    await second.readAll();
    expect(server.counts()).toEqual({});
  });
});

describe.each(variants)('$architecture', (options) => {
  const limits = { idle: IDLE, questionTime: QUESTION_TIME, answerTime: ANSWER_TIME };

  it('ends who is silent, and serves whoever waited for it', async () => {
    await using served = await started({ ...options, limits });
    const since = performance.now();
    const silent = served.connect();
    await closed(silent);
    // Not early; how late depends on the machine.
    expect(performance.now() - since).toBeGreaterThanOrEqual(IDLE * 0.98);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['idle']);

    let answer = '';
    const honest = served.connect((data) => {
      answer += data;
    });
    honest.write('Simple is better than?');
    await until('an answer', () => answer === 'Complex.');
  });

  it('keeps who asks again in time', async () => {
    await using served = await started({ ...options, limits });
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    for (let i = 1; i <= 5; i++) {
      const due = performance.now() + IDLE / 2;
      client.write('Simple is better than?');
      await until('the answer', () => answers.length === i * 'Complex.'.length);
      await until('half the time', () => performance.now() >= due);
    }
    expect(served.limited()).toEqual([]);
  });

  it('ends who drips a question, though it is never idle', async () => {
    await using served = await started({ ...options, limits });
    const since = performance.now();
    const dripping = served.connect();
    const drip = setInterval(() => dripping.write('x'), IDLE / 4);
    await closed(dripping);
    clearInterval(drip);
    expect(performance.now() - since).toBeGreaterThanOrEqual(QUESTION_TIME * 0.98);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['question-time']);
  });

  it('keeps who ends each question in time, and begins the next in the same piece', async () => {
    await using served = await started({ ...options, limits: { questionTime: QUESTION_TIME } });
    const [end, beginning] = ['an?', 'Simple is better th'];
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    client.write(beginning);
    const over = performance.now() + QUESTION_TIME * 1.5;
    for (let i = 1; performance.now() < over; i++) {
      await passed(QUESTION_TIME / 6);
      client.write(end + beginning);
      await until('the answer', () => answers.length === i * 'Complex.'.length, 2000);
    }
    expect(served.limited()).toEqual([]);
    // The last one has no end.
    await closed(client);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['question-time']);
  });

  it('does not count for a question how long the answers before it took', async () => {
    const think = { think: QUESTION_TIME * 0.7, thinkHow: 'defer' } as const;
    await using served = await started({
      ...options,
      ...think,
      limits: { questionTime: QUESTION_TIME },
    });
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    client.write('Simple is better than?'.repeat(2));
    await until('both answers', () => answers === 'Complex.'.repeat(2));
    client.write('Simple is better th');
    await passed(QUESTION_TIME / 6);
    client.write('an?');
    await until('the third answer', () => answers === 'Complex.'.repeat(3), 4000);
    expect(served.limited()).toEqual([]);
  });

  it('ends a question without an end', async () => {
    await using served = await started({ ...options, limits: { questionSize: 1000 } });
    const client = served.connect();
    client.write('x'.repeat(600));
    await new Promise((resolve) => client.write('x'.repeat(300), resolve));
    client.write('x'.repeat(200));
    await closed(client);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['question-size']);
  });

  it('ends who does not take its answers', async () => {
    await using served = await started({ ...options, service: talker, limits });
    const client = served.connect();
    client.pause();
    client.write('big?'.repeat(200));
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['answer-time']);
  });

  it('makes no answers that come later, either, for who takes none', async () => {
    const think = { think: 1, thinkHow: 'defer' } as const;
    const limits = { answerTime: ANSWER_TIME, unsentTotal: 2 ** 20 };
    await using served = await started({ ...options, ...think, service: talker, limits });
    const client = served.connect();
    client.pause();
    client.write('big?'.repeat(200));
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['answer-time']);
  });

  it('has not more unsent than it may, receives no more then, and ends who takes nothing', async () => {
    const service = new URL('../support/services/wordy.ts', import.meta.url);
    // With a rest as large as by default it would be too much in all.
    const limits = { unsent: 1000, unsentTotal: 5000, answerTime: ANSWER_TIME };
    await using served = await started({ ...options, service, limits });
    const client = served.connect();
    client.pause();
    let isTaken = false;
    // More than the kernel takes from who is not received from.
    client.write('x?'.repeat(2 ** 24), (error) => {
      isTaken = error === undefined || error === null;
    });
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['answer-time']);
    expect(isTaken).toBe(false);
  });

  it('closes after so many questions', async () => {
    await using served = await started({ ...options, limits: { questions: 3 } });
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    client.write('Simple is better than?'.repeat(5));
    await closed(client);
    expect(answers).toBe('Complex.'.repeat(3));
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['questions']);
  });

  it('ends who is old, though it asks on and on', async () => {
    await using served = await started({ ...options, limits: { age: AGE } });
    let answers = '';
    const since = performance.now();
    const client: Socket = served.connect((data) => {
      answers += data;
      client.write('Simple is better than?');
    });
    client.write('Simple is better than?');
    await closed(client);
    expect(performance.now() - since).toBeGreaterThanOrEqual(AGE * 0.98);
    expect(answers.length).toBeGreaterThan(8);
    expect(answers).toBe('Complex.'.repeat(answers.length / 8));
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['age']);
  });

  it('ends who is old and never between two questions', async () => {
    await using served = await started({ ...options, limits: { age: AGE } });
    const client = served.connect(() => client.write(' is better than?Simple'));
    client.write('Simple is better than?Simple');
    await closed(client);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['age']);
  });

  it('ends who is old and always waits for an answer, with that answer', async () => {
    const think = { think: 20 * MS, thinkHow: 'defer' } as const;
    await using served = await started({ ...options, ...think, limits: { age: AGE } });
    let answers = '';
    const client = served.connect((data) => {
      answers += data;
    });
    // To answer all of them would take a quarter of an hour.
    client.write('Simple is better than?'.repeat(50_000));
    await closed(client);
    await until('the account', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['age']);
    expect(served.server.counts()).toEqual({ age: 1 });
    expect(answers).toBe('Complex.'.repeat(answers.length / 8));
  });

  it('ends who is old and never reads, where nothing else limits that', async () => {
    const limits = { age: AGE, answerTime: 0 };
    await using served = await started({ ...options, service: talker, limits });
    const client = served.connect();
    client.pause();
    client.write('big?'.repeat(200));
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['age']);
    expect(served.server.counts()).toEqual({ age: 1 });
  });

  it('ends who leaves more answers unsent than there may be in all', async () => {
    const limits = { unsentTotal: 1000 };
    await using served = await started({ ...options, service: talker, limits });
    const client = served.connect();
    client.pause();
    client.write('big?'.repeat(200));
    await until('the limit', () => served.limited().length === 1);
    expect(served.limited()).toEqual(['unsent-total']);
    expect(served.server.counts()).toEqual({ 'unsent-total': 1 });
  });

  it('counts with dryRun each silence and question once, and ends nobody', async () => {
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
      await passed(2 * SHORT);
      clearInterval(drip);
      client.write('?');
      await until('an answer', () => answers === 'Error: unknown aphorism.'.repeat(i));
    }
    const counts = { 'question-time': 3, 'question-size': 3, questions: 1, age: 1 };
    // There may be a silence after the last answer by now.
    expect(server.counts()).toMatchObject(counts);
    expect(Object.keys(server.counts()).sort()).toEqual(['idle', ...Object.keys(counts)].sort());
    expect(served.limited()).toEqual([]);
  });

  it('counts with dryRun who does not take its answers, who has them all when it does', async () => {
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
