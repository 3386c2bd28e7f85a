/** The street of the lab: its clients at real servers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { cast } from '../../src/instruments/lab/shared/cast.ts';
import type { Mix } from '../../src/instruments/lab/shared/plan.ts';
import { recordOf } from '../../src/instruments/lab/shared/recording.ts';
import {
  EVENT,
  type FrameRecord,
  isTold,
  type LabRecord,
  PROBE,
  WIDTH,
} from '../../src/instruments/lab/shared/records.ts';
import { addressOf, FIRST_NC } from '../../src/instruments/lab/shared/wire.ts';
import { MOST_TOLD } from '../../src/instruments/lab/street/books.ts';
import { Street } from '../../src/instruments/lab/street/street.ts';
import { recoveryOf } from '../../src/instruments/siege/recovery.ts';
import { isAlive } from '../support/processes.ts';
import { Serving } from '../support/serving.ts';
import { PATIENCE, until, untilSo, within } from '../support/until.ts';

const none: Mix = {
  clients: 0,
  silent: 0,
  slow: 0,
  leaving: 0,
  pipelining: 0,
  pause: 50,
  questions: 0,
};
const SEED = 7;

type Event = Record<'t' | 'client' | 'kind' | 'lane' | 'extra', number>;

/** What one stage has told. */
interface Told {
  readonly frames: FrameRecord[];
  readonly events: Event[];
  /** The newest counters, and the newest probe. */
  u: readonly number[];
  p: readonly number[];
}

/**
 * A street, and all that it has told. Its process is the one of all tests: a cast that plays has its own books. Tests
 * run one after the other.
 */
class Watched implements AsyncDisposable {
  static #shared: Promise<Street> | undefined;
  static #hear: (record: LabRecord) => void = () => {};
  readonly street: Street;
  readonly #told: readonly Told[];

  static async start(): Promise<Watched> {
    const told = Array.from({ length: 4 }, (): Told => {
      return { frames: [], events: [], u: new Array(7).fill(0), p: [PROBE.off, 0, -1] };
    });
    Watched.#hear = (record: LabRecord) => {
      if (record.k !== 'f') return;
      const stage = told[record.s]!;
      stage.frames.push(record);
      stage.events.push(...eventsOf(record));
      stage.u = record.u ?? stage.u;
      stage.p = record.p ?? stage.p;
    };
    Watched.#shared ??= startStreet((record) => Watched.#hear(record));
    return new Watched(await Watched.#shared, told);
  }

