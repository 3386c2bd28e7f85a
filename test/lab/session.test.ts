/** Each command of a viewer does to real servers what it says. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { isNc } from '../../src/instruments/lab/shared/missions/goals.ts';
import type { Model } from '../../src/instruments/lab/shared/model.ts';
import { LIMITS, type Plan, type StagePlan } from '../../src/instruments/lab/shared/plan.ts';
import { EVENT, KERNEL, PLACE, PROBE } from '../../src/instruments/lab/shared/records.ts';
import { scenes } from '../../src/instruments/lab/shared/scenes.ts';
import { why } from '../../src/instruments/lab/shared/why.ts';
import { type Lab, LabViewer, startLab } from '../support/lab.ts';
import { descendantsOf, isAlive } from '../support/processes.ts';
import { MS, until } from '../support/until.ts';

let lab: Lab;
let viewer: LabViewer;
beforeAll(async () => {
  lab = await startLab('single');
});
afterAll(() => lab[Symbol.asyncDispose]());
beforeEach(async () => {
  viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  await until('to steer', () => viewer.welcome?.steers);
  return () => viewer[Symbol.dispose]();
});

const { key: _key, name: _name, sentence: _sentence, ...usual } = scenes[0]!;
/** Clients that speak. */
const speaking = { ...usual.mix, silent: 0, clients: 3, pause: 50 };
let scene = 0;

/** The plan of this test, and the one whose servers the test before has left as they were. */
let [wanted, kept] = ['', ''];
const keep = () => {
  kept = wanted;
};

/** Plays another plan, if its servers do not run already; resolves when they run. */
async function play(stages: readonly StagePlan[], rest: Partial<Plan> = {}): Promise<Model> {
  wanted = JSON.stringify({ stages, rest });
  const isNew = kept !== wanted;
  kept = '';
  if (isNew) scene++;
  const title = `scene ${scene}`;
  const plan: Plan = { ...usual, mix: speaking, think: 0, ...rest, stages, title };
  if (isNew) viewer.send({ do: 'plan', plan, scene: title });
  return viewer.sees(title, ({ setup }) => setup?.title === title);
}
const stageOf = (s = 0) => viewer.model.stages[s]!;
const answered = (s = 0) => stageOf(s).users.answered;
const sees = (what: string, isSo: () => boolean) => viewer.sees(what, isSo);
const more = async (s = 0) => {
  const before = answered(s);
  await sees('more answers', () => answered(s) > before);
};
const workers = (s = 0) => [...new Set([...stageOf(s).lanes.values()].map(({ pid }) => pid))];
const isListening = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });

test('plan: other servers with other options and clients; the old ones are gone', async () => {
  await viewer.sees('the first server', ({ stages }) => stages.length === 1);
  const { pid, port } = stageOf().setup;
  const stages = [
    { architecture: 'threaded', threads: 3 },
    { architecture: 'single' },
    { architecture: 'inetd', wait: 1 },
  ];
  const model = await play(stages, { think: 30, limits: { idle: 5 }, seed: 99 });
  expect(model.setup).toMatchObject({ seed: 99, mix: speaking, scene: model.setup!.title });
  const [threaded, single, inetd] = model.setup!.stages;
  expect(threaded).toMatchObject({ architecture: 'threaded', threads: 3, think: 30 });
  expect(single).toMatchObject({ architecture: 'single', limits: [['idle', 5]] });
  expect(inetd!.command).toContain('--inetd wait');
  await Promise.all([more(0), more(1), more(2)]);
  await until('the old server to be gone', () => !isAlive(pid));
  expect(await isListening(port)).toBe(false);
});

test('a plan that cannot be is one line, and the old servers go on', async () => {
  await play([{ architecture: 'poll' }]);
  const { title } = viewer.model.setup!;
  const plan: Plan = { ...usual, stages: [{ architecture: 'single', threads: 4 }] };
  const note = await viewer.answered({ do: 'plan', plan, scene: '' }, /single/);
  expect(note.text).not.toContain('\n');
  expect(viewer.model.setup!.title).toBe(title);
  await more();
  keep();
});

