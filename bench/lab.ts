/**
 * `node bench/lab.ts [ROUNDS]`: what the lab costs a server that it shows. Pairs of the same epoll server, once alone
 * and once as a stage of the lab, answer 64 connections of `load.c`. The worker has a core of its own, and so has the
 * load. The results are medians of the pairs' ratios, with quartiles. Budgets: at most 1.05 times the processor time
 * per question, at least 0.95 times the questions per second.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StageOrder } from '../src/instruments/lab/parts.ts';
import { commandOf } from '../src/instruments/lab/stage/options.ts';
import { StageProcess } from '../src/instruments/lab/stage/stage.ts';
import { spent, tree, type Usage } from '../src/os/costs.ts';
import { compile, node, start } from './contestants.ts';
import { load } from './scenarios.ts';

const rounds = Number(process.argv[2] ?? 9);
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 50)) {
  console.error(`lab: Cannot make "${process.argv[2]}" rounds: give a number from 1 to 50`);
  process.exit(2);
}
const [SERVER_CORE, LOAD_CORE] = ['0', '1'];
const MOST_CPU = 1.05;
const LEAST_RATE = 0.95;
const order: StageOrder = {
  ...{ s: 0, plan: { architecture: 'epoll' }, think: 0, thinking: 'block', limits: {} },
  ...{ dryRun: false, epoch: String(process.hrtime.bigint()) },
};
const mondo = join(import.meta.dirname, '../bin/mondo');
const [, ...words] = commandOf(order).split(' ');
const alone = [node, mondo, ...words, '127.0.0.1', '-p', '0', '--log', 'none'];

interface Measured {
  /** Processor time of the worker per question, in µs. */
  readonly cpu: number;
  /** Questions per second. */
  readonly rate: number;
  /** Share of a core that the process above the worker used. */
  readonly above: number;
}

const only = ({ processes }: Usage, isWanted: (pid: number) => boolean): Usage => ({
  processes: new Map([...processes].filter(([pid]) => isWanted(pid))),
});

/** @param pid the process that has started the worker */
async function measure(built: string, pid: number, port: number): Promise<Measured> {
  for (const worker of tree(pid).slice(1)) {
    spawnSync('taskset', ['-acp', SERVER_CORE, String(worker)], { stdio: 'ignore' });
  }
  const setting = { built, seconds: 3, warmup: 1, onLoadCore: ['taskset', '-c', LOAD_CORE] };
  const { report, before, after } = await load({ pid, port }, ['--connections', '64'], setting);
  const used = (isWanted: (one: number) => boolean) =>
    spent(only(before, isWanted), only(after, isWanted)).cpu;
  return {
    cpu: (used((one) => one !== pid) * 1e6) / report.answers,
    rate: report.rate,
    above: used((one) => one === pid) / report.seconds,
  };
}

async function measureAlone(built: string): Promise<Measured> {
  const server = await start(alone, []);
  try {
    return await measure(built, server.pid, server.port);
  } finally {
    await server.stop();
  }
}

async function measureShown(built: string): Promise<Measured> {
  await using stage = await StageProcess.start(order, () => {});
  return await measure(built, stage.pid, stage.port);
}

interface Pair {
  readonly alone: Measured;
  readonly shown: Measured;
}

/** The two take turns in being first, so that a drift over time favours none. */
async function aloneFirst(built: string): Promise<Pair> {
  const first = await measureAlone(built);
  return { alone: first, shown: await measureShown(built) };
}
async function shownFirst(built: string): Promise<Pair> {
  const first = await measureShown(built);
  return { alone: await measureAlone(built), shown: first };
}

/** Lower quartile, median, upper quartile. */
const quartiles = (numbers: readonly number[]) => {
  const sorted = numbers.toSorted((a, b) => a - b);
  return [1, 2, 3].map((quarter) => sorted[(sorted.length * quarter) >> 2]!);
};

const built = mkdtempSync(join(tmpdir(), 'mondo-lab-bench-'));
try {
  compile(built);
  const pairs: Pair[] = [];
  // The first pair fills caches, and does not count.
  for (let round = 0; round <= rounds; round++) {
    const pair = round % 2 === 0 ? await aloneFirst(built) : await shownFirst(built);
    if (round > 0) pairs.push(pair);
  }
  console.log(`${rounds} rounds, Node ${process.versions.node}; medians and quartiles of pairs`);
  const line = (name: string, figures: readonly number[], digits: number, verdict = '') => {
    const [low, median, high] = figures.map((figure) => figure.toFixed(digits));
    console.log(`${name.padEnd(34)} ${median!.padStart(8)}  [${low}, ${high}]${verdict}`);
  };
  const of = (read: (pair: Pair) => number) => quartiles(pairs.map(read));
  line(
    'alone: CPU per question, µs',
    of((pair) => pair.alone.cpu),
    2,
  );
  line(
    'shown: CPU per question, µs',
    of((pair) => pair.shown.cpu),
    2,
  );
  const cpu = of(({ alone, shown }) => shown.cpu / alone.cpu);
  const rate = of(({ alone, shown }) => shown.rate / alone.rate);
  const verdict = (isMet: boolean, budget: string) => `  ${isMet ? 'within' : 'MISSES'} ${budget}`;
  line('ratio of CPU per question', cpu, 3, verdict(cpu[1]! <= MOST_CPU, `≤ ${MOST_CPU}`));
  line(
    'ratio of questions per second',
    rate,
    3,
    verdict(rate[1]! >= LEAST_RATE, `≥ ${LEAST_RATE}`),
  );
  const above = of(({ shown }) => 100 * shown.above);
  line("the stage's own process, % of a core", above, 1);
} finally {
  rmSync(built, { recursive: true });
}
