import { describe, expect, it } from 'vitest';
import { architectureNames, loadArchitecture } from '../architectures/catalogue.ts';
import { ADMISSION_WORDS, Admission, type AdmissionRules } from '../limits/admission.ts';
import { defaultLimits } from '../limits/limits.ts';
import { parseWhenFull } from '../limits/when-full.ts';
import { MOST_PLACES } from '../worker/scoreboard.ts';
import { ServeError } from './errors.ts';
import {
  architectureNamed,
  changedPlan,
  DEFAULT_HOST,
  DEFAULT_PORT,
  deadlineOf,
  MOST_GENERATIONS,
  MOST_PROCESSES,
  planOf,
  type RestartOptions,
  type ServeOptions,
} from './plan.ts';

const all = await Promise.all(architectureNames.map(loadArchitecture));
const single = await loadArchitecture('single');
const threaded = await loadArchitecture('threaded');
const queued = await loadArchitecture('queued');

function refusal(options: ServeOptions, traits = threaded): ServeError {
  try {
    planOf(traits, options);
  } catch (error) {
    if (error instanceof ServeError) return error;
    throw error;
  }
  throw new Error('It was not refused');
}

describe('planOf', () => {
  it('leaves nothing out', () => {
    expect(planOf(threaded, {})).toMatchObject({
      host: DEFAULT_HOST,
      port: DEFAULT_PORT,
      threads: 4,
      processes: 1,
      reuseport: false,
      backlog: 1024,
      think: { ms: 0, how: 'block' },
      page: {
        queue: 64,
        maxThreads: 0,
        threadCache: -1,
        mixin: 'threading',
        exclusive: false,
        inetd: 'nowait',
        processCache: -1,
      },
    });
  });

  it.each(all)("uses $name's own numbers of threads and processes by default", (traits) => {
    expect(planOf(traits, {})).toMatchObject({
      threads: traits.threads.default,
      processes: traits.processes.default,
    });
  });

  const wrong: [ServeOptions, string][] = [
    [{ port: -1 }, 'a port'],
    [{ port: 65_536 }, 'a port'],
    [{ port: 1.5 }, 'a port'],
    [{ port: Number.NaN }, 'a port'],
    [{ threads: 0 }, 'the number of threads'],
    [{ threads: 401 }, 'the number of threads'],
    [{ processes: 0 }, 'the number of processes'],
    [{ backlog: 0 }, 'a backlog'],
    [{ think: -1 }, 'a thinking time'],
    [{ queue: 0 }, 'the queue'],
    [{ maxThreads: -1 }, 'the most threads'],
  ];
  it.each(wrong)('refuses %j, quoting the value and the range', (options, what) => {
    const { kind, message } = refusal(options);
    expect(kind).toBe('usage');
    expect(message).toContain(what);
    expect(message).toContain(String(Object.values(options)[0]));
    expect(message).toMatch(/from \d+ to \d+/);
  });

  it('refuses an unknown option, and lists the known ones', () => {
    const porrt = { porrt: 0 } as ServeOptions;
    expect(refusal(porrt).message).toMatch(
      /^serve has no option "porrt"; there are architecture, host, port, .*inetd, systemd$/,
    );
    expect(refusal({ toString: undefined } as unknown as ServeOptions).message).toContain(
      '"toString"',
    );
    expect(() => deadlineOf({ deadlin: 0 } as object, 10)).toThrow(
      'close has no option "deadlin"; there are deadline',
    );
    expect(deadlineOf(undefined, 10)).toBe(10);
  });

  it('refuses an unknown word, and lists the known ones', () => {
    const thinkHow = 'hard' as 'block';
    expect(refusal({ thinkHow }).message).toMatch(/"hard".*block or defer/);
    expect(refusal({ mixin: 'x' as 'forking' }).message).toMatch(/"x".*threading or forking/);
    expect(refusal({ inetd: 'x' as 'wait' }).message).toMatch(/"x".*nowait or wait/);
  });

  it('refuses an option of another architecture', () => {
    expect(refusal({ queue: 3 }).message).toBe('Cannot use queue with threaded: it is for queued');
    expect(planOf(queued, { queue: 3, exclusive: false }).page.queue).toBe(3);
  });

  it('refuses another number of threads if the architecture defines the number', () => {
    expect(refusal({ threads: 2 }, single).message).toMatch(/single with 2 threads/);
    expect(planOf(single, { threads: 1 }).threads).toBe(1);
  });

  it('refuses reuseport if there is no port, or if one thread accepts', () => {
    expect(refusal({ reuseport: true, host: 'unix:/tmp/s' }).message).toContain('unix:/tmp/s');
    expect(refusal({ reuseport: true }, queued).message).toContain('queued');
  });
});

