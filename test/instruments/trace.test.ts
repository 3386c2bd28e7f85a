/** `mondo trace` on real runs: it reports the sequence of calls of each architecture, whatever the times. */
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { architectureNames } from '../../src/architectures/catalogue.ts';
import type { ServeOptions } from '../../src/host/plan.ts';
import type { ServerEvent } from '../../src/host/server-event.ts';
import type { TraceEvent } from '../../src/instruments/report/trace-event.ts';
import { chromeTrace } from '../../src/instruments/trace/chrome.ts';
import { compareTraces } from '../../src/instruments/trace/compare.ts';
import type { TraceRecord } from '../../src/instruments/trace/records.ts';
import { sourceLine } from '../../src/instruments/trace/source-text.ts';
import { Summary } from '../../src/instruments/trace/summary.ts';
import { svgOf } from '../../src/instruments/trace/svg.ts';
import { Timeline } from '../../src/instruments/trace/timeline.ts';
import { pipePrefix, startTrace, type TraceOptions } from '../../src/instruments/trace/tracer.ts';
import { scheduleOf, stateLetter } from '../../src/os/task-state.ts';
import { ask, NetClient } from '../support/clients.ts';
import { commands } from '../support/commands.ts';
import {
  descendantsOf,
  isAlive,
  mondo,
  Process,
  spawnMondo,
  untilAnotherSignal,
} from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { expectValid } from '../support/trace-format.ts';
import { steady, until, untilSo } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-traced-'));
afterAll(() => rmSync(folder, { recursive: true }));

const source = fileURLToPath(new URL('../../src', import.meta.url));
const question = 'Simple is better than?';
const answer = 'Complex.';

const { run } = commands();

/** `mondo client`: three questions in random order. */
async function askAll(port: string): Promise<void> {
  expect(await run('client', '127.0.0.1', '-p', port)).toMatchObject({ code: 0, stderr: '' });
}

interface Told {
  readonly tid: number;
  readonly record: TraceRecord;
}

/** Serves one client that asks and waits for its answer, `times` times, and leaves. */
async function traced(
  architecture: string,
  {
    serving = {},
    asked = question,
    expected = answer,
    times = 1,
    ...options
  }: TraceOptions & {
    serving?: ServeOptions;
    asked?: string;
    expected?: string;
    times?: number;
  } = {},
) {
  const told: Told[] = [];
  const events: ServerEvent[] = [];
  const timeline = new Timeline();
  const summary = new Summary();
  let isClosed = false;
  const tracer = await startTrace({ architecture, port: 0, ...serving }, options, {
    record(tid, record) {
      told.push({ tid, record });
      timeline.record(tid, record);
      summary.record(tid, record);
    },
    event(t, event) {
      timeline.event(t, event);
      events.push(event);
      if (event.type === 'closed') isClosed = true;
    },
  });
  let peer: string;
  let pipe: PipeAccess;
  const pids: number[] = [];
  try {
    // Waits for all serving threads, because any of them may take the client.
    await until('the threads to serve', () => timeline.lanes.length > 0);
    // A thread that is asleep before the client comes has slept. Node's own loop says only afterwards that it slept.
    if (['callback', 'coroutine'].includes(architecture)) await asleep(tracer.server.pids);
    else await until('a call that may sleep', () => ofKind(told, 'begin').length > 0);
    const client = await NetClient.connect(tracer.server.address);
    peer = client.peer;
    pipe = pipeAccess();
    for (let i = 0; i < times; i++)
      expect(await ask(client, asked, expected.length)).toBe(expected);
    await client.close();
    await until('the close of the client', () => isClosed);
    pids.push(...tracer.server.pids);
  } finally {
    await tracer.close();
  }
  expect(pids.length).toBeGreaterThan(0);
  expect(pids.filter(isAlive)).toEqual([]);
  expect(pipes()).toEqual([]);
  return { told, timeline, summary, events, peer, pipe };
}

/** The two shares of a pool show what its usual four do. */
const pool: Readonly<Record<string, ServeOptions>> = {
  threaded: { threads: 2 },
  queued: { threads: 2 },
  prefork: { processes: 2 },
};

const runs = new Map<string, ReturnType<typeof traced>>();

/** One run of each architecture, for all tests that look at it: a client asks three times. */
function runOf(architecture: string): ReturnType<typeof traced> {
  const run =
    runs.get(architecture) ?? traced(architecture, { times: 3, serving: pool[architecture] ?? {} });
  runs.set(architecture, run);
  return run;
}

