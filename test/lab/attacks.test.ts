/** The attacks of `mondo siege` as the lab runs them, on real servers. */
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { architectureNames, loadArchitecture } from '../../src/architectures/catalogue.ts';
import { recordOf } from '../../src/instruments/lab/shared/recording.ts';
import { type AttackRecord, PROBE } from '../../src/instruments/lab/shared/records.ts';
import {
  Assault,
  attackChoices,
  burningService,
  needsOf,
  type Victim,
} from '../../src/instruments/lab/street/attacks.ts';
import { Street } from '../../src/instruments/lab/street/street.ts';
import { attacks } from '../../src/instruments/siege/attacks.ts';
import { noLimits } from '../../src/limits/limits.ts';
import { isAlive } from '../support/processes.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const limits = noLimits;

/** Attacks, and all that they report. One for all tests, because an attacker is a process. */
class Watched {
  readonly records: AttackRecord[] = [];
  readonly assault = new Assault(
    () => performance.now(),
    (record) => this.records.push(record),
  );

  last(s: number): AttackRecord | undefined {
    return this.records.findLast((record) => record.s === s);
  }

  async begin(s: number, attack: string, serving: Serving, seconds = 30): Promise<void> {
    await this.assault.start(s, attack, await victimOf(serving), seconds);
  }
}

async function victimOf({ server }: Serving): Promise<Victim> {
  const traits = await loadArchitecture(server.architecture as (typeof architectureNames)[number]);
  return { traits, port: server.port, pids: () => server.pids };
}

const openAt = ({ server }: Serving) => server.workers().reduce((sum, { open }) => sum + open, 0);

const watched = new Watched();
/** `epoll` answers what burns too, and the siege kills its workers. */
let [epoll, poll, growing]: Serving[] = [];
beforeAll(async () => {
  [epoll, poll, growing] = await Promise.all([
    Serving.start({ architecture: 'epoll', limits, service: burningService() }),
    Serving.start({ architecture: 'poll', limits }),
    Serving.start({ architecture: 'socketserver', limits }),
  ]);
});
afterAll(async () => {
  await watched.assault.close();
  for (const serving of [epoll, poll, growing]) await serving?.close();
});
beforeEach(() => {
  watched.records.length = 0;
  return async () => {
    for (const s of [0, 1]) await watched.assault.stop(s);
  };
});

test('each attack starts, reaches an intensity, and stops', async () => {
  for (const { name } of attacks) {
    await watched.begin(0, name, name === 'thread-bomb' ? growing! : epoll!);
    expect(watched.records.some(({ attack }) => attack === name)).toBe(true);
    await until(`${name} to reach its intensity`, () => watched.last(0)!.reached >= 50);
    if (name === 'thread-bomb') {
      // The threads that a busy machine has started after the end serve the next attack.
      await until('all of it', async () => {
        if (watched.last(0)!.attack === '') await watched.begin(0, name, growing!);
        return watched.last(0)!.reached >= 100;
      });
      expect(openAt(growing!)).toBe(50);
    }
    await watched.assault.stop(0);
    expect(watched.last(0)).toMatchObject({ k: 'a', s: 0, attack: '' });
    expect(watched.last(0)!.reached).toBeGreaterThanOrEqual(50);
  }
  for (const record of watched.records) expect(recordOf(record)).toEqual(record);
});

test('an attack ends by itself, and its clients leave', async () => {
  await watched.begin(0, 'idle-crowd', poll!, 0.2);
  await until('its end', () => watched.last(0)!.attack === '');
  await until('the clients to leave', () => openAt(poll!) === 0);
});

test('an attack whose process was killed ends, and the next one starts another', async () => {
  await watched.begin(0, 'idle-crowd', poll!);
  const [pid] = watched.assault.pids;
  process.kill(pid!, 'SIGKILL');
  await until('its clients to leave', () => openAt(poll!) === 0);
  await watched.assault.stop(0);
  expect(watched.last(0)!.attack).toBe('');
  await watched.begin(0, 'idle-crowd', poll!);
  await until('the next', () => watched.last(0)!.reached >= 50);
  expect(watched.assault.pids).not.toContain(pid);
});

