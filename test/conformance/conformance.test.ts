/** One suite over the catalogue: the same bytes and the same account from every architecture, by its traits. */
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { aphorisms } from '../../src/protocol/zen.ts';
import { isLoop } from '../../src/worker/contract.ts';
import {
  ask,
  BlockingClient,
  type Client,
  type ClientFamily,
  connectClient,
  endBlockingThreads,
  NetClient,
  startBlockingThreads,
} from '../support/clients.ts';
import { BIG, GREETING } from '../support/services/talker.ts';
import { drivers, pairs, representatives, Serving, type Variant } from '../support/serving.ts';
import { tcpSocket } from '../support/tcp-sockets.ts';
import {
  inTime,
  MS,
  PATIENCE,
  staysPending,
  steady,
  until,
  untilSo,
  within,
} from '../support/until.ts';

const service = (name: string) => join(import.meta.dirname, '../support/services', `${name}.ts`);

const ERROR = 'Error: unknown aphorism.';
const questions = Object.keys(aphorisms) as (keyof typeof aphorisms)[];
const [beautiful, , simple] = questions as [string, string, string];
const allQuestions = questions.join('');
const allAnswers = questions.map((question) => aphorisms[question]).join('');

interface Case {
  readonly title: string;
  readonly families?: readonly ClientFamily[];
  /** @param port the server's */
  run(client: Client, port: number): Promise<void>;
  /** The server's events for this client, after `accepted`. */
  readonly account: readonly string[];
}

const expectAnswer = async (client: Client, question: string, answer: string) =>
  expect(await ask(client, question, answer.length)).toBe(answer);

const zenCases: Case[] = [
  {
    title: 'answers the three questions',
    async run(client) {
      for (const question of questions) await expectAnswer(client, question, aphorisms[question]);
    },
    account: ['closed'],
  },
  {
    title: 'answers questions that come byte by byte',
    async run(client) {
      for (const byte of allQuestions) await client.send(byte);
      expect(await client.receive(allAnswers.length)).toBe(allAnswers);
    },
    account: ['closed'],
  },
  {
    // The answer to the first question shows that the server has received the first part of the second.
    title: 'answers a question cut at every byte',
    async run(client) {
      let rest = '';
      for (let cut = 1; cut < simple.length; cut++) {
        await expectAnswer(client, `${rest}${simple.slice(0, cut)}`, rest === '' ? '' : 'Complex.');
        await expectAnswer(client, `${simple.slice(cut)}${beautiful.slice(0, 5)}`, 'Complex.');
        await expectAnswer(client, `${beautiful.slice(5)}`, 'Ugly.');
        await expectAnswer(client, `${simple}${simple.slice(0, cut)}`, 'Complex.');
        rest = simple.slice(cut);
      }
      await expectAnswer(client, rest, 'Complex.');
    },
    account: ['closed'],
  },
  {
    title: 'answers twenty questions in one segment',
    async run(client) {
      await expectAnswer(
        client,
        allQuestions.repeat(7).slice(0, -simple.length),
        allAnswers.repeat(7).slice(0, -'Complex.'.length),
      );
    },
    account: ['closed'],
  },
  {
    title: 'answers unknown and empty questions',
    async run(client) {
      await expectAnswer(client, 'Ugly is better than?', ERROR);
      await expectAnswer(client, 'beautiful is better than?', ERROR);
      await expectAnswer(client, '?', ERROR);
      await expectAnswer(client, `???${simple}`, `${ERROR.repeat(3)}Complex.`);
    },
    account: ['closed'],
  },
  {
    title: 'answers bytes above 127',
    async run(client) {
      const high = Buffer.from(Array.from({ length: 128 }, (_, i) => 128 + i));
      await client.send(Buffer.concat([high, Buffer.from(`?é🙂?${simple}\xff`)]));
      expect(await client.receive(2 * ERROR.length + 8)).toBe(`${ERROR}${ERROR}Complex.`);
      await expectAnswer(client, '?', ERROR);
    },
    account: ['closed'],
  },
  {
    title: 'answers a question of a megabyte',
    async run(client) {
      await expectAnswer(client, `${'a'.repeat(1 << 20)}?${beautiful}`, `${ERROR}Ugly.`);
    },
    account: ['closed'],
  },
  {
    title: 'reports a client that leaves without a question',
    async run() {},
    account: ['closed'],
  },
  {
    title: 'reports a client that leaves mid-question',
    async run(client) {
      await expectAnswer(client, `${beautiful}Simple is`, 'Ugly.');
    },
    account: ['hungUp Simple is'],
  },
  {
    title: 'reports a client that resets between questions',
    async run(client) {
      await expectAnswer(client, beautiful, 'Ugly.');
      await client.reset();
    },
    account: ['failed ECONNRESET'],
  },
  {
    title: 'reports a client that resets mid-question',
    async run(client) {
      await expectAnswer(client, `${beautiful}Simple is`, 'Ugly.');
      await client.reset();
    },
    account: ['failed ECONNRESET'],
  },
  {
    title: 'answers a client that half-closes after asking',
    async run(client) {
      await client.send(allQuestions);
      await client.end();
      expect(await client.rest()).toBe(allAnswers);
    },
    account: ['closed'],
  },
  {
    title: 'answers a client that half-closes mid-question, and reports it',
    async run(client) {
      await client.send(`${beautiful}Simple is`);
      await client.end();
      expect(await client.rest()).toBe('Ugly.');
    },
    account: ['hungUp Simple is'],
  },
  {
    title: 'answers 20,000 questions of a client that reads nothing until it has asked all of them',
    families: ['net'],
    async run(client) {
      // A client of Node's buffers bytes that the kernel does not take; a blocking client could not continue to ask.
      const sent = client.send('What?'.repeat(20_000));
      await until('the pipe to be full or all to be sent', () =>
        staysPending(sent, 50).then(() => true),
      );
      const answers = await client.receive(20_000 * ERROR.length);
      expect(answers === ERROR.repeat(20_000)).toBe(true);
      await sent;
      await expectAnswer(client, simple, 'Complex.');
    },
    account: ['closed'],
  },
];