test('again: the same servers and clients from their start', async () => {
  await play([{ architecture: 'poll' }]);
  await sees('ten answers', () => answered() >= 10);
  const { pid } = stageOf().setup;
  viewer.send({ do: 'again' });
  await sees('another server', () => stageOf().setup.pid !== pid);
  const connects = viewer.records.findLast((record) => record.k === 's')!;
  expect(connects.setup.mix).toEqual(speaking);
  await more();
  keep();
});

test('probe: green at a server that serves; off again', async () => {
  await play([{ architecture: 'poll' }]);
  viewer.send({ do: 'probe', s: 0, on: true });
  await sees('green', () => stageOf().probe.light === PROBE.green);
  viewer.send({ do: 'probe', s: 0, on: false });
  await sees('off', () => stageOf().probe.light === PROBE.off);
  keep();
});

test('what an attack does not fit is one line', async () => {
  await play([{ architecture: 'poll' }]);
  await viewer.answered(
    { do: 'attack', s: 0, attack: 'thread-bomb', seconds: 2 },
    /^Cannot attack poll: [^\n]*thread/,
  );
  keep();
});

test('signal: stop and continue; the supervisor is no worker', async () => {
  await play([{ architecture: 'poll' }]);
  await more();
  const [worker] = workers();
  viewer.send({ do: 'signal', s: 0, pid: worker!, signal: 'SIGSTOP' });
  await sees('it to be stopped', () =>
    [...stageOf().lanes.values()].some(({ kernel }) => kernel === KERNEL.stopped),
  );
  viewer.send({ do: 'signal', s: 0, pid: worker!, signal: 'SIGCONT' });
  await more();
  const { pid } = stageOf().setup;
  await viewer.answered({ do: 'signal', s: 0, pid, signal: 'SIGKILL' }, /is no worker of poll/);
  expect(isAlive(pid)).toBe(true);
  keep();
});

test('an attack that needs a server of its own gets one', async () => {
  await play([{ architecture: 'poll' }]);
  await more();
  const { pid } = stageOf().setup;
  viewer.send({ do: 'attack', s: 0, attack: 'burn', seconds: 2 });
  await sees('the attack', () => stageOf().attack.name === 'burn');
  expect(stageOf().setup.pid).not.toBe(pid);
  await sees('its end, by itself', () => stageOf().attack.name === '');
  await more();
  keep();
});

test('limit: an idle client is ended after a restart of the workers, and 0 takes the limit away', async () => {
  await play([{ architecture: 'poll' }]);
  await more();
  const { pid } = stageOf().setup;
  viewer.send({ do: 'limit', s: 0, name: 'idle', value: 0.3 * MS });
  await sees('the limit', () => stageOf().setup.limits.length === 1);
  expect(stageOf().setup).toMatchObject({ pid, limits: [['idle', 0.3 * MS]] });
  expect(stageOf().setup.command).toContain('--limit idle=');
  expect(stageOf().users.reset).toBe(0);
  viewer.send({ do: 'nc', s: 0 });
  await sees('an end by the limit', () =>
    stageOf().endings.some(({ reason }) => reason === 'idle'),
  );

  viewer.send({ do: 'dry-run', s: 0, on: true });
  await sees('a dry run', () => stageOf().setup.command.includes('--dry-run'));
  viewer.send({ do: 'limit', s: 0, name: 'idle', value: 0 });
  await sees('no limit', () => stageOf().setup.limits.length === 0);
  await more();
  keep();
});

test('a server whose process dies is a fault that all viewers learn, and again helps', async () => {
  await play([{ architecture: 'poll' }]);
  await more();
  const { pid } = stageOf().setup;
  process.kill(pid, 'SIGKILL');
  await until('a note', () =>
    viewer.notes.some(({ isFault, text }) => isFault && /process of poll has ended/.test(text)),
  );
  viewer.send({ do: 'again' });
  await sees('another server', () => stageOf().setup.pid !== pid);
  await more();
});

