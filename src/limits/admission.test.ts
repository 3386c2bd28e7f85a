import { Worker } from 'node:worker_threads';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ADMISSION_WORDS,
  Admission,
  type AdmissionRules,
  dropHolder,
  dropHoldersOf,
  prepareAdmission,
  type Refusal,
} from './admission.ts';
import { defaultLimits, type Limits, UNBOUNDED } from './limits.ts';
import { parseAddress } from './networks.ts';
import { openOf } from './places.ts';
import { parseWhenFull } from './when-full.ts';

interface Given extends Partial<Omit<AdmissionRules, 'limits' | 'whenFull'>> {
  readonly limits?: Partial<Limits>;
  readonly whenFull?: string;
}

/** The admission of one server: each call of `process` is another process. */
class House {
  readonly memory = new Int32Array(new SharedArrayBuffer(ADMISSION_WORDS * 4));
  /** Clock in µs. */
  now = 1e12;
  chance = 0.5;
  readonly counts = new Map<Refusal, number>();
  readonly #rules: AdmissionRules;

  constructor({ limits, whenFull, ...rest }: Given = {}) {
    prepareAdmission(this.memory, [0x12345678, -0x76543210]);
    this.#rules = {
      limits: { ...defaultLimits, ...limits },
      whenFull: parseWhenFull(whenFull ?? 'busy'),
      dryRun: false,
      processes: 2,
      descriptors: UNBOUNDED,
      ...rest,
    };
  }

  process(pid: number, parent = 1): Admission {
    return new Admission(this.#rules, {
      memory: this.memory,
      pid,
      parent,
      tickets: new Int32Array(64),
      clock: () => this.now,
      random: () => this.chance,
      count: (refusal) => this.counts.set(refusal, (this.counts.get(refusal) ?? 0) + 1),
    });
  }

  get open(): number {
    return openOf(this.memory);
  }
}

const one = parseAddress('127.0.0.1')!;
const two = parseAddress('127.0.0.2')!;

/** The words of the tables behind the places: counts of connections by address. */
const COUNTS_AT = 16 + 2048 * 16;

describe('clients that proxies announce', () => {
  const limits = { connectionsPerAddress: 2, deny: ['127.0.0.9'] };
  const denied = parseAddress('127.0.0.9')!;
  const proxy = parseAddress('10.0.0.1')!;
  const trusted = ['10.0.0.0/8'];

  it('come only from trusted ones, also in a dry run', () => {
    for (const dryRun of [false, true]) {
      const house = new House({ trusted, dryRun });
      const door = house.process(10);
      expect(door.needsAddress).toBe(true);
      expect(door.enter(one)).toBe('proxy-untrusted');
      expect(door.enter(undefined)).toBe('proxy-untrusted');
      expect(house.open).toBe(0);
      expect(door.enter(proxy)).toBe(0);
      expect(house.open).toBe(1);
      expect(door.trusts(one)).toBe(false);
    }
  });

  it('are decided by their own addresses, and the proxy by none', () => {
    const house = new House({ trusted, limits });
    const door = house.process(10);
    for (let i = 0; i < 5; i++) expect(door.enter(proxy)).toBe(0);
    expect(door.announce(denied)).toBe('deny');
    expect([door.announce(one), door.announce(one)].every((ticket) => ticket !== 0)).toBe(true);
    expect(door.announce(one)).toBe('connections-per-address');
    expect(door.announce(two)).toBeTypeOf('number');
    expect(Object.fromEntries(house.counts)).toEqual({ deny: 1, 'connections-per-address': 1 });
  });

  it('learn of a refusal, but not if they are not allowed at all', () => {
    const door = new House({ trusted, limits }).process(10);
    expect(door.dismissalFor('connections-per-address').text).toBe('Error: server is busy.\n');
    expect(door.dismissalFor('deny').text).toBe('');
    expect(door.dismissalFor('proxy-untrusted').text).toBe('');
  });

  it('give back exactly: after 10,000 connections with all kinds of ends, every count is zero', () => {
    const house = new House({ trusted, limits });
    const doors = [house.process(10), house.process(11)] as const;
    const addresses = [one, two, denied, parseAddress('2001:db8::1')!];
    const open: { door: Admission; socket: number }[] = [];
    const free = Array.from({ length: 60 }, (_, socket) => socket);
    for (let i = 0; i < 10_000; i++) {
      const door = doors[i & 1]!;
      const socket = free.pop()!;
      expect(door.admit(socket, proxy)).toBeUndefined();
      // Every fifth one ends before it is announced, or is the proxy itself.
      if (i % 5 !== 0) door.announceAt(socket, addresses[(i * 7) % 4]!);
      open.push({ door, socket });
      if (open.length < 50) continue;
      const gone = open.splice((i * 31) % open.length, 1)[0]!;
      gone.door.leave(gone.socket);
      free.push(gone.socket);
    }
    expect(house.open).toBe(49);
    for (const { door, socket } of open) door.leave(socket);
    expect(house.open).toBe(0);
    expect(house.memory.subarray(COUNTS_AT).every((word) => word === 0)).toBe(true);
    expect(house.counts.get('connections-per-address')).toBeGreaterThan(100);
  });

  it('are forgotten with their process', () => {
    const house = new House({ trusted, limits });
    const [dead, door] = [house.process(10), house.process(11)];
    dead.admit(3, proxy);
    dead.announceAt(3, one);
    dead.admit(4, proxy);
    dead.announceAt(4, one);
    expect(door.announce(one)).toBe('connections-per-address');
    dropHolder(house.memory, 10);
    expect(door.announce(one)).toBeTypeOf('number');
  });
});

