/** The order in which a session starts, shows and ends its processes; test/lab/session.test.ts has the real ones. */
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { labStage } from '../../../../test/support/lab-recording.ts';
import type { Hear, Stage, StageOrder } from '../parts.ts';
import { nothing } from '../shared/model.ts';
import { recordOf } from '../shared/recording.ts';
import type { LabRecord, StageSetup } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import { scenes } from '../shared/scenes.ts';
import type { Command } from '../shared/wire.ts';
import { RefusedError } from './commands.ts';
import { type Parts, Session } from './session.ts';

const { key: _key, name, sentence: _sentence, ...plan } = scenes[0]!;

/** What the parts were asked, in order. */
let log: string[];
let records: LabRecord[];
let faults: string[];
/** Architectures whose servers cannot start. */
let broken: Set<string>;
let hears: Map<string, Hear>;
/** End the processes of the clients, in the order in which these started. */
let kills: (() => void)[];
let isStreetBroken: boolean;
let session: Session;

const setupOf = ({ plan, think, thinking, limits, dryRun }: StageOrder): StageSetup =>
  labStage(plan.architecture, {
    ...{ plan, think, thinking, dryRun },
    pid: 4000,
    limits: Object.entries(limits),
  });

async function startStage(order: StageOrder, hear: Hear): Promise<Stage> {
  const what = `${order.plan.architecture} ${order.s}`;
  const needs = order.burning === true ? ' burning' : '';
  const trace = order.trace === true ? ' traced' : '';
  log.push(`start ${what}${needs}${trace}`);
  // It tells its first lane before it is shown.
  hear({ k: 'f', s: order.s, t: 0, l: [7, 1, 1, 2, 100, 0, -1, 0] });
  hears.set(what, hear);
  await Promise.resolve();
  if (broken.has(order.plan.architecture)) throw new RefusedError('it is broken');
  let setup = setupOf(order);
  const note = (text: string) => async () => void log.push(`${text} ${what}`);
  return {
    get setup() {
      return setup;
    },
    port: 1060 + order.s,
    pids: [4711],
    restart: async ({ limits, dryRun }) => {
      setup = { ...setup, limits: Object.entries(limits), dryRun };
      await note('restart')();
    },
    exited: new Promise(() => {}),
    stop: note('stop'),
    signal: (pid, signal) => log.push(`${signal} ${pid}`),
    close: note('close'),
  };
}

const parts: Parts = {
  architectures: ['single', 'poll', 'epoll'],
  attacks: [{ name: 'burn', title: 'burn', sentence: '', unfit: { poll: 'it is too slow' } }],
  startStage,
  startStreet: async () => {
    if (isStreetBroken) throw new RefusedError('no process for clients');
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    let isThere = true;
    kills.push(() => {
      isThere = false;
      resolve();
    });
    const note = (text: string) => {
      if (!isThere) throw new RefusedError('the clients are gone');
      log.push(text);
    };
    return {
      pid: 4000 + kills.length,
      ended,
      play: (stages) => note(`play ${stages.map(({ s, port }) => `${s}:${port}`).join(' ')}`),
      silence: (s) => note(`silence ${s}`),
      wake: (s) => note(`wake ${s}`),
      nc: (s) => note(`nc ${s}`),
      release: (s) => note(`release ${s}`),
      probe: (s, on) => note(`probe ${s} ${on}`),
      watch: (s) => note(`watch ${s}`),
      close: async () => void log.push('close street'),
    };
  },
  assaults: (now, hear) => ({
    pids: [],
    needsOf: () => ({ burning: true }),
    start: async (s, attack, { port }, seconds) => {
      log.push(`attack ${s} ${attack} ${port} ${seconds}`);
      hear({ k: 'a', t: now(), s, attack, reached: -1 });
    },
    stop: async (s) => {
      log.push(`calm ${s}`);
      hear({ k: 'a', t: now(), s, attack: '', reached: -1 });
    },
    close: async () => void log.push('close assaults'),
  }),
};

beforeEach(async () => {
  log = [];
  records = [];
  faults = [];
  broken = new Set();
  hears = new Map();
  kills = [];
  isStreetBroken = false;
  session = await Session.start(parts, plan, name, {
    lines: (lines) => records.push(...lines.map((line) => recordOf(JSON.parse(line))!)),
    fault: (text) => faults.push(text),
  });
});
afterEach(() => session.close());

const model = () => {
  // Gives out what has come.
  session.history();
  return records.reduce(apply, nothing);
};
async function does(command: Command): Promise<string[]> {
  log = [];
  await session.obey(command);
  return log;
}
const architectures = () => model().stages.map(({ setup }) => setup.architecture);
const first = plan.stages[0]!;

test('a header comes first, then what servers told before they were shown', () => {
  expect(log).toEqual(['start single 0', 'start poll 1', 'play 0:1060 1:1061']);
  expect(model().stages.map(({ lanes }) => [...lanes.keys()])).toEqual([[7], [7]]);
  expect(records.map(({ k }) => k)).toEqual(['h', 'f', 'f']);
  expect(records[0]).toMatchObject({ setup: { scene: name, seed: plan.seed } });
});