// A client of Node's, because a blocking client would sleep in `send` for ever.
zenCases.push({
  title: 'stops reading from a client that asks without end and reads nothing',
  families: ['net'],
  async run(client, port) {
    // Far more than all buffers of the kernel on the way take.
    const [count, questions] = [640, Buffer.alloc(65_535, 'What?')];
    let sent = 0;
    // Write one after the other: Node calls back together for bytes that are written together.
    const sending = (async () => {
      while (sent < count) {
        await client.send(questions);
        sent++;
      }
    })().catch(() => {});
    // A slow server is not one that waits: then answers wait in its own socket for room at the client.
    const waiting = () => tcpSocket(port, Number(client.peer.split(':')[1]))?.unacknowledged ?? 0;
    await until('the server to wait for the client', async () => {
      await steady('what was sent and what waits', () => `${sent}, ${waiting()}`);
      return waiting() > 0;
    });
    expect(sent).toBeLessThan(count);
    await client.reset();
    await sending;
  },
  account: ['unsent'],
});

const talkerCases: readonly Case[] = [
  {
    title: 'greets',
    async run(client) {
      expect(await client.receive(GREETING.length)).toBe(GREETING);
    },
    account: ['closed'],
  },
  {
    title: 'keeps the state of a dialogue, and answers nothing to some questions',
    async run(client) {
      await expectAnswer(client, 'count?cou', `${GREETING}1.`);
      await expectAnswer(client, 'nt?nothing?count?', '2.4.');
    },
    account: ['closed'],
  },
  {
    title: 'ends the conversation of a service that throws, and no other',
    async run(client) {
      await client.send('count?oh?count?');
      expect(await client.rest()).toBe(`${GREETING}1.`);
    },
    account: ['threw Error: no such question'],
  },
  {
    title: 'closes when the dialogue is finished',
    async run(client) {
      await client.send('count?bye?count?');
      expect(await client.rest()).toBe(`${GREETING}1.Bye.`);
    },
    account: ['closed'],
  },
  {
    title: 'waits for a client that reads nothing of 6 MB until it has asked all its questions',
    async run(client) {
      const count = 100;
      await client.send('big?'.repeat(count));
      await client.receive(GREETING.length);
      const answers = await client.receive(count * BIG);
      expect(answers === Buffer.alloc(BIG, 'big').toString('latin1').repeat(count)).toBe(true);
      await expectAnswer(client, 'count?', `${count + 1}.`);
    },
    account: ['closed'],
  },
  {
    title: 'reports a client that resets before it has taken its answers',
    async run(client) {
      await client.send('big?'.repeat(200));
      await client.receive(GREETING.length + 1);
      await client.reset();
    },
    account: ['unsent'],
  },
  {
    title: 'reports a client that resets mid-question',
    async run(client) {
      await expectAnswer(client, 'count?cou', `${GREETING}1.`);
      await client.reset();
    },
    account: ['failed ECONNRESET'],
  },
];