describe('the total of connections', () => {
  it('is at most the limit, over all processes', () => {
    const house = new House({ limits: { connections: 3 } });
    const [a, b] = [house.process(10), house.process(11)];
    const tickets = [a.enter(one), b.enter(one), a.enter(two)];
    expect(tickets.every((ticket) => typeof ticket === 'number')).toBe(true);
    expect(b.enter(one)).toBe('connections');
    expect(a.enter(undefined)).toBe('connections');
    b.exit(tickets[1] as number);
    expect(a.enter(one)).toBeTypeOf('number');
    expect(house.open).toBe(3);
    expect(house.counts.get('connections')).toBe(2);
  });

  it('is at most what a process has descriptors for, if there is no limit', () => {
    const house = new House({ descriptors: 2 });
    const [a, b] = [house.process(10), house.process(11)];
    expect([a, a, a, b, b, b].map((door) => typeof door.enter(one))).toEqual([
      'number',
      'number',
      'string',
      'number',
      'number',
      'string',
    ]);
  });

  it('has no bound if the limit is off', () => {
    const house = new House({ descriptors: 2, limits: { connections: UNBOUNDED } });
    const door = house.process(10);
    for (let i = 0; i < 10; i++) expect(door.enter(one)).toBeTypeOf('number');
  });

  it('with the policy wait, makes clients wait for a place, and refuses none', () => {
    const house = new House({ limits: { connections: 2 }, whenFull: 'wait' });
    const [a, b] = [house.process(10), house.process(11)];
    expect(a.reserve()).toBe(true);
    expect(a.isFull()).toBe(false);
    expect(b.reserve()).toBe(true);
    expect(a.isFull()).toBe(true);
    const ticket = a.enter(one) as number;
    expect(a.reserve()).toBe(false);
    // No client came.
    b.cancel();
    b.cancel();
    expect(house.open).toBe(1);
    expect(a.reserve()).toBe(true);
    expect(b.reserve()).toBe(false);
    a.cancel();
    a.exit(ticket);
    expect(house.open).toBe(0);
    expect(house.counts.size).toBe(0);
  });

  it('with a policy that refuses, never makes a client wait', () => {
    const house = new House({ limits: { connections: 1 }, whenFull: 'reset' });
    const door = house.process(10);
    door.enter(one);
    expect(door.isFull()).toBe(false);
    expect(door.reserve()).toBe(true);
    expect(house.open).toBe(1);
    expect(door.enter(one)).toBe('connections');
  });

  it('is limited at random between the thresholds', () => {
    const house = new House({ limits: { connections: 20 }, whenFull: 'random:2:30:10' });
    const door = house.process(10);
    house.chance = 0;
    expect([door.enter(one), door.enter(one)]).toEqual([0, 0]);
    // A third of the rate is 0.3.
    house.chance = 0.31;
    expect(door.enter(one)).toBe(0);
    house.chance = 0.29;
    expect(door.enter(one)).toBe('early');
    house.chance = 0.999;
    for (let i = 3; i < 10; i++) expect(door.enter(one)).toBe(0);
    expect(door.enter(one)).toBe('early');
    expect(house.open).toBe(10);
  });

  it('is limited at random from half of the limit by default', () => {
    const house = new House({ limits: { connections: 10 }, whenFull: 'random' });
    const door = house.process(10);
    house.chance = 0;
    for (let i = 0; i < 5; i++) expect(door.enter(one)).toBe(0);
    expect(door.enter(one)).toBe('early');
    house.chance = 0.999;
    for (let i = 5; i < 10; i++) expect(door.enter(one)).toBe(0);
    expect(door.enter(one)).toBe('connections');
  });
});