/** Resolves when the main threads of these processes have slept for a while, also on a busy machine. */
const asleep = (pids: readonly number[]) =>
  steady('the threads to sleep', () => {
    const isAsleep = pids.every((pid) => stateLetter(pid, pid) === 'S');
    // A value that differs from itself is never steady.
    return isAsleep ? pids.map((pid) => scheduleOf(pid, pid)?.running).join() : Number.NaN;
  });

/** Pipe folders of this process that still exist. */
const pipes = () =>
  readdirSync(tmpdir()).filter((name) => name.startsWith(pipePrefix(process.pid)));

/** The owner of the pipe of the reports, and the permissions of the pipe in octal. */
interface PipeAccess {
  readonly uid: number;
  readonly allowed: string;
}

function pipeAccess(): PipeAccess {
  const [name] = pipes();
  const { uid, mode } = statSync(join(tmpdir(), name!, 'pipe'));
  return { uid, allowed: (mode & 0o777).toString(8) };
}

type Kind = TraceRecord['kind'];
const ofKind = <K extends Kind>(told: readonly Told[], kind: K) =>
  told.map(({ record }) => record).filter((record) => record.kind === kind) as Extract<
    TraceRecord,
    { kind: K }
  >[];

/** Source text of the reached lines, in order. */
function linesOf(told: readonly Told[], kind: 'line' | 'resume' = 'line'): string[] {
  const paths = new Map<string, string>();
  for (const { tid, record } of told) {
    if (record.kind === 'module') paths.set(`${tid}:${record.module}`, record.path);
  }
  return told.flatMap(({ tid, record }) =>
    record.kind === kind
      ? [sourceLine(paths.get(`${tid}:${record.module}`)!, record.line).trim()]
      : [],
  );
}

/** Calls of the thread that served the peer. Consecutive equal calls appear once. */
function callsOf(told: readonly Told[], names: readonly string[]): string[] {
  const all = ofKind(told, 'call')
    .map(({ name }) => name)
    .filter((name) => names.includes(name));
  return all.filter((name, i) => name !== all[i - 1]);
}

test('single: the four routines inside each other, and a thread asleep in accept4 and recv', async () => {
  const { told, timeline, summary, peer } = await runOf('single');
  const entered = ofKind(told, 'enter').map(({ name }) => name);
  const routines = ['acceptConnectionsForever', 'handleConversation', 'handleRequest', 'recvUntil'];
  const first = routines.map((name) => entered.indexOf(name));
  expect(first.every((at) => at >= 0)).toBe(true);
  expect(first).toEqual([...first].sort((a, b) => a - b));
  expect(linesOf(told)).toContain('const count = client.recv(); // sleeps here, in recv(2)');
  expect(callsOf(told, ['accept4', 'recv', 'send', 'close'])).toEqual([
    ...['accept4', 'recv', 'send', 'recv', 'send', 'recv', 'send', 'recv', 'close', 'accept4'],
  ]);
  const [received] = ofKind(told, 'call').filter(({ name }) => name === 'recv');
  expect(received!.args).toContain(`<${peer}>, "${question}", 65536`);
  expect(received!.result).toBe(String(question.length));
  expect(ofKind(told, 'question')).toMatchObject(Array(3).fill({ peer, question, answer }));
  expect(timeline.connections).toMatchObject([{ peer, how: `Client ${peer} closed normally` }]);
  // The line that waited longest is a blocking call.
  expect(summary.lines()[0]!.path).toMatch(/(accept|blocking)\.ts$/);
  expect(summary.sentence()).toMatch(/% asleep in accept, waiting for a client to connect/);
});

test('threaded: two threads asleep in accept4 on the one listener', async () => {
  const { told, timeline } = await runOf('threaded');
  expect(timeline.lanes.length).toBe(2);
  const accepting = told.filter(
    ({ record }) => record.kind === 'begin' && record.name === 'accept4',
  );
  expect(new Set(accepting.map(({ tid }) => tid)).size).toBe(2);
  const listeners = accepting.map(({ record }) => (record as { args: string }).args.split(',')[0]);
  expect(new Set(listeners).size).toBe(1);
  const serving = told.filter(({ record }) => record.kind === 'call' && record.name === 'recv');
  expect(new Set(serving.map(({ tid }) => tid)).size).toBe(1);
});