describe('proxies', () => {
  const proxy = { trusted: ['10.0.0.0/8'] };

  it('are none by default, and must be named', () => {
    expect(planOf(single, {}).proxy).toBeUndefined();
    expect(planOf(single, { proxy }).proxy).toEqual(proxy);
    expect(refusal({ proxy: { trusted: [] } }).message).toContain('without an entry');
    expect(refusal({ proxy: { trusted: ['here'] } }).message).toContain('"here"');
    expect(refusal({ proxy: { trust: [] } as never }).message).toContain('no option "trust"');
  });

  it('of a unix socket must be trusted as such', () => {
    const host = 'unix:/tmp/s';
    expect(refusal({ proxy, host }).message).toContain('add unix');
    expect(planOf(single, { host, proxy: { trusted: ['unix'] } }).proxy?.trusted).toEqual(['unix']);
  });

  it('are required for a limit on their headers, unless it is the usual one', () => {
    const limits = { proxyHeader: 5000 };
    expect(refusal({ limits }).message).toContain('--proxy-protocol');
    expect(planOf(single, { limits, proxy }).limits.proxyHeader).toBe(5000);
    expect(planOf(single, { limits: defaultLimits }).limits).toEqual(defaultLimits);
    expect(() => changedPlan(planOf(single, {}), { limits })).toThrow('--proxy-protocol');
  });
});

describe('a restart', () => {
  it('changes what it names, and nothing else', () => {
    const before = planOf(queued, { threads: 2, think: 5, queue: 9 });
    const after = changedPlan(before, { threads: 3, thinkHow: 'defer', whenFull: 'busy' });
    const expected = {
      threads: 3,
      think: { ms: 5, how: 'defer' },
      whenFull: parseWhenFull('busy'),
    };
    expect(after).toEqual({ ...before, ...expected });
    expect(changedPlan(before, { queue: 7 })).toEqual({
      ...before,
      page: { ...before.page, queue: 7 },
    });
    expect(changedPlan(before, {})).toEqual(before);
  });

  it('can give an option its default again', async () => {
    const proxy = { trusted: ['10.0.0.0/8'] };
    const crew = await loadArchitecture('socketserver');
    const before = planOf(crew, { proxy, threadCache: 3, mixin: 'forking', stuck: 7, drain: 9 });
    const usual = { proxy: false, threadCache: -1, mixin: 'threading', stuck: 5000 } as const;
    expect(changedPlan(before, { ...usual, drain: 10_000 })).toEqual(planOf(crew, {}));
  });

  it.each([
    [{ threads: 2 }, 'Cannot serve single with 2 threads'],
    [{ queue: 3 }, 'Cannot use queue with single'],
    [{ think: -1 }, 'Cannot use -1 as a thinking time'],
    [{ whenFull: 'never' }, 'Cannot use "never" as policy'],
    [{ metricsLatency: true }, 'Cannot use metricsLatency without admin'],
    [{ drain: -1 }, 'Cannot use -1 as a drain'],
    [{ stuck: -1 }, 'Cannot use -1 as a time in ms until a worker is stuck'],
    [{ lameDuck: -1 }, 'Cannot use -1 as a lame duck'],
    [{ proxy: { trusted: [] } }, 'without an entry'],
    [{ port: 7 }, 'restart has no option "port"'],
  ])('refuses %j', (options, says) =>
    expect(() => changedPlan(planOf(single, {}), options as RestartOptions)).toThrow(says));

  it('cannot change the number of listeners', async () => {
    const plan = planOf(await loadArchitecture('epoll'), { threads: 2, reuseport: true });
    expect(() => changedPlan(plan, { threads: 3 })).toThrow('with reuseport');
    expect(changedPlan(plan, { threads: 2 })).toEqual(plan);
  });
});

it('the admission counts for the largest number of processes, over all generations', () => {
  const memory = new Int32Array(new SharedArrayBuffer(ADMISSION_WORDS * 4));
  const rules: AdmissionRules = {
    ...{ limits: { ...defaultLimits, connections: 2 }, whenFull: { policy: 'busy' } },
    ...{ dryRun: false, processes: MOST_PROCESSES, descriptors: 1000 },
  };
  const parts = { memory, parent: 1, clock: () => 0, count: () => {}, random: Math.random };
  const all = Array.from(
    { length: MOST_PROCESSES * MOST_GENERATIONS },
    (_, i) => new Admission(rules, { ...parts, pid: 1000 + i }),
  );
  expect(all[0]!.enter(undefined)).toBe(0);
  expect(all.at(-1)!.enter(undefined)).toBe(0);
  expect(all.at(-1)!.enter(undefined)).toBe('connections');
  expect(all[0]!.enter(undefined)).toBe('connections');
});

describe('architectureNamed', () => {
  it('knows every name of the catalogue, and lists them for an unknown name', () => {
    for (const name of architectureNames) expect(architectureNamed(name)).toBe(name);
    expect(() => architectureNamed('fork')).toThrow(`there are ${architectureNames.join(', ')}`);
    expect(() => architectureNamed('toString')).toThrow(ServeError);
  });
});

it('the scoreboard has a place for each thread of as many processes as there may be', () => {
  const most = { threads: 400, processes: MOST_PROCESSES };
  const epoll = all.find(({ name }) => name === 'epoll')!;
  const { threads, processes } = planOf(epoll, most);
  expect(threads * processes).toBeLessThanOrEqual(MOST_PLACES);
  expect(refusal({ ...most, threads: 401 }, epoll).message).toContain('401');
});
