// Each architecture beside its Python counterpart in the chapter: the same load, one directly after the other or in alternation,
// round after round, the server on one core and the load on another. Run it with `node bench/counterparts.ts --help`.

import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { spent } from '../src/os/costs.ts';
import {
  type Contestant,
  ContestantError,
  compile,
  node,
  type Running,
  start,
  stopAll,
} from './contestants.ts';
import { allowedCores, pins, unpinned } from './pins.ts';
import { load, measure, type Scenario, type Setting, stopLoads } from './scenarios.ts';

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));

const python = (file: string, ...args: string[]): Contestant => ({
  name: ['python', ...args].join(' '),
  needs: 'python3',
  command: () => ['python3', here(`peers/${file}`), ...args, '127.0.0.1', '0'],
});
const chapter = (name: string) => python('chapter.py', name);

/** More options for every server of Mondo. */
const extra: string[] = [];

const mondo = (...words: string[]): Contestant => ({
  name: words.join(' '),
  command: () => {
    const options = ['127.0.0.1', '-p', '0', '--log', 'none', ...extra];
    const [architecture = '', ...more] = words;
    return [node, here('../bin/mondo'), 'serve', architecture, ...options, ...more];
  },
});

interface Pair {
  readonly name: string;
  readonly ours: Contestant;
  readonly theirs: Contestant;
  /** Number of lasting connections, if it cannot serve all 64 at once. */
  readonly most?: number;
}

const pair = (words: string, theirs: Contestant, most?: number): Pair => ({
  name: words,
  ours: mondo(...words.split(' ')),
  theirs,
  ...(most === undefined ? {} : { most }),
});

const pairs: readonly Pair[] = [
  pair('single', chapter('single'), 1),
  pair('threaded', chapter('threaded'), 4),
  pair('queued', chapter('threaded'), 4),
  pair('prefork', chapter('prefork'), 4),
  pair('socketserver', chapter('socketserver')),
  pair('socketserver --mixin forking', chapter('forking')),
  pair('select', chapter('poll')),
  pair('poll', chapter('poll')),
  pair('epoll', chapter('poll')),
  pair('uring', chapter('poll')),
  pair('callback', python('asyncio-protocol.py')),
  pair('coroutine', chapter('streams')),
  pair('generator', chapter('streams')),
  pair('asyncore', chapter('asyncore')),
  pair('inetd', chapter('inetd')),
  pair('inetd --inetd wait', chapter('inetd-wait'), 1),
];

const talking = (connections: number): Scenario => ({
  name: connections === 1 ? '1 talks' : `${connections} talk`,
  title: `${connections} connections, one question at a time on each`,
  load: ['--connections', String(connections)],
});
const coming = (connections: number): Scenario => ({
  name: `${connections} come`,
  title: `connect, ask three questions, close: ${connections} at a time`,
  load: ['--connections', String(connections), '--reconnect', '3'],
});

const QUESTIONS = 3;

/** The longest warm-up and the longest measured time of a load, in seconds: see load.c. */
const LONGEST = 60;

/** How long one load goes on with `--alternate`, until it is stopped and the other goes on. Much longer than a question. */
const SLICE_MS = 100;

/** The median; NaN without values. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const [low, high] = [sorted[(sorted.length - 1) >> 1], sorted[sorted.length >> 1]];
  return ((low ?? Number.NaN) + (high ?? Number.NaN)) / 2;
}

const help = `Usage: node bench/counterparts.ts [options]

  --only A,B      only these architectures
  --loads A,B     only these, by the names in the table: 1 talks, 64 talk, 64 come
  --sessions N,M  how many come at a time (64)
  --rounds N      rounds (3)
  --seconds S     measured time (2)
  --warmup S      time before it that is not counted (4): each thread compiles its own code,
                  so give 30 or more for an architecture with 64 threads or processes
  --free          server and load may run on all cores; default: each has a core of its own
  --alternate     both servers run at once, and each has the load for ${SLICE_MS} ms in turn, so a slow phase of the machine
                  meets both: a round takes twice as long, and tells ratios near 1 apart. Warm-up and measured
                  time are then at most ${LONGEST / 2} s, and ${LONGEST} s without it
  --limit N=V     a limit of Mondo's servers, such as idle=off: Python's have none

"load busy" is the share of its time that the load was busy with Mondo. Near 1, the load limits the rate, and not the
server: compare the CPU then.

Architectures: ${pairs.map(({ name }) => name).join(', ')}
`;

/** Questions or sessions per second, and the processor time of each, in µs. */
interface Figures {
  readonly rate: number;
  readonly cpu: number;
  /** Share of its time that the load was busy. Near 1, the load limits the rate, and not the server. */
  readonly loadBusy: number;
}

const NONE: Figures = { rate: 0, cpu: Number.POSITIVE_INFINITY, loadBusy: 0 };

/** @param share of the measured time in which the load went on */
function figures({ rate, cpu, loadBusy }: Figures, { load }: Scenario, share = 1): Figures {
  const each = load.includes('--reconnect') ? QUESTIONS : 1;
  return { rate: rate / share / each, cpu: cpu * each, loadBusy: loadBusy / share };
}

/** Reports why there are no figures, for example no answer, or clients that were not served in time. */
function complain(error: unknown, names: string, { title }: Scenario): void {
  if (!(error instanceof ContestantError)) throw error;
  console.error(`${names}, ${title}: ${error.message}`);
}