test('poll: one wait for all before each accept, receive and close', async () => {
  const asleepIn = ({ told }: { told: readonly Told[] }, names: RegExp) =>
    ofKind(told, 'call')
      .filter(({ name }) => names.test(name))
      .reduce((sum, { blocked }) => sum + blocked, 0);
  const nonBlocking = /^(recv|send|accept4)$/;
  // On a busy machine the client may be there before the loop waits for the first time, and a page of memory may have
  // to be read inside any call.
  let tries = 0;
  const run = await untilSo(
    () => (tries++ === 0 ? runOf('poll') : traced('poll', { times: 3 })),
    (one) => asleepIn(one, /^poll$/) > 0 && asleepIn(one, nonBlocking) === 0,
  );
  const { told, summary, peer } = run;
  const calls = callsOf(told, ['poll', 'accept4', 'recv', 'send', 'close']);
  const text = calls.join(' ');
  expect(text).toMatch(/^poll accept4 (poll recv send ){3}poll recv close poll/);
  const waits = ofKind(told, 'call').filter(({ name }) => name === 'poll');
  // Requested: the listener, and later the client too. Found: first the listener, then the client.
  expect(waits[0]!.args).toMatch(/^\[\{fd=\d+<listener>, events=POLLIN\}\], 1, -1$/);
  expect(waits[0]!.result).toMatch(/^1 \(\[\{fd=\d+<listener>, revents=POLLIN\}\]\)$/);
  expect(waits[1]!.args).toContain(`<listener>, events=POLLIN}, {fd=`);
  expect(waits[1]!.args).toContain(`<${peer}>, events=POLLIN}], 2, `);
  expect(waits[1]!.result).toContain(`<${peer}>, revents=POLLIN}])`);
  // The wait of a call belongs to the line of the call, even if that line also calls functions for its arguments.
  const [longest] = summary.lines();
  expect(sourceLine(longest!.path, longest!.line).trim()).toMatch(
    /this\.#sockets\.wait\(this\.#poll\)/,
  );
  expect(longest!.waiting).toBe(Object.fromEntries(summary.waits).poll);
  expect(asleepIn(run, nonBlocking)).toBe(0);
});

test('generator: routines yield where those of single would sleep, and resume there', async () => {
  const { told, summary } = await runOf('generator');
  const resumed = linesOf(told, 'resume');
  expect(resumed).toContain('yield listener.wanted;');
  expect(resumed).toContain('yield client.readable; // where `single` would sleep');
  expect(summary.lines().some(({ suspended }) => suspended > 0)).toBe(true);
  expect(ofKind(told, 'enter').map(({ name }) => name)).toContain('handleRequest');
});

test("coroutine: Node's own loop sleeps, and async functions resume after their await", async () => {
  const { told, timeline, peer } = await runOf('coroutine');
  expect(linesOf(told, 'resume')).toContain(
    "const data = await client.read(); // gives the thread back to Node's loop",
  );
  const events = ofKind(told, 'socket').map(({ text }) => text.replace(/ =.*| <.*/, ''));
  expect(events.slice(0, 3)).toEqual(['accept', 'read', 'write']);
  expect(events.at(-1)).toBe('close');
  expect(ofKind(told, 'idle').length).toBeGreaterThan(0);
  expect(ofKind(told, 'phase').map(({ phase }) => phase)).toContain('poll');
  expect(timeline.connections).toMatchObject([{ peer, how: `Client ${peer} closed normally` }]);
});

test('uring: operations are submitted and completed, and one call does both', async () => {
  const { told } = await runOf('uring');
  const operations = ofKind(told, 'operation').map(({ text }) => text.replace(/ \d.*/, ''));
  expect(operations.slice(0, 6)).toEqual([
    ...['submit accept', 'done accept', 'submit recv', 'done recv', 'submit send', 'done recv'],
  ]);
  expect(callsOf(told, ['io_uring_enter', 'recv', 'send', 'accept4'])).toEqual(['io_uring_enter']);
});

test('queued: assistants sleep on the queue, whose depth is counted', async () => {
  const { told, timeline, peer } = await runOf('queued');
  expect(timeline.lanes.length).toBe(3);
  expect(callsOf(told, ['futex']).length).toBe(1);
  // A worker may take the one client before the depth is counted.
  expect(timeline.queue.length).toBeGreaterThan(0);
  expect(timeline.connections).toMatchObject([{ peer, how: `Client ${peer} closed normally` }]);
});

test('prefork: two processes, each asleep in accept4; the one that wakes serves the client', async () => {
  const { told, timeline, peer } = await runOf('prefork');
  expect(new Set(timeline.lanes.map(({ pid }) => pid)).size).toBe(2);
  expect(timeline.lanes.every(({ tid, pid }) => tid === pid)).toBe(true);
  const serving = new Set(
    told.flatMap(({ tid, record }) => (record.kind === 'question' ? [tid] : [])),
  );
  expect(serving.size).toBe(1);
  expect(timeline.connections).toMatchObject([{ peer, tid: [...serving][0] }]);
  expect(linesOf(told)).toContain('const count = client.recv(); // sleeps here, in recv(2)');
});