/**
 * Runs the cases on one server, concurrently. Each driver also has them with clients that block: they send and read
 * exactly when a case says so.
 */
function runCases(cases: readonly Case[], variant: Variant, serving: () => Serving): void {
  const both = drivers.includes(variant) ? (['net', 'blocking'] as const) : (['net'] as const);
  for (const { title, families = both, run, account } of cases) {
    for (const family of families) {
      it.concurrent(`${title} (${family})`, async () => {
        const client = await connectClient(family, serving().address);
        try {
          await run(client, serving().server.port);
        } catch (error) {
          const told = serving().accountOf(client.peer).join(', ');
          throw new Error(`${(error as Error).message}; the server's events: ${told}`, {
            cause: error,
          });
        } finally {
          await client.close();
        }
        await serving().expectAccount(client.peer, ['accepted', ...account]);
      });
    }
  }
}

/** The number of threads, processes and listeners does not change the bytes of a conversation. */
const isOwn = (variant: Variant) => pairs.includes(variant) || /forking|wait/.test(variant.title);

// Start their pipes first: they must not count as something that a server has left behind.
beforeAll(() => startBlockingThreads(8));
afterAll(endBlockingThreads);

describe.each(representatives)('$title', (variant) => {
  describe('with the Zen questions', () => {
    let serving: Serving;
    let stopped = false;
    beforeAll(async () => {
      serving = await Serving.start(variant.options);
    });
    afterAll(async () => {
      if (!stopped) await serving.server.close();
    });

    it('listens at the address that it reports', () => {
      expect(serving.address).toMatchObject({ family: 'IPv4', host: '127.0.0.1' });
      expect(serving.server.where).toMatch(/^127\.0\.0\.1:\d+$/);
      expect(serving.events[0]).toMatchObject({
        type: 'listening',
        address: serving.server.where,
        architecture: variant.traits.name,
      });
      // The built-in service has no state: no line says that threads or processes have copies of it.
      const warnings = serving.events.filter(({ type }) => type === 'warning');
      expect(JSON.stringify(warnings)).not.toContain('own copy');
    });

    if (isOwn(variant)) runCases(zenCases, variant, () => serving);

    if (variant.capacity === Number.POSITIVE_INFINITY) {
      it(`serves one more while ${variant.crowd} are silent, and then all of them`, async () => {
        const crowd: Client[] = [];
        try {
          for (let i = 0; i < variant.crowd; i++)
            crowd.push(await NetClient.connect(serving.address));
          const another = await NetClient.connect(serving.address);
          await expectAnswer(another, simple, 'Complex.');
          await another.close();
          await Promise.all(crowd.map((client) => expectAnswer(client, beautiful, 'Ugly.')));
        } finally {
          await Promise.all(crowd.map((client) => client.close()));
        }
      });
    } else {
      it(`makes client ${variant.capacity + 1} wait until one of the first has left`, async () => {
        const held: Client[] = [];
        let next: Client | undefined;
        try {
          for (let i = 0; i < variant.capacity; i++) {
            const client = await NetClient.connect(serving.address);
            held.push(client);
            // Its answer shows that a thread or process has it, and is now blocked on it.
            await expectAnswer(client, beautiful, 'Ugly.');
          }
          next = await NetClient.connect(serving.address);
          const answer = ask(next, simple, 'Complex.'.length);
          expect(await staysPending(answer)).toBe(true);
          await held.at(-1)!.close();
          expect(await answer).toBe('Complex.');
        } finally {
          await Promise.all([...held, next].map((client) => client?.close()));
        }
      });
    }

    it('close() with clients connected ends within a second and leaves nothing', async () => {
      const silent = await NetClient.connect(serving.address);
      await expectAnswer(silent, beautiful, 'Ugly.');
      const [another, asking] = [
        await NetClient.connect(serving.address),
        await NetClient.connect(serving.address),
      ];
      await asking.send('Beautiful is');
      stopped = true;
      await serving.close();
      await serving.expectAccount(silent.peer, ['accepted', 'cut']);
      for (const client of [silent, another, asking]) {
        expect(await client.rest()).toBe('');
        await client.close();
      }
      await serving.expectNothingLeft();
      await expect(NetClient.connect(serving.address)).rejects.toThrow('ECONNREFUSED');
    });
  });
});

