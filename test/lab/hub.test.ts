/** `mondo lab` as a command, and what its viewers get. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { labCommand } from '../../src/cli/lab.ts';
import { report } from '../../src/cli/report.ts';
import { Hub } from '../../src/instruments/lab/hub/hub.ts';
import type { Source } from '../../src/instruments/lab/hub/source.ts';
import { nothing } from '../../src/instruments/lab/shared/model.ts';
import { lineOf, MOST_BYTES, pack, unpack } from '../../src/instruments/lab/shared/recording.ts';
import type { LabRecord } from '../../src/instruments/lab/shared/records.ts';
import { apply } from '../../src/instruments/lab/shared/reducer.ts';
import { commands } from '../support/commands.ts';
import { type Lab, LabViewer, startLab } from '../support/lab.ts';
import { labHeader as header } from '../support/lab-recording.ts';
import { descendantsOf, isAlive, runMondo } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** For commands that end before they serve. */
const mondo = commands();

let folder: string;
/** A lab for several tests, and its folder for temporary files. The last test ends it. */
let [common, temporary]: [Lab?, string?] = [];
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'mondo-lab-'));
  [common, temporary] = await startApart('single', 'poll', '--scene', 'silent');
});
afterAll(async () => {
  await common?.[Symbol.asyncDispose]();
  for (const one of [folder, temporary]) rmSync(one!, { recursive: true, force: true });
});

/** A lab with an own folder for temporary files. */
async function startApart(...args: string[]): Promise<[Lab, string]> {
  const own = mkdtempSync(join(tmpdir(), 'mondo-lab-'));
  vi.stubEnv('TMPDIR', own);
  try {
    return [await startLab(...args), own];
  } finally {
    vi.unstubAllEnvs();
  }
}

const modelOf = (records: readonly LabRecord[]) => records.reduce(apply, nothing);

test('prints where the page is and what to press; a viewer sees the servers, and another one the same', async () => {
  const lab = common!;
  await lab.process.printed(
    /^Mondo lab: http:\/\/127\.0\.0\.1:\d+\/#t=[\w-]{22}\n[^\n]*Ctrl-C[^\n]*\n$/,
  );
  using one = await LabViewer.open(lab.port, `t.${lab.token}`);
  await one.sees(
    'answers of poll, and clients that wait at single',
    ({ stages: [single, poll] }) => (poll?.users.answered ?? 0) > 3 && single!.clients.size > 3,
  );
  expect(one.records[0]).toMatchObject({ k: 'h', format: 'mondolab' });
  expect(one.model.stages.map(({ setup }) => setup.architecture)).toEqual(['single', 'poll']);
  const times = one.records.slice(1).map((record) => (record.k === 'h' ? 0 : record.t));
  expect(times).toEqual(times.toSorted((a, b) => a - b));
  await one.sees('what it costs', ({ cost }) => cost.lab > 0);

  // A page that is loaded again, and a second tab, can rewind to the beginning as well.
  using other = await LabViewer.open(lab.port, `t.${lab.token}`);
  await until('both to have the same records', () => {
    const [mine, its] = [one, other].map(({ records }) => records.map(lineOf));
    const common = its!.filter((line) => mine!.includes(line));
    return common.length > 20 && common.length === its!.length;
  });
  expect(other.records[0]).toEqual(one.records[0]);
});

test('one viewer steers; another one takes over; the steering passes on when it leaves', async () => {
  const lab = common!;
  using one = await LabViewer.open(lab.port, `t.${lab.token}`);
  await until('a welcome', () => one.welcome);
  using other = await LabViewer.open(lab.port, `t.${lab.token}`);
  await until('both to know of each other', () => one.welcome!.viewers === 2 && other.welcome);
  expect([one.welcome!.steers, other.welcome!.steers]).toEqual([true, false]);

  await other.answered({ do: 'nc', s: 0 }, /Another viewer steers/);
  other.send({ do: 'take-over' });
  await until('the other to steer', () => other.welcome!.steers && !one.welcome!.steers);
  await one.answered({ do: 'nc', s: 0 }, /Another viewer steers/);
  other.send({ do: 'nc', s: 0 });
  await one.sees('what the other pressed', ({ commands }) =>
    commands.some(({ text }) => text === 'single: one silent client more'),
  );
  expect(one.model.commands.map(({ text }) => text)).toEqual([
    'another viewer steers',
    'single: one silent client more',
  ]);
  other.socket.close();
  await until('the first to steer again', () => one.welcome!.steers && one.welcome!.viewers === 1);
});