test.each([
  ['socketserver', { mixin: 'forking' }],
  ['inetd', {}],
  ['inetd', { inetd: 'wait' }],
] as const)('%s %j: a process that was started for the client reports its calls', async (architecture, serving) => {
  const isUsual = Object.keys(serving).length === 0;
  const run = isUsual ? runOf(architecture) : traced(architecture, { serving });
  const { told, timeline, peer } = await run;
  const assistant = timeline.lanes.find(({ role }) => role === 'assistant')!;
  expect(assistant.tid).toBe(assistant.pid);
  const [asked] = told.filter(({ record }) => record.kind === 'question');
  expect(asked).toMatchObject({ tid: assistant.tid, record: { peer, question, answer } });
});

test("an event is reported at its exact time: after the call that caused it, by the thread's own clock", async () => {
  const { told, events, peer } = await runOf('single');
  expect(events.map(({ type }) => type)).toEqual(['listening', 'accepted', 'closed', 'stopped']);
  const shape = told.flatMap(({ record }) => {
    if (record.kind === 'event') return [record.event.type];
    return record.kind === 'call' && /accept4|recv|close/.test(record.name) ? [record.name] : [];
  });
  const received = Array(4).fill('recv');
  expect(shape).toEqual(['accept4', 'accepted', ...received, 'closed', 'close', 'accept4']);
  const times = told.flatMap(({ record }) => (record.kind === 'event' ? [record.t] : []));
  const accepted = ofKind(told, 'call').find(({ name }) => name === 'accept4')!;
  const closing = ofKind(told, 'call').find(({ name }) => name === 'close')!;
  expect(times[0]).toBeGreaterThan(accepted.end);
  expect(times[1]).toBeLessThan(closing.t);
  expect(events[1]).toMatchObject({ peer, worker: 0 });
});

test('only the user of the workers may write to the pipe of the reports', async () => {
  const { pipe } = await runOf('single');
  expect(pipe).toEqual({ uid: process.geteuid!(), allowed: '600' });
  if (process.getuid?.() !== 0) return;
  const threads: number[] = [];
  const tracer = await startTrace(
    { architecture: 'single', port: 0, user: 'nobody' },
    { lines: false },
    { record: (tid, { kind }) => void (kind === 'thread' && threads.push(tid)), event() {} },
  );
  try {
    await until('the first report of the worker', () => threads.length > 0);
    expect(pipeAccess()).toEqual({ uid: 65_534, allowed: '200' });
  } finally {
    await tracer.close();
  }
});

test('the lines of a service and of included files are reported, and those of ignored ones are not', async () => {
  const { told } = await traced('single', {
    serving: { service: 'examples/lines.ts' },
    include: ['src/os'],
    asked: '2 3 +\n',
    expected: '5\n',
  });
  const lines = linesOf(told);
  expect(lines).toContain('} else if (/^-?\\d+(\\.\\d+)?$/.test(word)) stack.push(Number(word));');
  expect(lines).toContain("const ending = question.endsWith('\\r\\n') ? '\\r\\n' : '\\n';");
  expect(ofKind(told, 'enter').map(({ name }) => name)).toContain('calculate');
  const files = ofKind(told, 'module').map(({ path }) => path);
  expect(files.some((path) => path.endsWith('/src/os/socket.ts'))).toBe(true);
  const { told: fewer } = await runOf('single');
  const fewerFiles = ofKind(fewer, 'module').map(({ path }) => path);
  expect(fewerFiles.some((path) => path.includes('/src/os/'))).toBe(false);
  expect(fewerFiles.some((path) => path.includes('/src/host/'))).toBe(false);
});

test('`include` and `ignore` work through symbolic links as with the real path', async () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync('real', join(folder, 'link'));
  writeFileSync(
    join(folder, 'real', 'mine.mjs'),
    `import { yes } from './yes.mjs';\nexport default {\n  delimiter: '?',\n  answer() {\n    return yes();\n  },\n};\n`,
  );
  writeFileSync(join(folder, 'real', 'yes.mjs'), `export function yes() {\n  return 'Yes.';\n}\n`);
  symlinkSync(join(process.cwd(), 'src', 'os'), join(folder, 'os'));
  symlinkSync(join('real', 'yes.mjs'), join(folder, 'ignored.mjs'));
  const service = join(folder, 'link', 'mine.mjs');
  const { told } = await traced('single', {
    serving: { service },
    expected: 'Yes.',
    include: [join(folder, 'os')],
    ignore: [join(folder, 'ignored.mjs')],
  });
  expect(linesOf(told)).toContain('return yes();');
  expect(linesOf(told)).not.toContain(`return 'Yes.';`);
  const paths = ofKind(told, 'module').map(({ path }) => path);
  expect(paths.some((path) => path.includes('/src/os/'))).toBe(true);
});