test('a plan starts its servers before it ends the old ones', async () => {
  const next = { ...plan, stages: [{ architecture: 'epoll' }] };
  await does({ do: 'plan', plan: next, scene: 'other' });
  expect(log.filter((line) => /^(start|silence|play|close)/.test(line))).toEqual([
    'start epoll 0',
    'silence 0',
    'silence 1',
    'play 0:1060',
    'close single 0',
    'close poll 1',
  ]);
  expect(architectures()).toEqual(['epoll']);
  expect(model().setup!.scene).toBe('other');
  expect([...model().stages[0]!.lanes.keys()]).toEqual([7]);
  expect(model().commands.at(-1)!.text).toBe('scene "One silent client"');
});

test('a plan that cannot start changes nothing, and leaves nothing', async () => {
  broken.add('epoll');
  const next = { ...plan, stages: [first, { architecture: 'epoll' }] };
  await expect(does({ do: 'plan', plan: next, scene: '' })).rejects.toThrow('it is broken');
  expect(log).toEqual(['start single 0', 'start epoll 1', 'close single 0']);
  expect(architectures()).toEqual(['single', 'poll']);
  expect(model().commands).toEqual([]);
});

test('a swap touches one column; what its old server says later is not heard', async () => {
  const old = hears.get('single 0')!;
  const stage = { architecture: 'epoll' };
  await does({ do: 'swap', s: 0, stage });
  expect(log.filter((line) => line.endsWith('1'))).toEqual([]);
  old({ k: 'f', s: 0, t: 1e6, c: [9, 9, 9, 9, 9] });
  expect(architectures()).toEqual(['epoll', 'poll']);
  expect(model().stages[0]!.server.open).toBe(0);
  expect([...model().stages[1]!.lanes.keys()]).toEqual([7]);
  // It stays so when the scene starts again.
  await does({ do: 'again' });
  expect(architectures()).toEqual(['epoll', 'poll']);
});

test('a column is traced until the trace ends or another plan comes', async () => {
  expect(await does({ do: 'trace', s: 0, on: true })).toContain('start single 0 traced');
  await does({ do: 'again' });
  expect(log).toContain('start single 0 traced');
  expect(log).toContain('start poll 1');
  expect(await does({ do: 'trace', s: 0, on: false })).toContain('start single 0');
  await does({ do: 'trace', s: -1, on: true });
  expect(await does({ do: 'plan', plan, scene: name })).toContain('start single 0');
  expect(architectures()).toEqual(['single', 'poll']);
});

test('a limit restarts the workers and keeps the clients; 0 takes it away', async () => {
  hears.get('single 0')!({ k: 'f', s: 0, t: 5, r: [3, 3, 7, 0, -1, 2] });
  expect(await does({ do: 'limit', s: 0, name: 'idle', value: 3 })).toEqual(['restart single 0']);
  expect(model().stages[0]!.setup.limits).toEqual([['idle', 3]]);
  expect([...model().stages[0]!.clients.keys()]).toEqual([3]);
  await does({ do: 'limit', s: -1, name: 'idle', value: 0 });
  expect(log).toEqual(['restart single 0', 'restart poll 1']);
  expect(model().stages[0]!.setup.limits).toEqual([]);
});

test('after a stop nothing can be asked of a server, until the scene starts again', async () => {
  await does({ do: 'stop', s: 0 });
  await expect(does({ do: 'restart', s: 0 })).rejects.toThrow('single is stopped');
  await does({ do: 'again' });
  expect(await does({ do: 'restart', s: 0 })).toEqual(['restart single 0']);
});

test('signals go to workers of the column only', async () => {
  expect(await does({ do: 'signal', s: 0, pid: 4711, signal: 'SIGSTOP' })).toEqual([
    'SIGSTOP 4711',
  ]);
  await expect(does({ do: 'signal', s: 0, pid: 4000, signal: 'SIGKILL' })).rejects.toThrow(
    'Process 4000 is no worker of single',
  );
});

test('an attack gets the server that it needs, once, and the stopwatch starts at its end', async () => {
  await does({ do: 'attack', s: 0, attack: 'burn', seconds: 5 });
  expect(log[0]).toBe('start single 0 burning');
  expect(log.at(-1)).toBe('attack 0 burn 1060 5');
  expect(model().stages[0]!.attack.name).toBe('burn');
  expect(await does({ do: 'calm', s: 0 })).toEqual(['calm 0', 'watch 0']);
  expect(model().stages[0]!.attack.name).toBe('');
  expect(await does({ do: 'attack', s: 0, attack: 'burn', seconds: 5 })).toEqual([
    'attack 0 burn 1060 5',
  ]);
  await expect(does({ do: 'attack', s: 1, attack: 'burn', seconds: 5 })).rejects.toThrow(
    'Cannot attack poll: it is too slow',
  );
});