describe('connections per address', () => {
  it('are counted over all processes, for each address alone', () => {
    const house = new House({ limits: { connectionsPerAddress: 2 } });
    const [a, b] = [house.process(10), house.process(11)];
    const first = a.enter(one) as number;
    expect(b.enter(one)).toBeTypeOf('number');
    expect(a.enter(one)).toBe('connections-per-address');
    expect(a.enter(two)).toBeTypeOf('number');
    a.exit(first);
    expect(b.enter(one)).toBeTypeOf('number');
    expect(b.enter(one)).toBe('connections-per-address');
    expect(house.open).toBe(3);
  });

  it('count one /64 on IPv6, and no client of a unix socket', () => {
    const house = new House({ limits: { connectionsPerAddress: 1 } });
    const door = house.process(10);
    const at = (text: string) => door.enter(parseAddress(text));
    expect(at('2001:db8::1')).toBeTypeOf('number');
    expect(at('2001:db8::ffff:2')).toBe('connections-per-address');
    expect(at('2001:db8:0:1::1')).toBeTypeOf('number');
    expect(door.enter(undefined)).toBe(0);
    expect(door.enter(undefined)).toBe(0);
  });

  it('give back their ticket by descriptor, once', () => {
    const house = new House({ limits: { connectionsPerAddress: 1 } });
    const door = house.process(10);
    expect(door.admit(7, one)).toBeUndefined();
    expect(door.admit(8, one)).toBe('connections-per-address');
    door.leave(7);
    expect(door.admit(8, one)).toBeUndefined();
    // For descriptors past the last noted one, nothing is counted by address, and nothing is left behind.
    door.leave(8);
    expect(door.admit(64, one)).toBeUndefined();
    expect(door.admit(65, one)).toBeUndefined();
    door.leave(64);
    door.leave(65);
    expect(house.open).toBe(0);
    expect(door.admit(9, one)).toBeUndefined();
  });

  it('are not counted if the table is full, and then no client is refused', () => {
    const house = new House({ limits: { connectionsPerAddress: 1 } });
    const door = house.process(10);
    const tickets: number[] = [];
    // Far more addresses than entries.
    for (let i = 0; i < 40_000; i++) {
      const address = Uint8Array.from([...one.subarray(0, 12), 10, i >> 16, i >> 8, i]);
      const ticket = door.enter(address);
      expect(ticket).toBeTypeOf('number');
      tickets.push(ticket as number);
    }
    expect(tickets.filter((ticket) => ticket === 0).length).toBeGreaterThan(40_000 - 16_384 - 1);
    for (const ticket of tickets) door.exit(ticket);
    expect(house.open).toBe(0);
    expect(house.memory.subarray(COUNTS_AT).every((word) => word === 0)).toBe(true);
  });
});

describe('accepts per second', () => {
  it('are a burst, and then one in each interval', () => {
    const house = new House({ limits: { acceptsPerSecond: 4 } });
    const [a, b] = [house.process(10), house.process(11)];
    const come = (door: Admission) => door.enter(one) !== 'accepts-per-second';
    expect([a, b, a, b, a, b].map(come)).toEqual([true, true, true, true, false, false]);
    house.now += 249_000;
    expect(come(a)).toBe(false);
    house.now += 1100;
    expect([come(a), come(b)]).toEqual([true, false]);
    expect(b.enter(two)).toBeTypeOf('number');
    // The burst never grows, even after a long time without clients, and even after the clock has wrapped.
    for (const later of [1e6, 60e6, 2 ** 31 * 16, 2 ** 32 * 16 - 5e6]) {
      house.now += later;
      expect([a, b, a, b, a].map(come), `${later} µs later`).toEqual([
        true,
        true,
        true,
        true,
        false,
      ]);
    }
  });

  it('never exceed the burst and the rate in any period of time', () => {
    const step = fc.record({ wait: fc.nat(400_000), door: fc.nat(2), lag: fc.nat(3000) });
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 50 }),
        fc.array(step, { maxLength: 200 }),
        (rate, steps) => {
          const house = new House({ limits: { acceptsPerSecond: rate } });
          const doors = [house.process(10), house.process(11), house.process(12)];
          const admitted: number[] = [];
          let clock = house.now;
          for (const { wait, door, lag } of steps) {
            clock += wait;
            // A process may be suspended after it has read the clock, before it decides.
            house.now = clock - lag;
            if (typeof doors[door]!.enter(one) === 'number') admitted.push(clock);
          }
          for (let i = 0; i < admitted.length; i++) {
            for (let j = i; j < admitted.length; j++) {
              const stretch = (admitted[j]! - admitted[i]! + 3000) / 1e6;
              // One more, and half a per cent, for the resolution of the clock.
              expect(j - i + 1).toBeLessThanOrEqual(rate + stretch * rate * 1.005 + 1);
            }
          }
        },
      ),
    );
  });
});