test('a CommonJS service is served, and a note says that its lines are not traced', async () => {
  const service = join(folder, 'service.cjs');
  writeFileSync(service, "module.exports = { delimiter: '?', answer: () => 'Yes.' };\n");
  const { told } = await traced('poll', { serving: { service }, expected: 'Yes.' });
  expect(ofKind(told, 'note')).toMatchObject([
    {
      text: `Cannot trace the lines of ${service}: it is CommonJS; make it a module (.mjs, .mts)`,
    },
  ]);
});

test.each([
  'single',
  'threaded',
  'poll',
  'generator',
  'coroutine',
  'uring',
])('%s: the Chrome trace keeps the rules of its format, and the picture shows each thread', async (architecture) => {
  const { timeline, peer } = await runOf(architecture);
  const { traceEvents } = chromeTrace(timeline, architecture);
  expectValid(traceEvents);
  const named = traceEvents.filter(({ name }) => name === 'thread_name');
  expect(named.length).toBe(timeline.lanes.length);
  const slices = traceEvents.filter(({ ph }) => ph === 'X');
  expect(slices.some(({ name }) => name === `question "${question}"`)).toBe(true);
  const track = traceEvents.filter(({ cat }) => cat === 'connection').map(({ ph }) => ph);
  expect(track).toEqual(['b', 'n', 'n', 'n', 'e']);
  expect(traceEvents.some(({ args }) => args?.peer === peer)).toBe(true);
});

test.each([
  ...(['single', 'threaded', 'prefork'] as const).map((name) => [name, 30] as const),
  ...architectureNames
    .filter((name) => !['single', 'threaded', 'prefork'].includes(name))
    .map((name) => [name, 45] as const),
])('%s: three questions of one client run at most %i different lines, all of them on pages', async (architecture, most) => {
  const { summary } = await runOf(architecture);
  const lines = summary.lines();
  const files = new Set(lines.map(({ path }) => relative(source, dirname(path))));
  expect([...files]).toEqual(['architectures']);
  expect(lines.length).toBeGreaterThan(5);
  expect(lines.length).toBeLessThanOrEqual(most);
});

test('with all, the lines of the layers below the pages are reported', async () => {
  const { summary } = await traced('single', { all: true });
  const folders = summary.lines().map(({ path }) => relative(source, path).split('/')[0]);
  expect([...new Set(folders)].sort()).toEqual(
    expect.arrayContaining(['architectures', 'drivers', 'lifecycle', 'protocol']),
  );
});

test('the same clients wait for the silent one under single, and not under poll', async () => {
  const { picture, compared } = await compareTraces(['single', 'poll'], {});
  expect(compared.flatMap(({ clients }) => clients.map(({ ending }) => ending))).toEqual(
    Array(8).fill('answered'),
  );
  // The time of each other client's first answer, compared with the end of the first client's silence.
  const [single, poll] = picture.groups.map(({ rows }) => {
    const [first, ...others] = rows.filter(({ label }) => /^(silent|client) \d/.test(label));
    const silence = first!.bars.findLast(({ kind }) => kind === 'open');
    return others.map(({ bars }) => {
      const answered = bars.find(({ kind }) => kind === 'asking')!.to;
      return answered > silence!.to ? 'later' : 'during';
    });
  });
  expect(single).toEqual(['later', 'later', 'later']);
  expect(poll).toEqual(['during', 'during', 'during']);
  expect(picture.groups.map(({ title }) => title)).toEqual(['single', 'poll']);
  const svg = svgOf(picture).text;
  expect(svg).toContain('class="waiting-for-one-client"');
  expect(svg).not.toMatch(/https?:\/\/(?!www\.w3\.org)/);
});

test('as many silent clients as threads stop threaded, and a thread for each client is not taken for a wait', async () => {
  const cast = { silent: 2, clients: 2 };
  const runs = [
    await compareTraces(['threaded'], { threads: 2 }, cast),
    await compareTraces(['socketserver'], {}, cast),
  ];
  const groups = runs.flatMap(({ picture }) => picture.groups);
  const compared = runs.flatMap((run) => run.compared);
  const [threaded, socketserver] = compared.map(({ clients }) => clients.slice(-2));
  const labels = compared[0]!.clients.map(({ name }) => name);
  expect(labels).toEqual(['silent 1', 'silent 2', 'client 1', 'client 2']);
  // When the first of the silent clients of the same run asks again.
  const silences = groups.map(({ rows }) => {
    const silent = rows.filter(({ label }) => label.startsWith('silent'));
    return Math.min(...silent.map(({ bars }) => bars.find(({ kind }) => kind === 'open')!.to));
  });
  const acceptedLate = [threaded, socketserver].map((clients, i) =>
    clients!.map(({ accepted }) => accepted! > silences[i]!),
  );
  expect(acceptedLate).toEqual([
    [true, true],
    [false, false],
  ]);
  // The kernel had connected them long before.
  for (const { connected } of threaded!) expect(connected).toBeLessThan(silences[0]!);
  // No thread was started during the script.
  const rows = groups[1]!.rows.filter(({ label }) => label.startsWith('thread'));
  expect(rows.length).toBeGreaterThanOrEqual(1 + 4);
  expect(rows.map(({ bars }) => bars[0]!.from)).toEqual(rows.map(() => 0));
});