async function figuresOf(
  contestant: Contestant,
  scenario: Scenario,
  setting: Setting,
): Promise<Figures> {
  try {
    return figures(await measure(contestant, scenario, 0, setting), scenario);
  } catch (error) {
    complain(error, contestant.name, scenario);
    return NONE;
  }
}

/** A server of each runs, and only one of them is asked at a time. */
async function figuresOfBoth(
  both: readonly Contestant[],
  scenario: Scenario,
  setting: Setting,
): Promise<readonly Figures[]> {
  const wall = { ...setting, seconds: setting.seconds * 2, warmup: setting.warmup * 2 };
  const servers: Running[] = [];
  try {
    for (const { command } of both) {
      servers.push(await start(command(setting.built), setting.onServerCore));
    }
    const children: ChildProcess[] = [];
    const asked = Promise.all(
      servers.map((server) => load(server, scenario.load, wall, (child) => children.push(child))),
    );
    const turns = setInterval(() => {
      const [running, stopped] = children;
      stopped?.kill('SIGCONT');
      running?.kill('SIGSTOP');
      children.reverse();
    }, SLICE_MS);
    // A load that is stopped cannot end.
    const results = await asked.finally(() => clearInterval(turns));
    return results.map(({ report, before, after }) => {
      const cpu = (spent(before, after).cpu * 1e6) / report.answers;
      return figures({ rate: report.rate, cpu, loadBusy: report.busy }, scenario, 1 / both.length);
    });
  } catch (error) {
    complain(error, both.map(({ name }) => name).join(' and '), scenario);
    return both.map(() => NONE);
  } finally {
    stopLoads();
    for (const server of servers) await server.stop();
  }
}

async function main(): Promise<void> {
  const text = { type: 'string' } as const;
  const flag = { type: 'boolean' } as const;
  const { values } = parseArgs({
    options: {
      ...({ help: flag, free: flag, alternate: flag } as const),
      ...{ only: text, loads: text, sessions: text },
      ...{ rounds: text, seconds: text, warmup: text, limit: text },
    },
  });
  if (values.help) {
    console.log(help);
    return;
  }
  const only = values.only?.split(',') ?? pairs.map(({ name }) => name);
  const unknown = only.find((name) => !pairs.some((one) => one.name === name));
  if (unknown !== undefined) throw new TypeError(`There is no pair "${unknown}"; see --help`);
  const come = (values.sessions ?? '64').split(',').map((count) => coming(Number(count)));
  const loadsOf = ({ most = 64 }: Pair) => [...[...new Set([1, most])].map(talking), ...come];
  const known = pairs.filter(({ name }) => only.includes(name)).flatMap(loadsOf);
  const loads = values.loads?.split(',') ?? known.map(({ name }) => name);
  const absent = loads.find((load) => !known.some(({ name }) => name === load));
  if (absent !== undefined) throw new TypeError(`There is no load "${absent}"; see --help`);
  const count = Math.min(100, Number(values.rounds ?? 3));
  if (values.limit !== undefined) extra.push('--limit', values.limit);
  const built = mkdtempSync(join(tmpdir(), 'mondo-counterparts-'));
  // A load runs for twice as long in alternation, and at most for LONGEST.
  const longest = values.alternate === true ? LONGEST / 2 : LONGEST;
  const setting: Setting = {
    built,
    seconds: Math.min(longest, Number(values.seconds ?? 2)),
    warmup: Math.min(longest, Number(values.warmup ?? 4)),
    ...(values.free === true ? unpinned : pins(allowedCores(), (text) => console.error(text))),
  };
  process.once('SIGINT', async () => {
    stopLoads();
    await stopAll();
    process.exit(130);
  });
  try {
    compile(built);
    console.log(
      '| architecture | load | Mondo/s | Python/s | times | Mondo CPU µs | Python CPU µs | times | load busy |',
    );
    console.log('|---|---|---|---|---|---|---|---|---|');
    for (const pair of pairs) {
      const { name, ours, theirs } = pair;
      if (!only.includes(name)) continue;
      for (const scenario of loadsOf(pair)) {
        if (!loads.includes(scenario.name)) continue;
        const rounds: { mine: Figures; other: Figures }[] = [];
        for (let round = 0; round < count; round++) {
          const isFirst = round % 2 === 0;
          const order = isFirst ? [ours, theirs] : [theirs, ours];
          const found: Figures[] = [];
          if (values.alternate === true) {
            found.push(...(await figuresOfBoth(order, scenario, setting)));
          } else {
            for (const one of order) found.push(await figuresOf(one, scenario, setting));
          }
          const [mine, other] = isFirst ? found : found.toReversed();
          rounds.push({ mine: mine!, other: other! });
        }
        const middle = (figure: (round: (typeof rounds)[number]) => number, digits: number) =>
          median(rounds.map(figure)).toFixed(digits);
        const cells = [
          ...[name, scenario.name],
          middle(({ mine }) => mine.rate, 0),
          middle(({ other }) => other.rate, 0),
          middle(({ mine, other }) => mine.rate / other.rate, 2),
          middle(({ mine }) => mine.cpu, 0),
          middle(({ other }) => other.cpu, 0),
          middle(({ mine, other }) => mine.cpu / other.cpu, 2),
          middle(({ mine }) => mine.loadBusy, 2),
        ];
        console.log(`| ${cells.join(' | ')} |`);
      }
    }
  } finally {
    await stopAll();
    rmSync(built, { recursive: true });
  }
}

await main();