describe('networks', () => {
  it('are checked before anything is counted for the address', () => {
    const house = new House({ limits: { deny: ['127.0.0.2'], acceptsPerSecond: 1 } });
    const door = house.process(10);
    expect([door.enter(two), door.enter(two)]).toEqual(['deny', 'deny']);
    expect([door.enter(one), door.enter(one)]).toEqual([0, 'accepts-per-second']);
    expect(door.enter(undefined)).toBe(0);
    expect(house.open).toBe(2);
  });
});

describe('a dry run', () => {
  it.each(['wait', 'busy', 'reset', 'random'])('counts and admits: %s', (whenFull) => {
    const house = new House({
      whenFull,
      dryRun: true,
      limits: { connections: 1, connectionsPerAddress: 1, deny: ['127.0.0.2'] },
    });
    const door = house.process(10);
    const tickets: (number | string)[] = [];
    for (const address of [one, one, two, undefined]) {
      expect(door.reserve()).toBe(true);
      expect(door.isFull()).toBe(false);
      tickets.push(door.enter(address));
    }
    expect(tickets.every((ticket) => typeof ticket === 'number')).toBe(true);
    expect(Object.fromEntries(house.counts)).toEqual({
      'connections-per-address': 1,
      deny: 1,
      connections: 1,
    });
    for (const ticket of tickets) door.exit(ticket as number);
    expect(house.open).toBe(0);
    expect(house.memory.subarray(16 + 2048 * 16).every((word) => word === 0)).toBe(true);
  });
});

describe('a process that is gone', () => {
  it('holds no more places, nor do its assistants once they are gone', () => {
    const house = new House({ limits: { connections: 4, connectionsPerAddress: 2 } });
    const [gone, assistant, left] = [house.process(10), house.process(12, 10), house.process(11)];
    for (const [door, address] of [
      [gone, one],
      [assistant, one],
      [gone, two],
      [left, two],
    ] as const) {
      expect(door.enter(address)).toBeTypeOf('number');
    }
    expect(left.enter(undefined)).toBe('connections');
    dropHolder(house.memory, 10);
    expect(house.open).toBe(2);
    dropHoldersOf(house.memory, 10);
    expect(house.open).toBe(1);
    const another = house.process(13);
    expect(another.enter(two)).toBeTypeOf('number');
    expect(another.enter(two)).toBe('connections-per-address');
    expect(another.enter(one)).toBeTypeOf('number');
    expect(another.enter(one)).toBeTypeOf('number');
    expect(house.open).toBe(4);
  });

  it('can be replaced any number of times', () => {
    const house = new House({ limits: { connectionsPerAddress: 1 } });
    for (let pid = 100; pid < 2000; pid++) {
      const door = house.process(pid);
      expect(door.enter(one)).toBeTypeOf('number');
      expect(door.enter(one)).toBe('connections-per-address');
      dropHolder(house.memory, pid);
    }
    expect(house.open).toBe(0);
  });
});