test('a comparison reports a client that a limit closed, and goes on', async () => {
  const serving = { limits: { idle: 100 } };
  const { compared, picture } = await compareTraces(['poll'], serving);
  expect(compared[0]!.clients.map(({ ending }) => ending)).toEqual([
    ...['ended by the server', 'answered', 'answered', 'answered'],
  ]);
  const row = picture.groups[0]!.rows.find(({ label }) => label === 'silent 1')!;
  expect(row.note).toMatch(/waited \d.*, ended by the server$/);
});

test('an interrupted comparison leaves no process and no file', async () => {
  const stopping = new AbortController();
  const begun: string[] = [];
  const comparing = compareTraces(
    ['single', 'poll'],
    {},
    {
      onBegin(name) {
        begun.push(name);
        setTimeout(() => stopping.abort(), 300);
      },
      signal: stopping.signal,
    },
  );
  expect(await comparing).toMatchObject({ compared: [], interrupted: true });
  expect(begun).toEqual(['single']);
  expect(pipes()).toEqual([]);
  expect(descendantsOf(process.pid).filter(isAlive)).toEqual([]);
});

describe('the command', () => {
  test('prints lines with their numbers and text, the events, and where the time went', async () => {
    const out = join(folder, 'trace.json');
    const html = join(folder, 'trace.html');
    await using trace = spawnMondo(
      ...['trace', 'single', '-p', '0', '--lines', '--calls', '--summary'],
      ...['--out', out, '--html', html],
    );
    const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    await askAll(port!);
    await trace.printed(/closed normally/);
    trace.signalGroup('SIGINT');
    const { code: ended, stdout, stderr } = await trace.ended();
    expect(stderr).toBe('');
    expect(ended).toBe(0);
    const source = readFileSync('src/architectures/blocking.ts', 'utf8').split('\n');
    const lines = [...stdout.matchAll(/^ +\d+\.\d{6} blocking\.ts\((\d+)\): (.*)$/gm)];
    expect(lines.length).toBeGreaterThan(20);
    for (const [, line, text] of lines) expect(text).toBe(source[Number(line) - 1]);
    expect(stdout).toMatch(/^ +--- src\/architectures\/blocking\.ts, recvUntil$/m);
    expect(stdout).toMatch(
      / send\(\d+<127\.0\.0\.1:\d+>, "Ugly\.", 5, MSG_DONTWAIT\|MSG_NOSIGNAL\) = 5 {2}<\d/,
    );
    expect(stdout).toMatch(/^ *asleep {2}in +working {2}times {2}line$/m);
    expect(stdout).toMatch(/\d % asleep in accept, waiting for a client to connect/);
    const { traceEvents } = JSON.parse(readFileSync(out, 'utf8')) as { traceEvents: TraceEvent[] };
    expectValid(traceEvents);
    expect(readFileSync(html, 'utf8')).toContain('<caption><span>Connections</span></caption>');
    // The folder of the pipe is removed too.
    const left = readdirSync(tmpdir()).filter((name) => name.startsWith(pipePrefix(trace.pid)));
    expect(left).toEqual([]);
  });

  test.each([
    [['trace'], 2, /name an architecture/],
    [['trace', 'sigle'], 2, /no architecture "sigle"/],
    [['trace', 'single', '--include', '/nowhere'], 2, /"\/nowhere": there is no such file/],
    [['trace', 'single', '--threads', '2'], 2, /Cannot serve single with 2 threads/],
    [['trace', 'single', '--service', '/nowhere.ts'], 2, /Cannot load service "\/nowhere.ts"/],
    [['trace', 'single', '--silent', '2'], 2, /Cannot use --silent without --compare/],
    [['trace', '--compare', 'single', '--clients', '0'], 2, /a number of clients from 1 to 50/],
    [['trace', '--compare', 'single', '--calls'], 2, /Cannot use --calls with --compare/],
    [['trace', 'single', '--svg', '/nowhere/x.svg'], 1, /Cannot write "\/nowhere\/x\.svg"/],
    [['trace', 'single', '--seconds', 'x'], 2, /whole number/],
    [['trace', '--compare', 'single', '--out', join(folder, 'x')], 2, /--svg and --html/],
  ])('%j ends with code %i and one line', async (args, expected, message) => {
    const { code, stderr } = await run(...args);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split('\n').length).toBe(1);
    expect(code).toBe(expected);
  });
});

