// examples/resp.ts beside Redis itself: the same commands from redis-benchmark, the server on one core and its load on
// another. Run it with `node bench/redis.ts --help`.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { cpus, release } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { spent, usage } from '../src/os/costs.ts';
import { ContestantError, have, node } from './contestants.ts';

const help = `Usage: node bench/redis.ts [options]

  --rounds N          pairs of runs (5)
  --requests N        commands of a run without pipelines (200000); four times as many with pipelines of 16
  --architecture A    what serves examples/resp.ts (uring)
  --cores S,L         the cores of the server and of the load (0,1)
`;

const text = { type: 'string' } as const;
const { values } = parseArgs({
  options: {
    help: { type: 'boolean' },
    rounds: text,
    requests: text,
    architecture: text,
    cores: text,
  },
});
const rounds = Number(values.rounds ?? 5);
const requests = Number(values.requests ?? 200_000);
const architecture = values.architecture ?? 'uring';
const [serverCore = '0', loadCore = '1'] = (values.cores ?? '0,1').split(',');

interface Run {
  /** Commands per second. */
  readonly rate: number;
  /** Processor time of the server for each command, in µs. */
  readonly cpu: number;
}

interface Pair {
  readonly redis: Run;
  readonly mondo: Run;
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const servers: Readonly<Record<string, (port: number) => string[]>> = {
  redis: (port) => [
    ...['redis-server', '--bind', '127.0.0.1', '--port', String(port)],
    ...['--save', '', '--appendonly', 'no'],
  ],
  mondo: (port) => [
    ...[node, here('../bin/mondo'), 'serve', architecture, '127.0.0.1', '-p', String(port)],
    ...['--log', 'none', '--service', here('../examples/resp.ts')],
  ],
};
const scenarios = ['1', '16'].flatMap((pipeline) =>
  ['SET', 'GET'].map((command) => ({ pipeline, command })),
);

const pinned = (core: string, command: readonly string[]): string[] => [
  ...['taskset', '-c', core],
  ...command,
];

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => resolve(true)).on('error', () => resolve(false));
    socket.on('connect', () => socket.destroy());
  });

let server: ChildProcess | undefined;

async function start(command: readonly string[], port: number): Promise<number> {
  const [program = '', ...words] = pinned(serverCore, command);
  server = spawn(program, words, { stdio: 'ignore' });
  for (const end = Date.now() + 30_000; !(await accepts(port)); ) {
    if (server.exitCode !== null || Date.now() > end) {
      throw new ContestantError(`Does not serve: ${command.join(' ')}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return server.pid!;
}

async function stop(): Promise<void> {
  const running = server;
  server = undefined;
  if (running === undefined || running.exitCode !== null) return;
  running.kill('SIGTERM');
  await once(running, 'exit');
}

function ask(port: number, command: string, pipeline: string, count: number): number {
  const words = ['redis-benchmark', '-p', String(port), '-c', '50', '-P', pipeline];
  const [program = '', ...rest] = pinned(loadCore, [
    ...words,
    ...['-n', String(count), '-t', command.toLowerCase(), '--csv'],
  ]);
  const { stdout, stderr, status } = spawnSync(program, rest, { encoding: 'utf8' });
  const rate = new RegExp(`^"${command}","([\\d.]+)"`, 'm').exec(stdout)?.[1];
  if (status === 0 && rate !== undefined) return Number(rate);
  throw new ContestantError(`redis-benchmark failed: ${stderr || stdout}`);
}

/** One new server: a warm-up, then the measured run. */
async function measure(name: string, command: string, pipeline: string): Promise<Run> {
  const port = await freePort();
  const pid = await start(servers[name]!(port), port);
  try {
    const count = pipeline === '1' ? requests : requests * 4;
    // GET finds a value, and what the server compiles is compiled.
    ask(port, 'SET', pipeline, Math.ceil(count / 4));
    ask(port, command, pipeline, Math.ceil(count / 2));
    const before = usage(pid);
    const rate = ask(port, command, pipeline, count);
    return { rate, cpu: (spent(before, usage(pid)).cpu * 1e6) / count };
  } finally {
    await stop();
  }
}

/** The middle of the numbers, and their smallest and largest. */
function spread(numbers: readonly number[], digits: number): string {
  const sorted = numbers.toSorted((a, b) => a - b);
  const middle = (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
  return `${middle.toFixed(digits)} [${sorted[0]!.toFixed(digits)}, ${sorted.at(-1)!.toFixed(digits)}]`;
}

async function main(): Promise<void> {
  for (const program of ['redis-server', 'redis-benchmark', 'taskset']) {
    if (!have(program)) throw new ContestantError(`${program} is absent`);
  }
  // This process sleeps during a run. When it wakes up, it must not use the server's core.
  spawnSync('taskset', ['-acp', loadCore, String(process.pid)], { stdio: 'ignore' });
  const version = /v=(\S+)/.exec(spawnSync('redis-server', ['--version']).stdout.toString())?.[1];
  const model = cpus()[0]?.model.trim() ?? 'unknown processor';
  console.log(
    `Linux ${release()} · ${model} · Node ${process.versions.node} · Redis ${version} · ${rounds} rounds\n`,
  );
  console.log(
    `| -P | command | Redis, 1000/s | ${architecture}, 1000/s | ratio | Redis, µs | ${architecture}, µs | ratio |`,
  );
  console.log('|---|---|---|---|---|---|---|---|');
  for (const { pipeline, command } of scenarios) {
    const pairs: Pair[] = [];
    for (let round = 0; round < rounds; round++) {
      // In turn, so that a drift favours neither.
      const order = round % 2 === 0 ? ['redis', 'mondo'] : ['mondo', 'redis'];
      const pair: Record<string, Run> = {};
      for (const name of order) pair[name] = await measure(name, command, pipeline);
      pairs.push(pair as unknown as Pair);
    }
    const column = (digits: number, of: (pair: Pair) => number) => spread(pairs.map(of), digits);
    const cells = [
      column(0, ({ redis }) => redis.rate / 1000),
      column(0, ({ mondo }) => mondo.rate / 1000),
      column(2, ({ redis, mondo }) => mondo.rate / redis.rate),
      column(2, ({ redis }) => redis.cpu),
      column(2, ({ mondo }) => mondo.cpu),
      column(2, ({ redis, mondo }) => mondo.cpu / redis.cpu),
    ];
    console.log(`| ${[pipeline, command, ...cells].join(' | ')} |`);
  }
  console.log(
    '\nµs: processor time of the server per command. Middle [smallest, largest] of the rounds.',
  );
}

if (values.help) console.log(help);
else {
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => void stop().finally(() => process.exit(130)));
  }
  try {
    await main();
  } catch (error) {
    if (!(error instanceof ContestantError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
