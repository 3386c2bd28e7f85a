/**
 * `npm run soak -- [--minutes N] [--markdown] [ARCHITECTURE…]`: runs honest and hostile clients against servers
 * of several architectures at the same time, for an hour by default. Each attack of src/siege has its turn.
 * Prints a line for each tenth. At the end it reports whether memory, descriptors and threads stayed flat, and
 * every honest client had its answers; exits 1 if not.
 *
 * Flat means: without clients, as many descriptors and threads at the end as after the first tenth. The median
 * memory of the last tenth is at most a fifth and 32 MiB above that of the second. V8 may leave as much
 * uncollected.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { serve } from '../src/host/serve.ts';
import type { Server } from '../src/host/server.ts';
import { attackNamed } from '../src/instruments/siege/attacks.ts';
import { nextAddress } from '../src/instruments/siege/probe.ts';
import { aphorisms } from '../src/protocol/zen.ts';

/** All attacks that need only a port, in this order, again and again. */
const ATTACKS = [
  'idle-crowd',
  'slow-drip',
  'slow-reader',
  'stops-reading',
  'vanish',
  'ask-and-reset',
  'reset-inside',
  'half-close',
  'no-delimiter',
  'oversize',
  'pipelining',
  'garbage',
  'churn',
];
const ARCHITECTURES = ['uring', 'epoll', 'threaded', 'callback', 'prefork'];

/**
 * Hostile clients have an address of their own. It may have this many connections: fewer than all threads of a
 * pool.
 */
const limits = {
  idle: 2000,
  questionTime: 2000,
  answerTime: 2000,
  connectionsPerAddress: 3,
  acceptsPerSecond: 100,
};
const HOSTILE = { crowd: 12, rate: 30 };
/** True for an address of `nextAddress`; hostile clients have other addresses. */
const isHonest = (peer: string) => peer.startsWith('127.1.');
/** Pause of each server's honest client between two conversations, in ms. */
const REST = 20;
/** How long an honest client waits for an answer before it counts as lost, in ms. */
const PATIENCE = 20_000;
const TENTHS = 10;
const TOLERANCE = { share: 0.2, bytes: 32 * 2 ** 20 };

interface Look {
  /** Bytes that belong only to this server. */
  readonly memory: number;
  readonly descriptors: number;
  readonly threads: number;
}

export interface Soaked {
  readonly architecture: string;
  /** The median memory of each tenth. */
  readonly curve: readonly Look[];
  readonly atFirst: Look;
  readonly atLast: Look;
  readonly served: number;
  readonly ended: number;
  /** The faults, as text; empty if all is well. */
  readonly faults: readonly string[];
}

const read = (path: string): string => {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    // The process has ended.
    return '';
  }
};

const childrenOf = (pid: number): number[] =>
  read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean).map(Number);

/** All processes of a server except its supervisor, which is this process. */
function lookAt(server: Server): Look {
  let [memory, descriptors, threads] = [0, 0, 0];
  for (const pid of server.pids.flatMap((worker) => [worker, ...childrenOf(worker)])) {
    const number = (file: string, name: string) =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(read(`/proc/${pid}/${file}`))?.[1] ?? 0);
    memory += number('status', 'RssAnon') * 1024;
    threads += number('status', 'Threads');
    try {
      descriptors += readdirSync(`/proc/${pid}/fd`).length;
    } catch {
      // It has ended.
    }
  }
  return { memory, descriptors, threads };
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1] ?? 0;

const medianOf = (looks: readonly Look[]): Look => ({
  memory: median(looks.map(({ memory }) => memory)),
  descriptors: median(looks.map(({ descriptors }) => descriptors)),
  threads: median(looks.map(({ threads }) => threads)),
});

/**
 * One conversation of an honest client; returns its fault, if any. Each has an address of its own: a pool whose
 * threads get no processor for a while counts clients that have left together with new ones.
 */
function converse(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const from = { host: '127.0.0.1', localAddress: nextAddress() };
    const socket = connect({ port, ...from }).setEncoding('latin1');
    const questions = Object.entries(aphorisms);
    let received = '';
    const end = (fault?: string) => {
      clearTimeout(timer);
      socket.removeAllListeners().on('error', () => {});
      socket.destroy();
      resolve(fault);
    };
    const timer = setTimeout(() => end(`no answer for ${PATIENCE} ms`), PATIENCE);
    const ask = () => socket.write(questions[0]![0]);
    socket.on('connect', ask);
    socket.on('data', (data: string) => {
      received += data;
      const answer = questions[0]![1];
      if (received.length < answer.length) return;
      if (received !== answer) end(`"${questions[0]![0]}" was answered "${received}"`);
      received = '';
      questions.shift();
      if (questions.length === 0) end();
      else ask();
    });
    socket.on('error', (error) => end(error.message));
    socket.on('close', () => end('closed before its answer'));
  });
}

