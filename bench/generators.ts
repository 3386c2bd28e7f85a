/**
 * `node bench/generators.ts [ROUNDS]`: how much `mondo load` asks, beside the generator in C. Each runs on the
 * same single core (its counting, too), against the same C epoll server on the other core. Rounds are
 * interleaved. The result is the median of their ratios: of questions per second, and of questions per second
 * of processor time.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compile, contestants, node, reference, start } from './contestants.ts';

const rounds = Number(process.argv[2] ?? 5);
if (!(Number.isInteger(rounds) && rounds >= 1 && rounds <= 50)) {
  console.error(`generators: Cannot make "${process.argv[2]}" rounds: give a number from 1 to 50`);
  process.exit(2);
}
const SECONDS = 3;
const mondo = join(import.meta.dirname, '../bin/mondo');
const onLoadCore = ['taskset', '-c', '1'];

interface Asked {
  readonly rate: number;
  /** Share of its core, from 0 to 1. */
  readonly busy: number;
}

function run(command: readonly string[]): string {
  const [program = '', ...args] = [...onLoadCore, ...command];
  const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8' });
  // 4: it does not trust its figures, which is normal on a busy machine; it still prints them.
  if (status === 0 || status === 4) return stdout;
  throw new Error(`${command.join(' ')} ended with ${status}: ${stderr.trim()}`);
}

function askInC(built: string, port: number, connections: number): Asked {
  const options = [
    '--port',
    port,
    '--connections',
    connections,
    '--seconds',
    SECONDS,
    '--warmup',
    1,
  ];
  return JSON.parse(run([join(built, 'load'), ...options.map(String)])) as Asked;
}

function ask(engine: string, port: number, connections: number): Asked {
  const text = run([
    ...[node, mondo, 'load', '127.0.0.1', '-p', `${port}`, '--connections', `${connections}`],
    ...['--engine', engine, '--duration', `${SECONDS}s`, '--warm-up', '1s', '--json'],
  ]);
  const { totals, validity } = JSON.parse(text);
  return { rate: totals.rate, busy: validity.cpu };
}

const median = (numbers: readonly number[]): number => {
  const sorted = numbers.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half]! : (sorted[half - 1]! + sorted[half]!) / 2;
};

const built = mkdtempSync(join(tmpdir(), 'mondo-generators-'));
compile(built);
const peer = contestants.find(({ name }) => name === reference)!;
const server = await start(peer.command(built), ['taskset', '-c', '0']);
try {
  console.log(
    `${rounds} rounds; questions/s and share of the core, medians; ratios to C, medians of pairs`,
  );
  for (const connections of [64, 1000]) {
    const inC: Asked[] = [];
    const ours: Record<string, Asked[]> = { uring: [], epoll: [] };
    for (let round = 0; round < rounds; round++) {
      inC.push(askInC(built, server.port, connections));
      for (const engine of ['uring', 'epoll'])
        ours[engine]!.push(ask(engine, server.port, connections));
    }
    const line = (name: string, all: readonly Asked[]) => {
      const rate = median(all.map((one) => one.rate));
      const busy = median(all.map((one) => one.busy));
      const ratio = median(all.map((one, i) => one.rate / inC[i]!.rate));
      const perCpu = median(
        all.map((one, i) => one.rate / one.busy / (inC[i]!.rate / inC[i]!.busy)),
      );
      const figures = [
        rate.toFixed(0).padStart(8),
        busy.toFixed(2),
        ratio.toFixed(2),
        perCpu.toFixed(2),
      ];
      console.log(
        `${String(connections).padStart(5)} connections  ${name.padEnd(11)} ${figures.join('  ')}`,
      );
    };
    line('C', inC);
    for (const [engine, all] of Object.entries(ours)) line(`load, ${engine}`, all);
  }
} finally {
  await server.stop();
  rmSync(built, { recursive: true });
}