// How a client is named and closed depends on its address: here that is IPv6.
describe.each(pairs)('$title with a protocol, on ::1', (variant) => {
  let serving: Serving;
  beforeAll(async () => {
    serving = await Serving.start({ ...variant.options, host: '::1', service: service('talker') });
  });
  afterAll(() => serving.stop());

  it('listens at the address that it reports', () => {
    expect(serving.server.where).toMatch(/^\[::1\]:\d+$/);
  });

  runCases(talkerCases, variant, () => serving);
});

describe('--think', () => {
  const askers = 4;

  /** Number of clients whose answers this variant delays at the same time. */
  function thinkersOf({ traits, capacity }: Variant, how: 'block' | 'defer'): number {
    return isLoop(traits) && how === 'block' ? 1 : Math.min(askers, capacity);
  }

  /** Rounds of thinking that all clients took together, and how many they take one after the other. */
  async function roundsOf(serving: Serving, variant: Variant, think: number): Promise<number> {
    const clients: Client[] = [];
    try {
      for (let i = 0; i < askers; i++) clients.push(await NetClient.connect(serving.address));
      // Wait until the serving threads have the clients: the following measures only the thinking.
      const held = () => serving.server.workers().reduce((sum, { open }) => sum + open, 0);
      const holdable = Math.min(askers, variant.capacity);
      await until('workers to have the clients', () => held() >= holdable);
      const before = performance.now();
      await Promise.all(
        clients.map(async (client) => {
          await expectAnswer(client, beautiful, 'Ugly.');
          await client.close();
        }),
      );
      return (performance.now() - before) / think;
    } finally {
      await Promise.all(clients.map((client) => client.close()));
    }
  }

  // Each loop has its own place for answers that are due. Where a worker blocks, its driver does that.
  const thinking = {
    block: ['single', 'threaded', 'epoll', 'uring', 'callback'],
    defer: [
      ...['threaded', 'inetd', 'poll', 'epoll', 'generator'],
      ...['asyncore', 'uring', 'callback', 'coroutine'],
    ],
  };

  describe.concurrent.each(['block', 'defer'] as const)('%s', (thinkHow) => {
    for (const variant of pairs.filter(({ traits }) => thinking[thinkHow].includes(traits.name))) {
      const together = thinkersOf(variant, thinkHow);
      // Clients that wait for each other cannot take less than all rounds. Otherwise far less shows that they do
      // not wait.
      const think = (together > 1 ? 1500 : thinkHow === 'block' ? 100 : 400) * MS;
      describe(variant.title, () => {
        let serving: Serving;
        let rounds: number;
        beforeAll(async () => {
          serving = await Serving.start({ ...variant.options, think, thinkHow });
          // Measure it before the other tests, which run concurrently.
          rounds = await untilSo(
            () => roundsOf(serving, variant, think),
            (taken) => together === 1 || taken < askers - 0.1,
          );
        });
        afterAll(() => serving.server.close());

        it(`thinks for ${together} of ${askers} clients at once`, () => {
          expect(rounds).toBeGreaterThan(askers / together - 0.1);
          if (together > 1) expect(rounds).toBeLessThan(askers - 0.1);
        });

        if (thinkHow === 'block') return;

        it('reports a client that resets before its answer is due', () =>
          inTime(think, async (beat) => {
            const client = await NetClient.connect(serving.address);
            await serving.expectAccepted(client.peer);
            beat();
            await client.send(beautiful);
            await serving.expectReceived(client.peer);
            await client.reset();
            beat();
            await serving.expectAccount(client.peer, ['accepted', 'unsent']);
          }));

        it('answers a client that half-closes before its answers are due', async () => {
          const client = await NetClient.connect(serving.address);
          await client.send(beautiful + simple);
          await client.end();
          expect(await client.rest()).toBe('Ugly.Complex.');
          await client.close();
          await serving.expectAccount(client.peer, ['accepted', 'closed']);
        });
      });
    }
  });
});