  static async close(): Promise<void> {
    await (await Watched.#shared)?.close();
  }

  private constructor(street: Street, told: readonly Told[]) {
    this.street = street;
    this.#told = told;
  }

  frames(s: number): readonly FrameRecord[] {
    return this.#told[s]!.frames;
  }

  /** The newest counters of a stage. */
  users(s: number) {
    const [connected, asked, answered, wrong, ended, reset, left] = this.#told[s]!.u;
    return { connected, asked, answered, wrong, ended, reset, left } as Record<string, number>;
  }

  events(s: number, client?: number): readonly Event[] {
    const { events } = this.#told[s]!;
    return client === undefined ? events : events.filter((event) => event.client === client);
  }

  kinds(s: number, client: number): number[] {
    return this.events(s, client).map(({ kind }) => kind);
  }

  count(s: number, kind: number, client?: number): number {
    return this.events(s, client).filter((event) => event.kind === kind).length;
  }

  probe(s: number): readonly number[] {
    return this.#told[s]!.p;
  }

  /** All clients leave, and the probes are off. */
  async leave(): Promise<void> {
    for (const s of this.#told.keys()) {
      await this.street.probe(s, false);
      await this.street.silence(s);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.leave();
  }
}

const startStreet = (hear: (record: LabRecord) => void = () => {}) =>
  Street.start(String(process.hrtime.bigint()), hear);

/** Servers that many tests use, with their defaults. */
const servers = new Map<string, Promise<Serving>>();
function shared(architecture: 'single' | 'poll' | 'epoll'): Promise<Serving> {
  const serving = servers.get(architecture) ?? Serving.start({ architecture });
  servers.set(architecture, serving);
  return serving;
}
/** Resolves when a server has no client left. */
const isEmpty = ({ server }: Serving) =>
  until('the clients to leave', () => server.workers().every(({ open }) => open === 0));
afterAll(async () => {
  await Watched.close();
  for (const serving of servers.values()) await (await serving).close();
});

const eventsOf = ({ t, e = [] }: FrameRecord): Event[] =>
  Array.from({ length: e.length / WIDTH.e }, (_, row) => {
    const [at, id, kind, lane, extra] = e.slice(row * WIDTH.e, (row + 1) * WIDTH.e);
    return { t: t + at! / 1000, client: id!, kind: kind!, lane: lane!, extra: extra! };
  });

const stoppedOf = (serving: Serving) => {
  const last = serving.events.at(-1)!;
  return last.type === 'stopped' ? last : expect.fail(`the last event is ${last.type}`);
};
const told = (serving: Serving, type: string) =>
  serving.events.filter((event) => event.type === type);

test('clients of each temper count what the server counts, and get right answers in order', async () => {
  const serving = await Serving.start({ architecture: 'poll' });
  await using watched = await Watched.start();
  const mix = {
    ...none,
    clients: 5,
    silent: 1,
    slow: 1,
    leaving: 1,
    pipelining: 1,
    questions: 6,
  };
  const tempers = cast(SEED, mix).map(({ temper }) => temper);
  expect(tempers).toEqual(['silent', 'slow', 'leaving', 'pipelining', 'honest']);
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await until('each client to have told its story', () => {
    const [slow, leaving] = [watched.kinds(0, 2), watched.kinds(0, 3)];
    const visits = watched.count(0, EVENT.connecting, 5) + watched.count(0, EVENT.connecting, 4);
    return (
      slow.filter((kind) => kind === EVENT.answered).length >= 2 &&
      leaving.filter((kind) => kind === EVENT.hungUp).length >= 2 &&
      visits >= 4
    );
  });
  await watched.street.silence(0);
  const users = watched.users(0);
  const count = (kind: number) => watched.count(0, kind);
  await until('the server to see them leave', () => serving.server.workers()[0]!.open === 0);
  await serving.close();

  expect(users).toMatchObject({ wrong: 0, ended: 0, reset: 0 });
  expect(users.connected).toBe(count(EVENT.connected));
  expect(users.connected).toBe(users.left);
  expect(stoppedOf(serving).connections).toBe(users.connected);
  expect(told(serving, 'hungUp').length).toBeGreaterThanOrEqual(count(EVENT.hungUp));
  // The last questions may have been answered after their clients had left.
  expect(stoppedOf(serving).questions).toBeGreaterThanOrEqual(users.answered!);
  expect(stoppedOf(serving).questions).toBeLessThanOrEqual(users.asked!);
  expect(watched.frames(0).at(-1)!.t).toBeGreaterThan(watched.frames(0)[0]!.t);
  const { h } = watched.frames(0).findLast((frame) => frame.h !== undefined)!;
  expect(h!.reduce((sum, waits) => sum + waits)).toBe(users.answered);
  for (const frame of watched.frames(0)) expect(recordOf(frame)).toEqual(frame);

  const [came, asked, answered] = [
    [EVENT.connecting, EVENT.connected],
    EVENT.asked,
    EVENT.answered,
  ];
  expect(watched.kinds(0, 1)).toEqual([...came, EVENT.left]);
  expect(watched.kinds(0, 2).slice(0, 6)).toEqual([...came, asked, answered, asked, answered]);
  expect(watched.kinds(0, 3).slice(0, 3)).toEqual([...came, EVENT.hungUp]);
  const three = (kind: number) => [kind, kind, kind];
  const round = [...three(asked), ...three(answered)];
  expect(watched.kinds(0, 4).slice(0, 15)).toEqual([...came, ...round, ...round, EVENT.left]);
  const six = Array.from({ length: 6 }, () => [asked, answered]).flat();
  expect(watched.kinds(0, 5).slice(0, 15)).toEqual([...came, ...six, EVENT.left]);

  // A slow question takes at least 300 ms; it counts as asked when its last byte is sent.
  const slow = watched.events(0, 2);
  const at = (kind: number) => slow.find((event) => event.kind === kind)!.t;
  expect(at(EVENT.asked) - at(EVENT.connected)).toBeGreaterThan(300);
  const sizes = slow.filter(({ kind }) => kind === EVENT.asked).map(({ extra }) => extra);
  expect(sizes.every((size) => size >= 22 && size <= 25)).toBe(true);
});

test('each client has its own address, and its event has its local port', async () => {
  const serving = await shared('epoll');
  const before = serving.events.length;
  await using watched = await Watched.start();
  const mix = { ...none, clients: 3 };
  await watched.street.play([{ s: 2, port: serving.server.port }], SEED, mix);
  const acceptedNow = () =>
    serving.events
      .slice(before)
      .flatMap((event) => (event.type === 'accepted' ? [event.peer] : []));
  await until('three clients', () => acceptedNow().length === 3);
  await until('their ports', () => watched.count(2, EVENT.connected) === 3);
  const connected = watched
    .events(2)
    .filter(({ kind }) => kind === EVENT.connected)
    .map(({ client, extra }) => `${addressOf(2, client)}:${extra}`);
  expect(connected.toSorted()).toEqual(acceptedNow().toSorted());
  await watched.leave();
  await isEmpty(serving);
});

test('the same seed brings the same clients to two stages at the same time', async () => {
  const [one, other] = [await shared('poll'), await shared('epoll')];
  const attempt = async () => {
    await using watched = await Watched.start();
    const ports = [one, other].map(({ server: { port } }, s) => ({ s, port }));
    const mix = { ...none, clients: 40, leaving: 4, pipelining: 4, slow: 4 };
    await watched.street.play(ports, SEED, mix);
    const arrivals = (s: number) => {
      const first = new Map<number, number>();
      for (const { client, kind, t } of watched.events(s)) {
        if (kind === EVENT.connecting && !first.has(client)) first.set(client, t);
      }
      return first;
    };
    await until('all clients', () => [0, 1].every((s) => arrivals(s).size === 40));
    const [here, there] = [arrivals(0), arrivals(1)];
    expect([...here.keys()]).toEqual([...there.keys()]);
    return Math.max(...[...here].map(([client, t]) => Math.abs(t - there.get(client)!)));
  };
  expect(await untilSo(attempt, (apart) => apart <= 20)).toBeLessThanOrEqual(20);
  await isEmpty(one);
  await isEmpty(other);
});

test('at single, a silent client makes the others wait: they are connected and not answered', async () => {
  const [single, poll] = [await shared('single'), await shared('poll')];
  const before = told(single, 'accepted').length;
  await using watched = await Watched.start();
  const mix = { ...none, clients: 4, silent: 1 };
  const ports = [single, poll].map(({ server: { port } }, s) => ({ s, port }));
  await watched.street.play(ports, SEED, mix);
  await until('poll to answer each honest client', () =>
    [2, 3, 4].every((client) => watched.count(1, EVENT.answered, client) >= 3),
  );
  await until('all to have asked single', () => watched.count(0, EVENT.asked) === 3);
  expect(watched.users(0)).toMatchObject({ connected: 4, asked: 3, answered: 0 });
  for (const client of [2, 3, 4]) {
    expect(watched.kinds(0, client)).toEqual([EVENT.connecting, EVENT.connected, EVENT.asked]);
  }
  expect(told(single, 'accepted').length).toBe(before + 1);

  await watched.street.probe(0, true);
  await watched.street.probe(1, true);
  await until('the probes', () => watched.probe(0)[0] === PROBE.red);
  await until('the probe of poll', () => watched.probe(1)[0] === PROBE.green);
  expect(watched.probe(0)[0]).toBe(PROBE.red);
  expect(watched.probe(0)[1]).toBeGreaterThan(watched.probe(1)[1]!);
  await watched.leave();
  await isEmpty(single);
  await isEmpty(poll);
});

test('a limit ends silent clients, and they come again', async () => {
  const serving = await Serving.start({ architecture: 'epoll', limits: { idle: 50 } });
  await using watched = await Watched.start();
  const mix = { ...none, clients: 3, silent: 2, pause: 20 };
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await until(
    'both to come three times',
    () => watched.count(0, EVENT.connected, 1) >= 3 && watched.count(0, EVENT.connected, 2) >= 3,
  );
  await watched.street.silence(0);
  await until('the server to see it', () => serving.server.workers()[0]!.open === 0);
  const first = [EVENT.connecting, EVENT.connected, EVENT.cut];
  expect(watched.kinds(0, 1).slice(0, 6)).toEqual([...first, ...first]);
  const { ended = 0, reset = 0 } = watched.users(0);
  // A client may have left while the server ended it.
  const limited = told(serving, 'limited').length;
  expect(limited).toBeGreaterThanOrEqual(ended + reset);
  expect(limited - ended - reset).toBeLessThanOrEqual(3);
  await serving.close();
});

test('clients that have left come again on order, and their counters go on', async () => {
  const serving = await shared('epoll');
  await using watched = await Watched.start();
  const mix = { ...none, clients: 3, silent: 1, pause: 20 };
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await watched.street.probe(0, true);
  const connected = (count: number) =>
    [1, 2, 3].every((client) => watched.count(0, EVENT.connected, client) === count);
  await until('all to come', () => connected(1) && watched.users(0).answered! > 4);
  await watched.street.silence(0);
  await until('the server to see them leave', () => serving.server.workers()[0]!.open === 0);
  const { answered = 0, left } = watched.users(0);
  expect(left).toBe(3);
  await watched.street.wake(0);
  await until('all to come again', () => connected(2) && watched.users(0).answered! > answered + 4);
  await until('the probe', () => watched.probe(0)[0] === PROBE.green);
  await watched.leave();
  await isEmpty(serving);
});

test('a full server refuses clients with a word, which is no wrong answer, and they come again', async () => {
  const serving = await Serving.start({
    architecture: 'epoll',
    limits: { connections: 1 },
    whenFull: 'busy',
  });
  await using watched = await Watched.start();
  const mix = { ...none, clients: 3, silent: 2 };
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await until('refusals of both tempers', () =>
    [2, 3].every((client) => watched.count(0, EVENT.refused, client) >= 2),
  );
  await watched.street.silence(0);
  const { wrong, ended, answered } = watched.users(0);
  expect({ wrong, answered }).toEqual({ wrong: 0, answered: 0 });
  expect(ended).toBeGreaterThanOrEqual(4);
  await until('the server to see it', () => serving.server.workers()[0]!.open === 0);
  await serving.close();
});

test('a reset by the server is no end in order, and the clients come again', async () => {
  const limits = { connections: 1 };
  const serving = await Serving.start({ architecture: 'epoll', limits, whenFull: 'reset' });
  await using watched = await Watched.start();
  const mix = { ...none, clients: 2, silent: 2 };
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await until('two resets', () => watched.count(0, EVENT.reset, 2) >= 2);
  const visit = [EVENT.connecting, EVENT.connected, EVENT.reset];
  expect(watched.kinds(0, 2).slice(0, 6)).toEqual([...visit, ...visit]);
  await watched.street.silence(0);
  expect(watched.users(0)).toMatchObject({ ended: 0, reset: watched.count(0, EVENT.reset) });
  await serving.close();
});

test('a wrong answer is counted, and its client leaves and comes again', async () => {
  const service = new URL('../support/services/echo.ts', import.meta.url);
  const serving = await Serving.start({ architecture: 'poll', service });
  await using watched = await Watched.start();
  const mix = { ...none, clients: 2, pipelining: 1 };
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await until('two wrong answers each', () =>
    [1, 2].every((client) => watched.count(0, EVENT.wrong, client) >= 2),
  );
  await watched.street.silence(0);
  expect(watched.users(0)).toMatchObject({ answered: 0, wrong: watched.count(0, EVENT.wrong) });
  const visit = [EVENT.connecting, EVENT.connected, EVENT.asked, EVENT.wrong, EVENT.left];
  expect(watched.kinds(0, 2).slice(0, 10)).toEqual([...visit, ...visit]);
  await serving.close();
});

test('clients that find no server come again, and are answered when there is one', async () => {
  const first = await Serving.start({ architecture: 'poll' });
  const { port } = first.server;
  await first.close();
  await using watched = await Watched.start();
  await watched.street.play([{ s: 0, port }], SEED, { ...none, clients: 2 });
  await until('two refusals each', () =>
    [1, 2].every((client) => watched.count(0, EVENT.refused, client) >= 2),
  );
  expect(watched.users(0)).toMatchObject({ connected: 0, wrong: 0 });
  const second = await Serving.start({ architecture: 'poll', port });
  await until('answers', () =>
    [1, 2].every((client) => watched.count(0, EVENT.answered, client) > 0),
  );
  await watched.leave();
  await second.close();
});

test('of 1,100 clients the counters are exact, events name only a few, and the stories of these are whole', async () => {
  const serving = await Serving.start({ architecture: 'epoll' });
  await using watched = await Watched.start();
  const mix = { ...none, clients: 1100, silent: 110, pause: 400, questions: 2 };
  await watched.street.play([{ s: 0, port: serving.server.port }], SEED, mix);
  await until('2,200 answers', () => watched.users(0).answered! >= 2200);
  await watched.street.silence(0);
  const users = watched.users(0);
  await until('the server to see them leave', () => serving.server.workers()[0]!.open === 0);
  await serving.close();
  expect(users).toMatchObject({ wrong: 0, ended: 0, reset: 0, connected: users.left });
  expect(stoppedOf(serving).connections).toBe(users.connected);
  expect(stoppedOf(serving).questions).toBeGreaterThanOrEqual(users.answered!);
  expect(stoppedOf(serving).questions).toBeLessThanOrEqual(users.asked!);

  const frames = watched.frames(0);
  for (const { e = [] } of frames) expect(e.length / WIDTH.e).toBeLessThanOrEqual(MOST_TOLD);
  const every = frames.at(-1)!.every!;
  expect(every).toBeGreaterThanOrEqual(8);
  const shown = cast(SEED, mix).filter(({ id }) => isTold(SEED, id, every));
  expect(shown.length).toBeGreaterThan(0);
  const stories = new Map<number, string>();
  const letters = new Map<number, string>([
    [EVENT.connecting, 'c'],
    [EVENT.connected, 'C'],
    [EVENT.asked, 'a'],
    [EVENT.answered, 'A'],
    [EVENT.left, 'l'],
  ]);
  for (const { client, kind } of watched.events(0)) {
    stories.set(client, (stories.get(client) ?? '') + (letters.get(kind) ?? '!'));
  }
  for (const { id, temper } of shown) {
    // At the end, some may still wait for their connect to return.
    const visit = temper === 'silent' ? /^(?:cC?l)?$/ : /^(?:cCaAaAl)*(?:c(?:C(?:aA)?a?)?l)?$/;
    expect(stories.get(id) ?? '').toMatch(visit);
  }
  const whole = shown.filter(({ id }) => stories.get(id)?.startsWith('cCaAaAl'));
  expect(whole.length).toBeGreaterThan(shown.length / 4);
});

test('the stopwatch of the probe agrees with the recovery of a siege', async () => {
  const serving = await shared('single');
  await using watched = await Watched.start();
  const { port } = serving.server;
  await watched.street.play([{ s: 0, port }], SEED, none);
  await watched.street.probe(0, true);
  await until('green', () => watched.probe(0)[0] === PROBE.green);
  const attempt = async () => {
    // A client from elsewhere holds the server: it leaves 600 ms after the attack has ended.
    const silent = connect(port, '127.0.0.1');
    await once(silent, 'connect');
    await serving.expectAccepted(`127.0.0.1:${silent.localPort}`);
    await watched.street.watch(0);
    const leaving = setTimeout(() => silent.destroy(), 600);
    const siege = (await recoveryOf(port)) ?? Number.NaN;
    clearTimeout(leaving);
    const lab = await until('the stopwatch', () => watched.probe(0)[2]! >= 0 && watched.probe(0));
    silent.destroy();
    return { siege, lab: lab[2]! };
  };
  const agrees = ({ siege, lab }: { siege: number; lab: number }) =>
    Math.abs(lab / siege - 1) <= 0.1;
  const measured = await untilSo(attempt, agrees);
  expect(measured.lab).toBeGreaterThanOrEqual(590);
  expect(agrees(measured)).toBe(true);
  await watched.leave();
  await isEmpty(serving);
});

test('nc adds a silent client, and after its release the stopwatch stops', async () => {
  const serving = await shared('single');
  const before = told(serving, 'accepted').length;
  await using watched = await Watched.start();
  const { street } = watched;
  await street.play([{ s: 0, port: serving.server.port }], SEED, none);
  await street.nc(0);
  await until('nc to be accepted', () => told(serving, 'accepted').length === before + 1);
  await street.nc(0);
  await street.probe(0, true);
  await until('red', () => watched.probe(0)[0] === PROBE.red);
  expect(watched.kinds(0, FIRST_NC)).toEqual([EVENT.connecting, EVENT.connected]);
  expect(watched.kinds(0, FIRST_NC + 1)).toEqual([EVENT.connecting, EVENT.connected]);
  await street.release(0);
  await until('recovery', () => watched.probe(0)[2]! >= 0);
  expect(watched.probe(0)[0]).toBe(PROBE.green);
  expect(watched.kinds(0, FIRST_NC).at(-1)).toBe(EVENT.left);
  await street.probe(0, false);
  await until('off', () => watched.probe(0)[0] === PROBE.off);
  await watched.leave();
  await isEmpty(serving);
});

test('another server on one stage gets the cast from its start, and the other stage goes on', async () => {
  const [one, two, three] = [await shared('poll'), await shared('single'), await shared('epoll')];
  await using watched = await Watched.start();
  const { street } = watched;
  const mix = { ...none, clients: 2 };
  const ports = [one, two].map(({ server: { port } }, s) => ({ s, port }));
  await street.play(ports, SEED, mix);
  await until('answers', () =>
    [0, 1].every((s) => watched.users(s).connected === 2 && watched.users(s).answered! >= 4),
  );
  await street.silence(0);
  expect(watched.users(0).left).toBe(2);
  await until('both to have left', () => one.server.workers()[0]!.open === 0);
  const before = watched.frames(0).length;
  const there = watched.users(1);
  await street.play([{ s: 0, port: three.server.port }], SEED, mix);
  await until('new answers', () => three.server.workers()[0]!.open === 2);
  await until('frames', () => watched.frames(0).length > before && watched.users(0).answered! >= 2);
  const [first] = watched.frames(0).slice(before);
  expect(first!.u![0]).toBeLessThanOrEqual(2);
  expect(watched.users(0).left).toBe(0);
  await until('the other stage', () => watched.users(1).answered! > there.answered!);
  expect(watched.users(1).connected).toBe(2);
  await watched.leave();
  for (const serving of [one, two, three]) await isEmpty(serving);
});

test('close leaves no process, and orders to a street that has ended fail', async () => {
  const street = await startStreet();
  const { pid } = street;
  expect(isAlive(pid)).toBe(true);
  await street.close();
  expect(isAlive(pid)).toBe(false);
  await expect(street.nc(0)).rejects.toThrow('Cannot play the clients');
});

test('the street ends by itself when its parent is killed', async () => {
  const file = new URL('../../src/instruments/lab/street/street.ts', import.meta.url).href;
  const program = `
    import { Street } from ${JSON.stringify(file)};
    const street = await Street.start(String(process.hrtime.bigint()), () => {});
    await street.play([{ s: 0, port: 1 }], 7, ${JSON.stringify({ ...none, clients: 2 })});
    console.log(street.pid);
  `;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await within(PATIENCE, 'the pid', once(parent.stdout, 'data'));
  const pid = Number(String(line));
  expect(isAlive(pid)).toBe(true);
  const gone = once(parent, 'exit');
  parent.kill('SIGKILL');
  await gone;
  await until('the street to end', () => !isAlive(pid));
});