/** Viewers of a hub without servers. */
async function hubOf(history: readonly string[]): Promise<{ hub: Hub; token: string }> {
  const hub = await Hub.listen(0, []);
  const source: Source = {
    isReplay: false,
    attacks: [],
    known: { architectures: [], attacks: [], stages: 1 },
    history: () => history,
    resumption: (lost) => [lineOf({ k: 'gap', t: 0, s: -1, lost })],
    obey: async () => {},
    watched: () => {},
    close: async () => {},
  };
  hub.show(source);
  return { hub, token: new URL(hub.url).hash.slice(3) };
}

test('a slow viewer gets a gap instead of what it missed, and the others nothing of it', async () => {
  const { hub, token } = await hubOf([lineOf(header)]);
  try {
    using slow = await LabViewer.open(hub.port, `t.${token}`);
    using quick = await LabViewer.open(hub.port, `t.${token}`);
    await until('both', () => slow.model.header && quick.model.header);
    slow.socket.pause();
    // More than the kernel keeps for a connection, and a mebibyte.
    const text = 'x'.repeat(4000);
    let sent = 0;
    for (; sent < 5000; sent++) {
      hub.lines([lineOf({ k: 'c', t: sent, s: -1, text })]);
      if (sent % 50 === 0) {
        await until('the quick one', () => quick.records.length >= sent);
      }
    }
    await until('the quick one to have all', () => quick.records.length === sent + 1);
    expect(quick.records.some(({ k }) => k === 'gap')).toBe(false);

    slow.socket.resume();
    const gap = await until('a gap', () => {
      hub.lines([lineOf({ k: 'c', t: sent++, s: -1, text })]);
      return slow.records.find((record) => record.k === 'gap');
    });
    const before = slow.records.indexOf(gap) - 1;
    expect(before).toBeGreaterThan(0);
    expect(gap.lost).toBeGreaterThan(1000);
    // The line with the gap stands for itself and all lost ones.
    const next = await until('a line after the gap', () => {
      hub.lines([lineOf({ k: 'c', t: sent++, s: -1, text: 'next' })]);
      return slow.records[before + 2];
    });
    expect(next).toMatchObject({ k: 'c', t: before + gap.lost + 1 });
  } finally {
    await hub.close();
  }
});

test('a long history is no reason for a gap', async () => {
  const text = 'x'.repeat(4000);
  const history = Array.from({ length: 2000 }, (_, t) => lineOf({ k: 'c', t, s: -1, text }));
  const { hub, token } = await hubOf([lineOf(header), ...history]);
  try {
    using viewer = await LabViewer.open(hub.port, `t.${token}`);
    for (let t = 2000; t < 2100; t++) hub.lines([lineOf({ k: 'c', t, s: -1, text: 'new' })]);
    await until('all', () => viewer.records.length === 2101);
    expect(viewer.records.some(({ k }) => k === 'gap')).toBe(false);
  } finally {
    await hub.close();
  }
});