describe.each(
  pairs.filter(({ traits }) => traits.capacity === 'processes'),
)('$title, one worker killed with SIGKILL', (variant) => {
  it('is replaced, and the others are not affected', async () => {
    const serving = await Serving.start(variant.options);
    const clients: Client[] = [];
    try {
      for (let i = 0; i < variant.capacity; i++) {
        const client = await NetClient.connect(serving.address);
        clients.push(client);
        await expectAnswer(client, beautiful, 'Ugly.');
      }
      const before = [...serving.server.pids];
      const accepted = serving.events.find(
        (e) => e.type === 'accepted' && e.peer === clients[0]!.peer,
      );
      const killed = accepted !== undefined && 'pid' in accepted ? accepted.pid : 0;
      expect(before).toContain(killed);
      process.kill(killed, 'SIGKILL');
      expect(await within(PATIENCE, 'its client to notice', clients[0]!.rest())).toBe('');
      for (const client of clients.slice(1)) await expectAnswer(client, simple, 'Complex.');
      const next = await NetClient.connect(serving.address);
      clients.push(next);
      await expectAnswer(next, simple, 'Complex.');
      expect(serving.events.filter(({ type }) => type === 'died')).toMatchObject([
        { type: 'died', pid: killed, how: 'SIGKILL' },
      ]);
      const after = serving.server.pids;
      expect(after).toHaveLength(before.length);
      expect(after).not.toContain(killed);
      expect(after.filter((pid) => before.includes(pid))).toHaveLength(before.length - 1);
    } finally {
      await Promise.all(clients.map((client) => client.close()));
      await serving.stop();
    }
  });
});

it.concurrent.each(
  representatives.filter(
    ({ options: { architecture, mixin } }) => architecture === 'inetd' || mixin === 'forking',
  ),
)('$title has its client as standard input, and a service may make Node look at it', async ({
  options,
}) => {
  const serving = await Serving.start({ ...options, service: service('reads-process') });
  const client = await NetClient.connect(serving.address);
  for (let i = 0; i < 3; i++) await expectAnswer(client, 'Which?', 'v');
  await client.close();
  await serving.expectAccount(client.peer, ['accepted', 'closed']);
  await serving.server.close();
});

describe('On a unix socket', () => {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-unix-'));
  afterAll(() => rmSync(folder, { recursive: true }));

  const peerOf = (path: string) => JSON.stringify({ family: 'unix', address: '', port: 0, path });

  // Those that are left out use the loop or the blocking driver of one of these.
  const ways = pairs.filter(
    ({ traits: { name } }) => !['single', 'queued', 'prefork', 'select', 'poll'].includes(name),
  );
  it.concurrent.each(
    ways,
  )('$title answers in the form of the service that suits it, gives the path of its peer, and leaves no file behind', async (variant) => {
    const path = join(folder, variant.traits.name);
    const own = `${path}.client`;
    const host = `unix:${path}`;
    const both = service('now-and-later');
    const serving = await Serving.start({ ...variant.options, host, service: both });
    try {
      expect(serving.address).toEqual({ family: 'unix', path });
      const named = await BlockingClient.connect(serving.address, { family: 'unix', path: own });
      await expectAnswer(named, 'Who?', peerOf(own));
      await named.close();
      await serving.expectAccount(`unix:${own}`, ['accepted', 'closed']);
      const client = await NetClient.connect(serving.address);
      await expectAnswer(client, 'Who?', peerOf(''));
      if (!isLoop(variant.traits)) {
        await expectAnswer(client, 'a?', 'Now.');
        await expectAnswer(client, 'a?reject?', 'Now.Now.');
        await client.close();
        await serving.expectAccount('unix', ['accepted', 'closed']);
      } else {
        await expectAnswer(client, 'a?', 'Later.');
        await expectAnswer(client, 'a?b?c?', 'Later.Later.Later.');
        await client.close();
        await serving.expectAccount('unix', ['accepted', 'closed']);
        const rejected = await NetClient.connect(serving.address);
        await rejected.send('a?b?reject?a?');
        expect(await rejected.rest()).toBe('Later.Later.');
        await rejected.close();
        const ends = ['accepted', 'closed', 'accepted', 'threw Error: rejected later'];
        await serving.expectAccount('unix', ends);
      }
    } finally {
      await serving.server.close();
    }
    expect(existsSync(path)).toBe(false);
  });
});