test('an attack reports what it reaches while it runs', async () => {
  await watched.begin(0, 'idle-crowd', poll!);
  await until('three reports', () => watched.records.length >= 4);
  expect(watched.records[0]!.reached).toBe(-1);
  const times = watched.records.map(({ t }) => t);
  expect(times).toEqual(times.toSorted((one, other) => one - other));
});

test('the probe turns red under an attack on a pool, and its stopwatch stops after the end of the attack', async () => {
  const serving = await Serving.start({ architecture: 'threaded', threads: 2, limits });
  const none = {
    clients: 0,
    silent: 0,
    slow: 0,
    leaving: 0,
    pipelining: 0,
    pause: 0,
    questions: 0,
  };
  let probe: readonly number[] = [];
  const street = await Street.start(String(process.hrtime.bigint()), (record) => {
    if (record.k === 'f') probe = record.p ?? probe;
  });
  await street.play([{ s: 0, port: serving.server.port }], 7, none);
  await street.probe(0, true);
  await until('green', () => probe[0] === PROBE.green);
  await watched.begin(0, 'idle-crowd', serving);
  await until('red', () => probe[0] === PROBE.red);
  expect(probe[2]).toBe(-1);
  await watched.assault.stop(0);
  await street.watch(0);
  await until('the stopwatch', () => probe[2]! >= 0);
  expect(probe[0]).toBe(PROBE.green);
  await street.close();
  await serving.close();
});

// The last attack: it ends all attackers.
test('two stages are attacked at once; a second attack on one replaces the first', async () => {
  await Promise.all([
    watched.begin(0, 'idle-crowd', poll!),
    watched.begin(1, 'slow-drip', epoll!),
    watched.begin(1, 'churn', epoll!),
  ]);
  expect(watched.assault.pids.length).toBe(2);
  await until('both', () => [0, 1].every((s) => watched.last(s)!.reached >= 50));
  expect([0, 1].map((s) => watched.last(s)!.attack)).toEqual(['idle-crowd', 'churn']);
  const names = watched.records.filter(({ s }) => s === 1).map(({ attack }) => attack);
  const changes = names.filter((name, index) => name !== names[index - 1]);
  expect(changes).toEqual(['slow-drip', '', 'churn']);
  const { pids } = watched.assault;
  await watched.assault.close();
  expect([0, 1].map((s) => watched.last(s)!.attack)).toEqual(['', '']);
  expect(pids.filter(isAlive)).toEqual([]);
});

test('an attack that does not fit or does not exist is refused, and the reason is in the choices', async () => {
  const [bomb] = (await attackChoices()).filter(({ name }) => name === 'thread-bomb');
  const why = bomb!.unfit.poll!;
  await expect(watched.begin(0, 'thread-bomb', poll!)).rejects.toThrow(why);
  await expect(watched.begin(0, 'rm -rf', poll!)).rejects.toThrow('there is no attack');
  expect(watched.records).toEqual([]);
});

test('the choices are the attacks of the siege, each with one sentence', async () => {
  const choices = await attackChoices();
  expect(choices.map(({ name }) => name)).toEqual(attacks.map(({ name }) => name));
  expect(choices.length).toBe(18);
  for (const { sentence } of choices) {
    expect(sentence).toMatch(/^[A-Z0-9].*\.$/);
    expect(sentence).not.toContain('. ');
  }
  const unfit = Object.fromEntries(choices.map(({ name, unfit }) => [name, Object.keys(unfit)]));
  const bombed = ['socketserver', 'inetd'];
  expect(unfit['thread-bomb']).toEqual(architectureNames.filter((name) => !bombed.includes(name)));
  const others = Object.entries(unfit).filter(([name]) => name !== 'thread-bomb');
  expect(others.flatMap(([, names]) => names)).toEqual([]);
});

test('two attacks need a server of their own', () => {
  expect(needsOf('descriptors')).toEqual({ descriptors: 128 });
  expect(needsOf('burn')).toEqual({ burning: true });
  const others = attacks.filter(({ name }) => name !== 'descriptors' && name !== 'burn');
  expect(others.map(({ name }) => needsOf(name))).toEqual(others.map(() => ({})));
});