test('a recording has what viewers saw, and its replay ends as it does', async () => {
  const file = join(folder, 'one.mondolab');
  let seen: LabViewer;
  {
    await using lab = await startLab('single', 'poll', '--seed', '11', '--record', file);
    using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
    await viewer.sees('five answers', ({ stages }) => (stages[1]?.users.answered ?? 0) >= 5);
    viewer.send({ do: 'nc', s: 0 });
    await viewer.sees('the command', ({ commands }) => commands.length === 1);
    lab.process.signalGroup('SIGINT');
    const { code, stderr } = await lab.process.ended();
    expect([code, stderr]).toEqual([0, '']);
    seen = viewer;
  }
  expect(readdirSync(folder)).toEqual(['one.mondolab']);
  const records = await unpack(new Uint8Array(readFileSync(file)));
  expect(records.at(-1)!.k).toBe('end');
  expect(records.filter(({ k }) => k === 'h')).toHaveLength(1);
  expect(records.slice(0, seen.records.length)).toEqual(seen.records);
  const recorded = modelOf(records);
  expect(recorded.setup).toMatchObject({ seed: 11, scene: 'silent' });

  await using lab = await startLab('--replay', file);
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  await viewer.sees('the end', ({ hasEnded }) => hasEnded);
  expect(viewer.model).toEqual(recorded);
  expect(viewer.records).toEqual(records);
  expect(viewer.welcome!.isReplay).toBe(true);
  expect(descendantsOf(lab.process.pid)).toEqual([]);

  await viewer.answered({ do: 'nc', s: 0 }, /^A recording plays/);
  viewer.send({ do: 'again' });
  await viewer.sees('its beginning', ({ hasEnded }) => !hasEnded);
  await viewer.sees('its end again', ({ hasEnded }) => hasEnded);
  expect(viewer.records).toEqual([...records, ...records]);
});

test('a recording becomes one page, without a server', async () => {
  const [file, page] = [join(folder, 'static.mondolab'), join(folder, 'static.html')];
  writeFileSync(file, await pack([header, { k: 'end', t: 10 }]));
  const { code, stdout, stderr } = await mondo.run('lab', '--replay', file, '--static', page);
  expect([code, stdout, stderr]).toEqual([0, '', '']);
  expect(readFileSync(page, 'utf8')).toMatch(/^<!doctype html>.*<script/s);
  for (const one of [file, page]) rmSync(one);
});

test('a replay keeps the pace of its recording', async () => {
  const file = join(folder, 'pace.mondolab');
  const times = [100, 600, 1100];
  const packed = await pack([
    header,
    ...times.map((t) => ({ k: 'c', t, s: -1, text: '' }) as const),
  ]);
  writeFileSync(file, packed);
  await using lab = await startLab('--replay', file);
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  const came: number[] = [];
  for (const [index] of times.entries()) {
    await viewer.sees('a record', ({ commands }) => commands.length > index);
    came.push(performance.now());
  }
  // No record comes before its time; on a busy machine it may be late.
  expect(came[2]! - came[0]!).toBeGreaterThan(700);
});