test('socketserver has a thread for each client; with a cap on threads, clients wait in the kernel', async () => {
  const silent = { ...speaking, clients: 6, silent: 6 };
  const plan = { architecture: 'socketserver' };
  await play([plan, { ...plan, 'max-threads': 2 }], { mix: silent });
  expect(stageOf(1).setup.command).toContain('--max-threads 2');
  const serving = (s: number) =>
    [...stageOf(s).lanes.values()].filter(({ client }) => client >= 0).length;
  await sees('six threads, and two', () => serving(0) === 6 && serving(1) === 2);
  await sees('four in the queue', () => stageOf(1).queue.waiting === 4);
  expect(stageOf(0).queue.waiting).toBe(0);
  // The memory that a client costs is in the figures.
  await sees('the threads of the process', () => stageOf(0).cost.threads > stageOf(1).cost.threads);
});

test('select refuses clients when its 1,024 descriptors are used up, and the sentence says so', async () => {
  const crowd = { ...speaking, clients: 1100, silent: 1100 };
  await play([{ architecture: 'select' }], { mix: crowd });
  await sees('refused clients', () => stageOf().server.refused > 0);
  await sees('the sentence', () => why(viewer.model, 0).rule === 'descriptors');
  const { open, limited } = stageOf().server;
  expect(open).toBeGreaterThan(900);
  expect(open).toBeLessThan(1024);
  expect(limited).toBe(0);
});

test('an answer that blocks its thread makes the others wait; one that is deferred does not', async () => {
  const mix = { ...speaking, clients: 6, pause: 1 };
  /** ms that twelve answers take. */
  const twelve = async (thinking: 'block' | 'defer') => {
    const { t } = await play([{ architecture: 'poll' }], { mix, think: 200, thinking });
    if (thinking === 'block') {
      await sees('one thread for all', () => why(viewer.model, 0).rule === 'inside one answer');
    }
    const model = await sees('twelve answers', () => answered() >= 12);
    return model.t - t;
  };
  const block = await twelve('block');
  expect(await twelve('defer')).toBeLessThan(block / 2);
});

test('the limit idle makes a red probe green', async () => {
  await play([{ architecture: 'single' }], { mix: { ...speaking, clients: 0 } });
  viewer.send({ do: 'nc', s: 0 });
  await sees('it to be served', () => stageOf().server.open === 1);
  viewer.send({ do: 'probe', s: 0, on: true });
  await sees('red', () => stageOf().probe.light === PROBE.red);
  viewer.send({ do: 'limit', s: 0, name: 'idle', value: 0.3 * MS });
  await sees('green', () => stageOf().probe.light === PROBE.green);
});

test('each limit that a viewer can set is a limit of the server', async () => {
  await play([{ architecture: 'poll' }]);
  await more();
  const values = LIMITS.map((name) => [name, 100] as const);
  for (const [name, value] of values) viewer.send({ do: 'limit', s: 0, name, value });
  await sees('all limits', () => stageOf().setup.limits.length === values.length);
  expect(stageOf().setup.limits).toEqual(values);
  for (const name of LIMITS) expect(stageOf().setup.command).toContain(`--limit ${name}=`);
  await more();
});

test('nc and release: silent clients come, and leave', async () => {
  await play([{ architecture: 'single' }, { architecture: 'poll' }]);
  await Promise.all([more(0), more(1)]);
  const silent = (s: number) => [...stageOf(s).clients.values()].filter(isNc);
  viewer.send({ do: 'nc', s: -1 });
  viewer.send({ do: 'nc', s: 1 });
  await sees('one and two', () => silent(0).length === 1 && silent(1).length === 2);
  await sees('all to be accepted at poll', () =>
    silent(1).every(({ place }) => place === PLACE.served),
  );
  viewer.send({ do: 'release', s: -1 });
  await sees('none', () => silent(0).length === 0 && silent(1).length === 0);
  keep();
});

test('attack and calm: it holds the only thread, ends, and clients are answered again', async () => {
  await play([{ architecture: 'single' }, { architecture: 'poll' }]);
  await Promise.all([more(0), more(1)]);
  viewer.send({ do: 'attack', s: 0, attack: 'idle-crowd', seconds: 30 });
  await sees('the attack', () => {
    const { name, reached } = stageOf().attack;
    return name === 'idle-crowd' && reached >= 90;
  });
  expect(stageOf(1).attack.name).toBe('');
  await more(1);
  viewer.send({ do: 'calm', s: 0 });
  await sees('its end', () => stageOf().attack.name === '');
  await more(0);
  expect(viewer.model.commands.map(({ text }) => text)).toContain(
    'single: attack "idle crowd" for 30 seconds',
  );
});