test('a client that one thread cannot serve yet is in the accept queue, and the trace says for how long', async () => {
  const opened: Extract<TraceRecord, { kind: 'opened' }>[] = [];
  let lines = 0;
  const watcher = {
    record: (_tid: number, record: TraceRecord) => {
      if (record.kind === 'opened') opened.push(record);
      if (record.kind === 'line') lines++;
    },
    event() {},
  };
  const tracer = await startTrace({ architecture: 'single', port: 0 }, { lines: false }, watcher);
  try {
    const first = await NetClient.connect(tracer.server.address);
    await until('the first client to be accepted', () => opened.length === 1);
    const second = await NetClient.connect(tracer.server.address);
    const since = tracer.now();
    // The kernel counts in ticks of at most 10 ms.
    await until('a while in the queue', () => tracer.now() - since > 200e6);
    await first.close();
    await until('the second client to be accepted', () => opened.length === 2);
    await second.close();
  } finally {
    await tracer.close();
  }
  // Without lines, it reports none.
  expect(lines).toBe(0);
  const [first, second] = opened;
  expect(second!.queued).toBeGreaterThan(150e6);
  // The kernel counts this time in ticks of 4 ms.
  expect(second!.queued).toBeLessThan(second!.t - first!.t + 8e6);
});

test.each([
  [
    'single',
    'accept',
    'waiting for a client to connect',
    /client\.recv\(\); .*\n(?: +… asleep in recv, .*\n)? +… \d.* asleep in recv\n/,
  ],
  [
    'coroutine',
    "Node's loop",
    'waiting for any of its sockets',
    /await client\.read\(\).*# resumed after \d/,
  ],
])('%s: lines, and each wait as a line of its own; the last line says for what it waits', async (architecture, call, reason, expected) => {
  await using trace = spawnMondo('trace', architecture, '-p', '0', '--summary', '--lines');
  const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  // The event may be printed after the wait, which began earlier.
  await trace.printed(new RegExp(`… asleep in ${call}, ${reason}\\n(.*Listening.*\\n)?$`));
  const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port: Number(port) });
  await trace.printed(/Accepted connection/);
  await trace.printed(/… asleep in .*\n(.*Accepted.*\n)?$/);
  expect(await ask(client, question, answer.length)).toBe(answer);
  await trace.printed(expected);
  await client.close();
  await trace.printed(/closed normally/);
  trace.signalGroup('SIGINT');
  const { stdout } = await trace.ended();
  expect(stdout).toMatch(new RegExp(`^ +… \\S+ (s|ms|µs) asleep in ${call}$`, 'm'));
  // The summary has the source's lines as they are.
  const [, summary = ''] = stdout.split(/^ *asleep .* line$/m);
  const lines = [...summary.matchAll(/ ([a-z]+\.ts)\((\d+)\): (.*)$/gm)];
  expect(lines.length).toBeGreaterThan(5);
  for (const [, file, line, text] of lines) {
    const whole = sourceLine(join(source, 'architectures', file!), Number(line));
    expect(text).toBe(whole.trim());
  }
});

test('each line has the number of its thread, and each thread first reports its role', async () => {
  await using trace = spawnMondo('trace', 'threaded', '-p', '0', '--threads', '2', '--calls');
  const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  await trace.printed(/(accept4[\s\S]*){2}/);
  await askAll(port!);
  await trace.printed(/closed normally/);
  trace.signalGroup('SIGINT');
  const { stdout } = await trace.ended();
  const tids = [...stdout.matchAll(/^ +\[(\d+)\] --- worker 0, thread (\d+)$/gm)];
  expect(tids.length).toBe(2);
  for (const [, tag, tid] of tids) expect(tag).toBe(tid);
  const calls = stdout.split('\n').filter((line) => / (accept4|recv|send)\(/.test(line));
  expect(calls.length).toBeGreaterThan(6);
  for (const line of calls) expect(line).toMatch(/^ +\d+\.\d{6} \[\d+\] /);
});

test('Ctrl-C stops it, a second one without waiting for answers; an existing file is kept until the end', async () => {
  const out = join(folder, 'kept.json');
  writeFileSync(out, 'before');
  await using trace = spawnMondo(
    ...['trace', 'poll', '-p', '0', '--quiet', '--out', out],
    ...['--think', '60000', '--think-how', 'defer'],
  );
  const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port: Number(port) });
  await client.send(question);
  await trace.printed(/Accepted connection/);
  expect(readFileSync(out, 'utf8')).toBe('before');
  trace.signalGroup('SIGINT');
  await untilAnotherSignal();
  trace.signalGroup('SIGINT');
  const { code, stdout } = await trace.ended();
  expect(code).toBe(0);
  expect(stdout).toMatch(/Cut off 127\.0\.0\.1:\d+ inside its answer/);
  expect(JSON.parse(readFileSync(out, 'utf8')).traceEvents.length).toBeGreaterThan(3);
  await client.close();
});

