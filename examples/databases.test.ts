/** The examples with a database, under architectures of each kind, and what they do without their database. */
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, connect, type Server, type ServerEvent, serve } from '../src/index.ts';
import { Database, hasPostgres, hasRedis } from '../test/support/databases.ts';
import { descendantsOf, isAlive } from '../test/support/kernel.ts';
import { MS, PATIENCE, until } from '../test/support/until.ts';

/** Threads that sleep in their calls, a loop of our own, and Node's. */
const architectures = ['threaded', 'epoll', 'coroutine'];

/** What the tests do with a database. */
interface Store {
  start(): Promise<void>;
  /** Makes it unreachable, and reachable again. */
  leave(): Promise<void>;
  comeBack(): Promise<void>;
  /** It takes questions and answers none, and then it answers again. */
  hang(): void;
  wakeUp(): void;
  end(): Promise<void>;
}

/** SQLite has no server. Its folder may vanish, as a disk that is unmounted, and another process may lock the file. */
function sqliteStore(): Store {
  let base: string;
  let here: string;
  let away: string;
  let other: DatabaseSync;
  return {
    async start() {
      // Not before: a run that skips these tests would leave the folder.
      base = mkdtempSync(join(tmpdir(), 'mondo-sqlite-'));
      [here, away] = [join(base, 'here'), join(base, 'away')];
      mkdirSync(here);
      process.env.SQLITE_FILE = join(here, 'counters.db');
    },
    leave: async () => renameSync(here, away),
    comeBack: async () => renameSync(away, here),
    hang() {
      other = new DatabaseSync(join(here, 'counters.db'));
      other.exec('BEGIN EXCLUSIVE');
    },
    wakeUp: () => other.close(),
    end: async () => rmSync(base, { recursive: true }),
  };
}

/** @param environment tells the example where the database is */
function serverStore(
  create: () => Promise<Database>,
  environment: (port: number) => Record<string, string>,
): Store {
  let database: Database | undefined;
  return {
    async start() {
      database = await create();
      Object.assign(process.env, environment(database.port));
    },
    leave: () => database!.stop(),
    comeBack: () => database!.start(),
    hang: () => database!.suspend(),
    wakeUp: () => database!.resume(),
    end: async () => database?.remove(),
  };
}

const postgresAt = (port: number) => ({
  PGHOST: '127.0.0.1',
  PGPORT: String(port),
  PGUSER: 'postgres',
  PGDATABASE: 'postgres',
});
const redisAt = (port: number) => ({ REDIS_URL: `redis://127.0.0.1:${port}` });

const stores: readonly { name: string; isHere: boolean; store: () => Store }[] = [
  { name: 'sqlite', isHere: true, store: sqliteStore },
  {
    name: 'postgres',
    isHere: hasPostgres(),
    store: () => serverStore(Database.postgres, postgresAt),
  },
  { name: 'redis', isHere: hasRedis(), store: () => serverStore(Database.redis, redisAt) },
];

/** A server of each architecture, with one client. */
interface Served {
  readonly server: Server;
  readonly events: ServerEvent[];
  readonly client: Client;
}

async function served(architecture: string, service: string): Promise<Served> {
  const events: ServerEvent[] = [];
  const several = architecture === 'threaded' ? { threads: 2 } : {};
  const options = { architecture, port: 0, service, ...several };
  const server = await serve(options, (event) => events.push(event));
  return { server, events, client: await connected(server) };
}

const connected = ({ port }: Server): Promise<Client> =>
  connect('127.0.0.1', port, { delimiter: '\n', answerTimeout: PATIENCE * MS });