async function soakOne(
  architecture: string,
  duration: number,
  report: (tenth: number, look: Look) => void,
): Promise<Soaked> {
  const faults: string[] = [];
  let [served, ended, isOver] = [0, 0, false];
  const server = await serve({ architecture, port: 0, limits }, (event) => {
    if (event.type === 'limited' || event.type === 'refused') ended++;
    if (event.type === 'died' || event.type === 'crashed') faults.push(JSON.stringify(event));
    // Why an honest client was refused: without this, the report would only say that it was closed.
    if ((event.type === 'limited' || event.type === 'refused') && isHonest(event.peer)) {
      faults.push(JSON.stringify(event));
    }
  });
  const honest = async () => {
    while (!isOver) {
      const fault = await converse(server.port);
      if (fault === undefined) served++;
      else faults.push(fault);
      await sleep(REST);
    }
  };
  const hostile = async () => {
    for (let i = 0; !isOver; i++) {
      const attack = attackNamed(ATTACKS[i % ATTACKS.length]!)!;
      const running = await attack.start({
        port: server.port,
        ...HOSTILE,
        pids: () => server.pids,
      });
      const until = performance.now() + duration / TENTHS / ATTACKS.length;
      while (!isOver && performance.now() < until) await sleep(50);
      const { wrong } = running.intensity();
      if (wrong > 0) faults.push(`${wrong} wrong answers under ${attack.name}`);
      await running.stop();
    }
  };
  /** Each attack once per tenth. */
  const tenth = async (): Promise<Look> => {
    const looks: Look[] = [];
    const until = performance.now() + duration / TENTHS;
    isOver = false;
    const clients = [hostile(), honest()];
    while (performance.now() < until) {
      await sleep(Math.min(1000, duration / TENTHS / 5));
      looks.push(lookAt(server));
    }
    isOver = true;
    await Promise.all(clients);
    return medianOf(looks);
  };
  /** Without clients: then everything shows that a client has left behind. */
  const atRest = async (): Promise<Look> => {
    for (let i = 0; i < 100 && server.workers().some(({ open }) => open > 0); i++) await sleep(100);
    return lookAt(server);
  };
  const curve: Look[] = [];
  let atFirst: Look | undefined;
  try {
    for (let i = 0; i < TENTHS; i++) {
      curve.push(await tenth());
      atFirst ??= await atRest();
      report(i, curve[i]!);
    }
    const atLast = await atRest();
    const [second, last] = [curve[1]!, curve[TENTHS - 1]!];
    if (last.memory > second.memory * (1 + TOLERANCE.share) + TOLERANCE.bytes) {
      faults.push(`memory rose from ${second.memory} to ${last.memory} bytes`);
    }
    for (const what of ['descriptors', 'threads'] as const) {
      if (atLast[what] > atFirst![what]) {
        faults.push(`${what} rose from ${atFirst![what]} to ${atLast[what]}`);
      }
    }
    return { architecture, curve, atFirst: atFirst!, atLast, served, ended, faults };
  } finally {
    isOver = true;
    await server.close();
  }
}

/** Soaks all of them at the same time. @param ms the total time */
export const soak = (
  architectures: readonly string[],
  ms: number,
  report: (architecture: string, tenth: number, look: Look) => void = () => {},
): Promise<Soaked[]> =>
  Promise.all(
    architectures.map((architecture) =>
      soakOne(architecture, ms, (tenth, look) => report(architecture, tenth, look)),
    ),
  );

const mebibytes = (bytes: number) => (bytes / 2 ** 20).toFixed(1);

/**
 * The curve as a table: memory in MiB for each tenth, and descriptors and threads without clients at first and
 * at last.
 */
function tableOf(results: readonly Soaked[]): string {
  const head = Array.from({ length: TENTHS }, (_, i) => `${i + 1}`);
  const rows = results.map(({ architecture, curve, atFirst, atLast, served, ended, faults }) => [
    architecture,
    ...curve.map(({ memory }) => mebibytes(memory)),
    `${atFirst.descriptors} → ${atLast.descriptors}`,
    `${atFirst.threads} → ${atLast.threads}`,
    String(served),
    String(ended),
    String(faults.length),
  ]);
  const columns = ['', ...head, 'descriptors', 'threads', 'served', 'ended', 'faults'];
  return [columns, columns.map(() => '---'), ...rows]
    .map((cells) => `| ${cells.join(' | ')} |`)
    .join('\n');
}

if (import.meta.main) {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { minutes: { type: 'string', default: '60' } },
  });
  const minutes = Number(values.minutes);
  if (!(minutes >= 0.2 && minutes <= 1440)) {
    console.error(
      `soak: Cannot soak for "${values.minutes}" minutes: give a number from 0.2 to 1440`,
    );
    process.exit(2);
  }
  const names = positionals.length > 0 ? positionals : ARCHITECTURES;
  const results = await soak(names, minutes * 60_000, (architecture, tenth, look) => {
    const { memory, descriptors, threads } = look;
    console.error(
      `${architecture} ${tenth + 1}/${TENTHS}: ${mebibytes(memory)} MiB, ${descriptors} descriptors, ${threads} threads`,
    );
  });
  console.log(tableOf(results));
  for (const { architecture, faults } of results) {
    for (const fault of faults.slice(0, 20)) console.log(`${architecture}: ${fault}`);
    if (faults.length > 0) process.exitCode = 1;
  }
}