describe.skipIf(!hasProgram('strace', 'strace'))('beside strace', () => {
  test.each([
    'single',
    'poll',
    'epoll',
    'select',
  ])('%s: the same calls in the same order', async (name) => {
    const file = join(folder, `strace-${name}`);
    const set = 'trace=accept4,recvfrom,sendto,poll,epoll_wait,epoll_ctl,pselect6,close,setsockopt';
    await using trace = new Process('strace', [
      // The filter in the kernel stops Node only at these calls.
      ...['-f', '--seccomp-bpf', '-o', file, '-e', set, process.execPath, mondo],
      ...['trace', name, '-p', '0', '--calls'],
    ]);
    const [, port] = await trace.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    await askAll(port!);
    await trace.printed(/closed normally/);
    // Only to the process, not to its group: under strace, an ignored signal restarts the interrupted call.
    const [command] = descendantsOf(trace.pid);
    process.kill(command!, 'SIGINT');
    const { stdout } = await trace.ended();
    const ours = ourCalls(stdout)
      .filter(([call]) => set.includes(call!))
      .filter(isOfServer());
    const theirs = straceCalls(readFileSync(file, 'utf8')).filter(isOfServer());
    // strace also shows the calls of Node's own start and stop.
    const first = (calls: string[][]) => calls.findIndex(([call]) => call === 'accept4');
    const from = first(theirs) - first(ours);
    const same = theirs.slice(from, from + ours.length);
    expect(ours.length).toBeGreaterThan(10);
    expect(ours.map((call) => call.join(' '))).toEqual(same.map((call) => call.join(' ')));
  });
});

/** Leaves out other descriptors that are closed, such as that of a module's file: no accept4 has returned them. */
function isOfServer(): (call: string[]) => boolean {
  const accepted = new Set<string>();
  return ([name, fd, result]) => {
    if (name === 'accept4') accepted.add(result!);
    return name !== 'close' || accepted.has(fd!);
  };
}

const theirName: Readonly<Record<string, string>> = {
  recv: 'recvfrom',
  send: 'sendto',
  select: 'pselect6',
};

/** The printed calls: name, descriptor and result. */
function ourCalls(text: string): string[][] {
  const begun = new Map<string, string>();
  const calls: string[][] = [];
  for (const line of text.split('\n')) {
    const [, asleep, given] = / (\w+)\((.*) <asleep …>$/.exec(line) ?? [];
    if (asleep !== undefined) begun.set(asleep, given!);
    const [, name, args, result] =
      / (\w+)\((.*?)\) = (-?\d+)(?: \w+| \(.*\))? {2}</.exec(line) ?? [];
    if (name === undefined) continue;
    const fd = /^(\d+)/.exec(args === '…' ? begun.get(name)! : args!)?.[1] ?? '';
    calls.push([theirName[name] ?? name, fd, result!]);
  }
  return calls;
}

/** Calls of the thread that accepted: name, descriptor and result; `-1` for every failed call. */
function straceCalls(text: string): string[][] {
  const begun = new Map<string, string>();
  const calls: { tid: string; call: string[] }[] = [];
  for (const line of text.split('\n')) {
    const [, tid, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (tid === undefined || rest === undefined) continue;
    const unfinished = /^(\w+\(.*) <unfinished \.\.\.>$/.exec(rest);
    if (unfinished !== null) {
      begun.set(tid, unfinished[1]!);
      continue;
    }
    const whole = rest.replace(/^<\.\.\. \w+ resumed>/, () => begun.get(tid) ?? '');
    const [, name, args, result] = /^(\w+)\((.*)\) += (-?\d+|\?)/.exec(whole) ?? [];
    if (name === undefined) continue;
    const fd = /^(\d+)/.exec(args!)?.[1] ?? '';
    calls.push({ tid, call: [name, fd, result === '?' ? '-1' : result!] });
  }
  const server = calls.find(({ call }) => call[0] === 'accept4')!.tid;
  return calls.filter(({ tid }) => tid === server).map(({ call }) => call);
}
