/**
 * The cost of a start, paired with `node -e 0`: processor time (user and system) of one process until it has
 * printed its version, or until its first answer has arrived. Once from the checkout, and once from `dist/` as
 * npm would install it.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { addressOf, libc } from '../src/os/libc.ts';
import { descendantsOf } from '../src/os/processes.ts';

const { values } = parseArgs({
  options: { rounds: { type: 'string', default: '15' }, only: { type: 'string' } },
});
const rounds = Number(values.rounds);
const root = join(import.meta.dirname, '..');

/** Processor time of this process's children that have ended, in ms. getrusage(2) */
function spentByChildren(): number {
  const usage = Buffer.allocUnsafeSlow(144);
  libc.getrusage(-1, addressOf(usage));
  const [second, micro, systemSecond, systemMicro] = new BigInt64Array(usage.buffer, 0, 4);
  return Number(second! + systemSecond!) * 1000 + Number(micro! + systemMicro!) / 1000;
}

/** Processor time of a running process, in ms: the time of its threads, by the scheduler. proc(5) */
function spentBy(pid: number): number {
  let nanoseconds = 0;
  for (const tid of readdirSync(`/proc/${pid}/task`)) {
    nanoseconds += Number(
      readFileSync(`/proc/${pid}/task/${tid}/schedstat`, 'utf8').split(' ', 1)[0],
    );
  }
  return nanoseconds / 1e6;
}

async function whole(words: readonly string[]): Promise<number> {
  const before = spentByChildren();
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  child.stdout.resume();
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`node ${words.join(' ')} ended with ${code}`);
  return spentByChildren() - before;
}

async function listening(child: ChildProcess): Promise<number> {
  let text = '';
  for await (const chunk of child.stdout!.setEncoding('utf8')) {
    text += chunk;
    const port = /Listening at \S+:(\d+)/.exec(text)?.[1];
    if (port !== undefined) return Number(port);
  }
  throw new Error(`The server has ended: ${text}`);
}

/**
 * Measures until the first answer. @param answering selects the processes that may have answered, from the
 * server and its descendants
 */
async function firstAnswer(
  words: readonly string[],
  answering: (pids: readonly number[]) => readonly number[],
): Promise<number> {
  const server = spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(server, 'exit');
  try {
    const client = connect(await listening(server), '127.0.0.1');
    client.write('Simple is better than?');
    await once(client, 'data');
    // Of the processes that were ready for a client, the one that had it has used more.
    const spent = Math.max(...answering([server.pid!, ...descendantsOf(server.pid!)]).map(spentBy));
    client.destroy();
    return spent;
  } finally {
    server.kill();
    await ended;
  }
}

/** The minimum that a worker on Node's own loop needs. */
const bare = `require('node:net').createServer((client) => {
  client.on('data', () => client.write('Complex.'));
}).listen(0, '127.0.0.1', function () { console.log('Listening at 127.0.0.1:' + this.address().port); });`;

/** `dist/` and the files that belong to it, without the sources. */
function packageFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'mondo-starts-'));
  for (const name of ['bin', 'dist', 'package.json']) {
    cpSync(join(root, name), join(folder, name), { recursive: true });
  }
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  return folder;
}

const folder = packageFolder();
const starts = new Map<string, () => Promise<number>>([
  ['node -e 0', () => whole(['-e', '0'])],
  ['bare node:net, first answer', () => firstAnswer(['-e', bare], (pids) => pids.slice(0, 1))],
]);
for (const [from, command] of [
  ['dist', join(folder, 'bin', 'mondo')],
  ['checkout', join(root, 'bin', 'mondo')],
] as const) {
  const serve = [command, 'serve'];
  const options = ['-p', '0', '--log', 'none', '--user', String(process.geteuid!())];
  starts.set(`${from}: mondo --version`, () => whole([command, '--version']));
  for (const name of ['single', 'epoll', 'uring', 'callback'])
    starts.set(`${from}: worker of ${name}`, () =>
      firstAnswer([...serve, name, ...options], (pids) => pids.slice(1, 2)),
    );
  starts.set(`${from}: assistant of inetd`, () =>
    firstAnswer([...serve, 'inetd', ...options], (pids) => pids.slice(2)),
  );
}

const times = new Map<string, number[]>();
const median = (numbers: readonly number[]) =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;
try {
  // The first round fills caches, and does not count.
  for (let round = 0; round <= rounds; round++) {
    for (const [name, start] of starts) {
      if (values.only !== undefined && !name.includes(values.only) && name !== 'node -e 0')
        continue;
      const ms = await start();
      if (round > 0) times.set(name, [...(times.get(name) ?? []), ms]);
    }
  }
} finally {
  rmSync(folder, { recursive: true });
}

const base = times.get('node -e 0')!;
console.log(`${rounds} rounds, Node ${process.versions.node}; processor time, user and system`);
for (const [name, all] of times) {
  const ratios = all.map((ms, round) => ms / base[round]!).toSorted((a, b) => a - b);
  const [low, high] = [ratios[ratios.length >> 2]!, ratios[(3 * ratios.length) >> 2]!];
  console.log(
    `${name.padEnd(30)} ${median(all).toFixed(1).padStart(6)} ms  ${median(ratios).toFixed(2)} × [${low.toFixed(2)}, ${high.toFixed(2)}]`,
  );
}