test('clients and the probe belong to the street; the probe stays on for the next server', async () => {
  expect(await does({ do: 'nc', s: -1 })).toEqual(['nc 0', 'nc 1']);
  expect(await does({ do: 'release', s: 1 })).toEqual(['release 1']);
  expect(await does({ do: 'probe', s: 0, on: true })).toEqual(['probe 0 true']);
  await does({ do: 'swap', s: 0, stage: { architecture: 'epoll' } });
  expect(log).toContain('probe 0 true');
  await does({ do: 'plan', plan, scene: name });
  expect(log).not.toContain('probe 0 true');
});

test('half a minute after the last viewer has left, attacks stop and clients leave; with a viewer they come again', async () => {
  vi.useFakeTimers();
  try {
    session.watched(0);
    log = [];
    await vi.advanceTimersByTimeAsync(29_000);
    session.watched(1);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log).toEqual([]);
    session.watched(0);
    await vi.advanceTimersByTimeAsync(31_000);
    const done = log.filter((line) => /^(calm|silence)/.test(line));
    expect(done).toEqual(['calm 0', 'calm 1', 'silence 0', 'silence 1']);
    log = [];
    session.watched(1);
    session.watched(2);
    await vi.advanceTimersByTimeAsync(1000);
    expect(log).toEqual(['wake 0', 'wake 1']);
    expect(model().commands.map(({ text }) => text)).toEqual([
      'no viewer watches: all clients leave',
      'a viewer is back: the clients come again',
    ]);
  } finally {
    vi.useRealTimers();
  }
});

test('a lab that is recorded plays on without viewers', async () => {
  vi.useFakeTimers();
  const listener = { keeps: true, lines: () => {}, fault: () => {} };
  const recorded = await Session.start(parts, plan, name, listener);
  try {
    recorded.watched(0);
    log = [];
    await vi.advanceTimersByTimeAsync(60_000);
    expect(log).toEqual([]);
  } finally {
    vi.useRealTimers();
    await recorded.close();
  }
});

test('more commands than can wait are refused', async () => {
  const all = Array.from({ length: 40 }, () => session.obey({ do: 'nc', s: 0 }));
  const done = await Promise.allSettled(all);
  const refused = done.filter(({ status }) => status === 'rejected');
  expect(refused).toHaveLength(24);
});

/** Resolves when the session has done what it had to do. */
const settled = () => session.obey({ do: 'take-over' });

test('if the process of the clients ends, another one starts and plays the scene; if that ends soon, the session fails', async () => {
  await does({ do: 'probe', s: 0, on: true });
  log = [];
  kills[0]!();
  await vi.waitFor(() => expect(log).toContain('close poll 1'));
  expect(faults).toEqual([
    'The process of the clients has ended: another one starts, and the scene starts again',
  ]);
  expect(log).toEqual([
    'start single 0',
    'start poll 1',
    ...['calm 0', 'watch 0', 'silence 0', 'calm 1', 'watch 1', 'silence 1'],
    'play 0:1060 1:1061',
    'probe 0 true',
    'close single 0',
    'close poll 1',
  ]);
  expect(model().setup!.scene).toBe(name);
  expect(await does({ do: 'nc', s: 0 })).toEqual(['nc 0']);
  kills[1]!();
  const { message } = await session.failed;
  expect(message).toBe('Cannot play the clients: their process ends again and again');
  expect(kills).toHaveLength(2);
});

test('without another process for the clients the session fails', async () => {
  isStreetBroken = true;
  kills[0]!();
  expect((await session.failed).message).toBe('no process for clients');
});

test('a session that rests does not wake up for another process of the clients', async () => {
  vi.useFakeTimers();
  try {
    session.watched(0);
    await vi.advanceTimersByTimeAsync(31_000);
    log = [];
    kills[0]!();
    await vi.advanceTimersByTimeAsync(1000);
    expect(log.slice(log.indexOf('play 0:1060 1:1061') + 1)).toEqual(
      expect.arrayContaining(['calm 0', 'silence 0', 'calm 1', 'silence 1']),
    );
  } finally {
    vi.useRealTimers();
  }
});

test('a change in which the clients are gone leaves none of its servers, and the old ones go on', async () => {
  const next = { ...plan, stages: [{ architecture: 'epoll' }] };
  log = [];
  const changing = session.obey({ do: 'plan', plan: next, scene: '' });
  kills[0]!();
  await expect(changing).rejects.toThrow('the clients are gone');
  expect(log.slice(0, 3)).toEqual(['start epoll 0', 'calm 0', 'close epoll 0']);
  await settled();
  expect(architectures()).toEqual(['single', 'poll']);
  expect(log).toContain('play 0:1060 1:1061');
});

test('the end closes each part once, and is the last record', async () => {
  log = [];
  await session.close();
  await session.close();
  expect(log.toSorted()).toEqual([
    'close assaults',
    'close poll 1',
    'close single 0',
    'close street',
  ]);
  expect(records.at(-1)!.k).toBe('end');
});

test('if a server cannot start, nothing is left of the others', async () => {
  broken.add('poll');
  log = [];
  const starting = Session.start(parts, plan, name, { lines: () => {}, fault: () => {} });
  await expect(starting).rejects.toThrow('it is broken');
  expect(log).toEqual([
    'start single 0',
    'start poll 1',
    'close single 0',
    'close assaults',
    'close street',
  ]);
});