test('stop: the server ends with a drain; again starts it', async () => {
  await play([{ architecture: 'poll' }, { architecture: 'epoll' }]);
  await Promise.all([more(0), more(1)]);
  const { port } = stageOf().setup;
  viewer.send({ do: 'stop', s: 0 });
  await until('it to listen no more', async () => !(await isListening(port)));
  await more(1);
  await viewer.answered({ do: 'restart', s: 0 }, /poll is stopped/);
  viewer.send({ do: 'again' });
  await sees('another server', () => stageOf().setup.port !== port);
  await more(0);
  keep();
});

test('swap: another architecture in one column; the other column goes on', async () => {
  await play([{ architecture: 'poll' }, { architecture: 'epoll' }]);
  await Promise.all([more(0), more(1)]);
  const [left, right] = viewer.model.setup!.stages;
  viewer.send({ do: 'swap', s: 1, stage: { architecture: 'threaded', threads: 2 } });
  await sees('the other architecture', () => stageOf(1).setup.architecture === 'threaded');
  expect(stageOf(0).setup).toEqual(left);
  const at = viewer.records.findLastIndex(({ k }) => k === 's');
  const before = answered(0);
  expect(before).toBeGreaterThan(0);
  await Promise.all([more(0), more(1)]);
  // No client of the other column noticed.
  const events = viewer.records
    .slice(at)
    .flatMap((record) => (record.k === 'f' && record.s === 0 ? (record.e ?? []) : []))
    .filter((_, index) => index % 5 === 2);
  expect(events).not.toContain(EVENT.cut);
  expect(events).not.toContain(EVENT.reset);
  await until('the old server to be gone', () => !isAlive(right!.pid));
});

test('restart: other workers, and no client lost', async () => {
  await play([{ architecture: 'prefork', processes: 2 }]);
  await more();
  const before = await until('both workers', () => workers().length >= 2 && workers());
  viewer.send({ do: 'restart', s: 0 });
  await sees('other workers', () => workers().some((pid) => !before.includes(pid)));
  await more();
  const { reset, wrong } = stageOf().users;
  expect([reset, wrong]).toEqual([0, 0]);
});

test('signal: kill -9 ends one worker, and another one comes', async () => {
  await play([{ architecture: 'prefork', processes: 2 }]);
  await more();
  const [victim] = await until('both workers', () => workers().length >= 2 && workers());
  viewer.send({ do: 'signal', s: 0, pid: victim!, signal: 'SIGKILL' });
  await until('its end', () => !isAlive(victim!));
  await sees('another one', () => workers().length >= 2 && !workers().includes(victim!));
  await more();
});

// The last one: it ends the lab.
test('the clients whose process is killed come again from their start; killed again, the lab ends with one line', async () => {
  await play([{ architecture: 'poll' }, { architecture: 'single' }]);
  await Promise.all([more(0), more(1)]);
  const street = () =>
    until('the process of the clients', () =>
      descendantsOf(lab.process.pid).find((pid) => isAlive(pid) && isStreet(pid)),
    );
  const [first, { pid }] = [await street(), stageOf().setup];
  process.kill(first, 'SIGKILL');
  await until('a note', () =>
    viewer.notes.some(({ isFault, text }) => isFault && /clients has ended: another/.test(text)),
  );
  await sees('the scene from its start', () => stageOf().setup.pid !== pid);
  await Promise.all([more(0), more(1)]);
  await until('the old server to be gone', () => !isAlive(pid));

  const processes = descendantsOf(lab.process.pid);
  process.kill(await street(), 'SIGKILL');
  const { code, stderr } = await lab.process.ended();
  expect(code).toBe(1);
  expect(stderr.trimEnd().split('\n').slice(-2)).toEqual([
    'mondo: The process of the clients has ended: another one starts, and the scene starts again',
    'mondo: Cannot play the clients: their process ends again and again',
  ]);
  expect(processes.filter(isAlive)).toEqual([]);
});

const isStreet = (pid: number): boolean =>
  readFileSync(`/proc/${pid}/cmdline`, 'latin1').includes('/lab/street/process');
