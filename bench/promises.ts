/**
 * `node bench/promises.ts [ROUNDS] [ARCHITECTURE …]`: what answers that are promises cost a loop of Mondo's own,
 * compared with `coroutine`, which runs on Node's loop. Each answer waits 1 ms for a timer. 64 connections of `load.c`
 * ask one question at a time. The server has a core of its own, and so has the load. A round measures all
 * architectures one after the other, and the next round in the reverse order. The ratios are of the same round:
 * medians, with quartiles. Goal for `uring`: at least 1.0 times the answers per second, at less processor time for
 * each.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { spent } from '../src/os/costs.ts';
import { compile, node, start } from './contestants.ts';
import { load } from './scenarios.ts';

const REFERENCE = 'coroutine';
const [SERVER_CORE, LOAD_CORE] = ['0', '1'];
const CONNECTIONS = 64;

const [words = '9', ...names] = process.argv.slice(2);
const rounds = Number(words);
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 50)) {
  console.error(`promises: Cannot make "${words}" rounds: give a number from 1 to 50`);
  process.exit(2);
}
const others = names.length > 0 ? names : ['uring', 'epoll', 'poll', 'generator'];
const architectures = [REFERENCE, ...others.filter((name) => name !== REFERENCE)];

const mondo = join(import.meta.dirname, '../bin/mondo');
const service = new URL('./peers/later.ts?ms=1', import.meta.url).href;

interface Measured {
  /** Answers per second. */
  readonly rate: number;
  /** Processor time of the server per answer, in µs. */
  readonly cpu: number;
  /** Time to an answer, in ms. */
  readonly p50: number;
  readonly p99: number;
}

async function measure(built: string, architecture: string): Promise<Measured> {
  const options = ['127.0.0.1', '-p', '0', '--log', 'none', '--service', service];
  const command = [node, mondo, 'serve', architecture, ...options];
  const server = await start(command, ['taskset', '-c', SERVER_CORE]);
  try {
    const setting = { built, seconds: 2, warmup: 1, onLoadCore: ['taskset', '-c', LOAD_CORE] };
    const asking = ['--connections', String(CONNECTIONS)];
    const { report, before, after } = await load(server, asking, setting);
    const cpu = (spent(before, after).cpu * 1e6) / report.answers;
    return { rate: report.rate, cpu, p50: report.p50 / 1000, p99: report.p99 / 1000 };
  } finally {
    await server.stop();
  }
}

/** Lower quartile, median, upper quartile. */
const quartiles = (numbers: readonly number[]) => {
  const sorted = numbers.toSorted((one, other) => one - other);
  return [1, 2, 3].map((quarter) => sorted[(sorted.length * quarter) >> 2]!);
};
const ratio = (numbers: readonly number[]): string => {
  const [low, median, high] = quartiles(numbers).map((number) => number.toFixed(2));
  return `${median} [${low}, ${high}]`.padStart(20);
};

// This process sleeps during the measurements. When it wakes up, it must not use the server's core.
spawnSync('taskset', ['-acp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' });
const built = mkdtempSync(join(tmpdir(), 'mondo-promises-bench-'));
try {
  compile(built);
  const results = new Map(architectures.map((name) => [name, [] as Measured[]]));
  // The first round fills caches, and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const name of round % 2 === 0 ? architectures : architectures.toReversed()) {
      const measured = await measure(built, name);
      if (round > 0) results.get(name)!.push(measured);
    }
  }
  const references = results.get(REFERENCE)!;
  console.log(
    `${CONNECTIONS} connections, 1 ms for each answer; ${rounds} rounds, Node ${process.versions.node}`,
  );
  console.log(
    `${''.padEnd(12)}${['answers/s', 'CPU µs', 'p50 ms', 'p99 ms'].map((title) => title.padStart(10)).join('')}${['× answers/s', '× CPU'].map((title) => title.padStart(20)).join('')}`,
  );
  for (const [name, all] of results) {
    const median = (read: (one: Measured) => number, digits: number) =>
      quartiles(all.map(read))[1]!.toFixed(digits).padStart(10);
    const figures = [
      median(({ rate }) => rate, 0),
      median(({ cpu }) => cpu, 1),
      median(({ p50 }) => p50, 2),
      median(({ p99 }) => p99, 2),
    ];
    const ratios = [
      ratio(all.map(({ rate }, i) => rate / references[i]!.rate)),
      ratio(all.map(({ cpu }, i) => cpu / references[i]!.cpu)),
    ];
    console.log(`${name.padEnd(12)}${figures.join('')}${ratios.join('')}`);
  }
} finally {
  rmSync(built, { recursive: true });
}