describe.each(stores)('$name', ({ name, isHere, store: newStore }) => {
  if (!isHere) return it.skip('needs its database');
  const service = join(import.meta.dirname, `${name}.ts`);
  const store = newStore();
  const all: Served[] = [];
  /** Asks each server over the one connection that it has had from the beginning. */
  const askAll = (question: string): Promise<string[]> =>
    Promise.all(all.map(({ client }) => client.ask(question)));
  /** Resolves when each server has counted again, over the same connection. */
  const allCount = () =>
    Promise.all(
      all.map(({ client, server }) =>
        until(`${server.architecture} to count again`, async () =>
          /^back \d+$/.test((await client.ask('hit back\n')).trim()),
        ),
      ),
    );

  beforeAll(async () => {
    await store.start();
    // One after the other: each has only half a minute to load its modules.
    for (const architecture of architectures) all.push(await served(architecture, service));
  });
  afterAll(async () => {
    const pids = all
      .flatMap(({ server }) => server.pids)
      .flatMap((pid) => [pid, ...descendantsOf(pid)]);
    await Promise.all(all.map(({ client }) => client.close()));
    await Promise.all(all.map(({ server }) => server.close()));
    await store.end();
    expect(pids.filter(isAlive)).toEqual([]);
  });

  it('counts, and reads what it has counted', async () => {
    for (const { client, server } of all) {
      const key = `first-${server.architecture}`;
      expect(await client.ask(`read ${key}\n`)).toBe(`${key} 0\n`);
      expect(await client.ask(`hit ${key}\n`)).toBe(`${key} 1\n`);
      expect(await client.ask(`hit ${key}\r\n`)).toBe(`${key} 2\n`);
      expect(await client.ask(`read ${key}\n`)).toBe(`${key} 2\n`);
    }
  });

  it('says what it takes', async () => {
    const errors = await askAll('count everything\n');
    expect(new Set(errors)).toEqual(new Set(['error: ask hit NAME or read NAME\n']));
  });

  it('loses no update of clients that hit one counter at the same time on all servers', async () => {
    const HITS = 20;
    const counts = await Promise.all(
      all.map(async ({ server }) => {
        const client = await connected(server);
        const answers: string[] = [];
        // Without a count, other writers have kept SQLite longer than the example waits, and it has counted nothing.
        while (answers.length < HITS) {
          const answer = await client.ask('hit shared\n');
          if (!answer.endsWith('database is locked\n')) answers.push(answer);
        }
        await client.close();
        return answers;
      }),
    );
    const found = counts.flat().map((answer) => Number(answer.split(' ')[1]));
    const expected = Array.from({ length: HITS * architectures.length }, (_, i) => i + 1);
    expect(found.toSorted((one, other) => one - other)).toEqual(expected);
  });

  describe('while the database is gone', () => {
    beforeAll(() => store.leave());
    afterAll(() => store.comeBack());

    it('answers with an error', async () => {
      for (const question of ['hit back\n', 'read back\n', 'hit back\n']) {
        for (const answer of await askAll(question))
          expect(answer).toMatch(/^error: no answer from \w+: .+\n$/);
      }
      // A new client finds a server that serves.
      const late = await connected(all[0]!.server);
      expect(await late.ask('count\n')).toMatch(/^error: ask/);
      await late.close();
    });

    it('does not start', async () => {
      for (const architecture of ['threaded', 'coroutine']) {
        const start = serve({ architecture, port: 0, threads: 1, service });
        await expect(start).rejects.toThrow(/Cannot open service ".*": .+/);
      }
    });
  });

  it('counts again over the same connections once the database is back', () => allCount());

  it('answers with an error while the database hangs, and counts again afterwards', async () => {
    store.hang();
    try {
      for (const answer of await askAll('hit back\n'))
        expect(answer).toMatch(/^error: no answer from \w+: .+\n$/);
    } finally {
      store.wakeUp();
    }
    await allCount();
  });

  it('has lost no connection, and no service has thrown', () => {
    for (const { events } of all) {
      const faults = events.filter(({ type }) =>
        ['threw', 'failed', 'died', 'crashed', 'cut'].includes(type),
      );
      expect(faults).toEqual([]);
    }
  });
});