describe('what cannot be is one line', () => {
  // A command for each kind of reason: its options, its start, and a file.
  test.each<[readonly string[], number, RegExp]>([
    [['lab', 'fastest'], 2, /There is no architecture "fastest"; there are single, /],
    [['lab', '--port', '65536'], 2, /port from 0 to 65535/],
    [['lab', '--seed', '-1'], 2, /seed/],
    [['lab', '--seed', '4294967296'], 2, /below 4294967296/],
    [['lab', '--duration', '0'], 2, /seconds/],
    [['lab', '--replay', '/nowhere'], 1, /Cannot read "\/nowhere": ENOENT/],
  ])('%j', async (words, exitCode, message) => {
    const { code, stdout, stderr } = await mondo.run(...words);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/^mondo: [^\n]*\n$/);
    expect([code, stdout]).toEqual([exitCode, '']);
  });

  /** What the command prints, and its exit code, without a process. */
  async function refused(names: readonly string[], options: object): Promise<[string, number]> {
    const lines: string[] = [];
    const printing = vi.spyOn(console, 'error').mockImplementation((line) => void lines.push(line));
    try {
      const error = await labCommand(names, { port: 0, duration: 0.01, ...options }).catch(
        (e) => e,
      );
      const code = report(error);
      return [lines.join('\n'), code];
    } finally {
      printing.mockRestore();
    }
  }

  test.each<[readonly string[], object, number, RegExp]>([
    [[], { scene: 'x' }, 2, /There is no scene "x"; there are silent, /],
    [['single', 'poll', 'epoll', 'select', 'queued'], {}, 2, /Cannot show 5 architectures/],
    [[], { replay: 'a', record: 'b' }, 2, /Cannot use --replay with/],
    [[], { static: 'a' }, 2, /Cannot use --static without --replay/],
    [['single'], { replay: 'a' }, 2, /Cannot use --replay with/],
    [[], { replay: '/' }, 1, /Cannot read "\/": EISDIR/],
    [[], { record: '/nowhere/x' }, 1, /Cannot write "\/nowhere\/x": ENOENT/],
  ])('%j %j', async (names, options, exitCode, message) => {
    const [line, code] = await refused(names, options);
    expect(line).toMatch(message);
    expect(line).toMatch(/^mondo: [^\n]*$/);
    expect(code).toBe(exitCode);
  });

  test.each<[string, () => Uint8Array, RegExp]>([
    ['text', () => Buffer.from('hello\n'), /line 1 is no JSON/],
    ['nothing', () => new Uint8Array(), /no whole line/],
    ['another version', () => Buffer.from(lineOf({ ...header, version: 2 })), /version 2/],
    ['a bomb', () => gzipSync(Buffer.alloc(MOST_BYTES + 1000, ' ')), /more than 20 MiB/],
    ['too much', () => Buffer.alloc(MOST_BYTES + 1), /more than 20 MiB/],
  ])('a file with %s', async (name, bytes, message) => {
    const file = join(folder, `bad-${name.replace(' ', '-')}`);
    writeFileSync(file, bytes());
    const [line, code] = await refused([], { replay: file });
    expect(line).toMatch(message);
    expect(line).toMatch(/^mondo: Cannot read "[^\n]*$/);
    expect(code).toBe(1);
    rmSync(file);
  });

  test('a port in use', async () => {
    const { code, stderr } = await mondo.run('lab', 'single', '--port', String(common!.port));
    expect(stderr).toMatch(
      /^mondo: Cannot listen at 127\.0\.0\.1:\d+: the port is in use[^\n]*\n$/,
    );
    expect(code).toBe(1);
  });
});

describe('the end', () => {
  test('SIGINT leaves nothing', async () => {
    const [lab, own] = await startApart('prefork', 'threaded', '--scene', 'capacity');
    await using _ = lab;
    await mustLeaveNothing(lab, own, 'SIGINT');
    rmSync(own, { recursive: true });
  });

  test('SIGTERM leaves nothing', () => mustLeaveNothing(common!, temporary!, 'SIGTERM'));

  // It is the same end as after a signal, so a lab without servers is enough.
  test('comes by itself after --duration', async () => {
    const file = join(folder, 'short.mondolab');
    writeFileSync(file, await pack([header, { k: 'end', t: 10 }]));
    const { code, stdout, stderr } = await runMondo('lab', '--replay', file, '--duration', '1');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toContain('Mondo lab: http');
    rmSync(file);
  });

  /** The second server is attacked when the signal comes. */
  async function mustLeaveNothing(lab: Lab, own: string, signal: NodeJS.Signals): Promise<void> {
    using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
    await viewer.sees('an answer', ({ stages }) => stages.some(({ users }) => users.answered > 0));
    viewer.send({ do: 'attack', s: 1, attack: 'idle-crowd', seconds: 30 });
    await viewer.sees('the attack', ({ stages }) => stages[1]?.attack.name === 'idle-crowd');
    const processes = descendantsOf(lab.process.pid);
    expect(processes.length).toBeGreaterThan(5);
    const ports = viewer.model.setup!.stages.map(({ port }) => port);
    lab.process.signalGroup(signal);
    expect(await lab.process.ended()).toMatchObject({ code: 0, stderr: '' });
    expect(processes.filter(isAlive)).toEqual([]);
    expect(await until('the viewer to hear it', () => viewer.closed)).toBe(1001);
    expect(readdirSync(own)).toEqual([]);
    for (const port of [lab.port, ...ports]) await mustBeFree(port);
  }
});

async function mustBeFree(port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}