describe('any sequence', () => {
  interface Model {
    readonly address: number;
    readonly process: number;
    readonly ticket: number;
  }
  const steps = fc.array(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record({ do: fc.constant('enter'), who: fc.nat(3), what: fc.nat(4) }),
      },
      {
        weight: 4,
        arbitrary: fc.record({ do: fc.constant('exit'), who: fc.nat(3), what: fc.nat(30) }),
      },
      {
        weight: 1,
        arbitrary: fc.record({ do: fc.constant('kill'), who: fc.nat(3), what: fc.constant(0) }),
      },
    ),
    { maxLength: 120 },
  );

  it('admits exactly what the limits allow, and ends with no counts', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 8 }),
        fc.integer({ min: 0, max: 4 }),
        steps,
        (connections, connectionsPerAddress, all) => {
          const house = new House({ limits: { connections, connectionsPerAddress } });
          let pid = 100;
          const doors = [0, 1, 2, 3].map(() => ({ pid: ++pid, door: house.process(pid) }));
          let inside: Model[] = [];
          for (const step of all) {
            const { door } = doors[step.who]!;
            if (step.do === 'enter') {
              const address = Uint8Array.from([...one.subarray(0, 15), step.what]);
              const ofAddress = inside.filter((m) => m.address === step.what).length;
              const result = door.enter(address);
              if (connectionsPerAddress > 0 && ofAddress >= connectionsPerAddress) {
                expect(result).toBe('connections-per-address');
              } else if (inside.length >= connections) expect(result).toBe('connections');
              else {
                expect(result).toBeTypeOf('number');
                inside.push({ address: step.what, process: step.who, ticket: result as number });
              }
            } else if (step.do === 'exit' && inside.length > 0) {
              const [leaving] = inside.splice(step.what % inside.length, 1);
              doors[leaving!.process]!.door.exit(leaving!.ticket);
            } else if (step.do === 'kill') {
              dropHolder(house.memory, doors[step.who]!.pid);
              inside = inside.filter((m) => m.process !== step.who);
              doors[step.who] = { pid: ++pid, door: house.process(pid) };
            }
            expect(house.open).toBe(inside.length);
          }
          for (const { process, ticket } of inside) doors[process]!.door.exit(ticket);
          expect(house.open).toBe(0);
          // No entry is left in the tables of counts.
          expect(house.memory.subarray(16 + 2048 * 16).every((word) => word === 0)).toBe(true);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/**
 * The body of each thread: it enters and leaves at random, and counts by itself how many are in at the same moment.
 */
const hammering = `
import { parentPort, workerData } from 'node:worker_threads';
const { Admission } = await import(workerData.module);
const { memory, inside, worst, pid, rules, rounds } = workerData;
const door = new Admission(rules, {
  memory, pid, parent: 1, clock: () => 0, random: () => 0, count() {},
});
const held = [];
let admitted = 0;
Atomics.add(worst, 15, 1);
while (Atomics.load(worst, 15) < workerData.threads);
const note = (at) => {
  const now = Atomics.add(inside, at, 1) + 1;
  for (let most = Atomics.load(worst, at); now > most; most = Atomics.load(worst, at)) {
    Atomics.compareExchange(worst, at, most, now);
  }
};
const leave = ([which, ticket]) => {
  Atomics.sub(inside, which, 1);
  Atomics.sub(inside, 8, 1);
  door.exit(ticket);
};
for (let i = 0; i < rounds; i++) {
  const which = Math.floor(Math.random() * 3);
  const address = new Uint8Array(16);
  address.fill(255, 10, 12);
  address[15] = which;
  const result = rules.whenFull.policy === 'wait' && !door.reserve() ? 'wait' : door.enter(address);
  if (typeof result === 'number') {
    note(which);
    note(8);
    admitted++;
    held.push([which, result]);
  }
  if (held.length > 0 && Math.random() < 0.6) leave(held.splice(Math.floor(Math.random() * held.length), 1)[0]);
}
for (const one of held) leave(one);
parentPort.postMessage(admitted);
`;

describe.each(['busy', 'wait'])('threads at the same time, %s', (whenFull) => {
  it('never exceed the limits, and end with no counts', async () => {
    const threads = 4;
    const memory = new Int32Array(new SharedArrayBuffer(ADMISSION_WORDS * 4));
    prepareAdmission(memory, [1, 2]);
    const inside = new Int32Array(new SharedArrayBuffer(64));
    const worst = new Int32Array(new SharedArrayBuffer(64));
    const rules: AdmissionRules = {
      limits: { ...defaultLimits, connections: 5, connectionsPerAddress: 3 },
      whenFull: parseWhenFull(whenFull),
      dryRun: false,
      processes: threads,
      descriptors: UNBOUNDED,
    };
    const module = new URL('./admission.ts', import.meta.url).href;
    const admitted = await Promise.all(
      Array.from({ length: threads }, (_, i) => {
        // Two of them share a process.
        const data = {
          module,
          memory,
          inside,
          worst,
          pid: 100 + (i >> 1),
          rules,
          rounds: 50_000,
          threads,
        };
        const worker = new Worker(
          new URL(`data:text/javascript,${encodeURIComponent(hammering)}`),
          { workerData: data },
        );
        return new Promise<number>((resolve, reject) => {
          worker.once('message', resolve).once('error', reject);
        });
      }),
    );
    // A single thread may admit none, because the others may have held the places.
    expect(admitted.reduce((sum, count) => sum + count)).toBeGreaterThan(1000);
    expect([...worst.subarray(0, 3)].every((most) => most <= 3)).toBe(true);
    expect(worst[8]).toBeLessThanOrEqual(5);
    // The threads did reach the limit.
    expect(worst[8]).toBe(5);
    expect(openOf(memory)).toBe(0);
    expect(memory.subarray(16 + 2048 * 16).every((word) => word === 0)).toBe(true);
  });
});
