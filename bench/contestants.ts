// The contestants of the bench, and how each is built, started and stopped. A contestant is a
// command that serves the same conversation and prints its address on standard output.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { startOf, tree } from '../src/os/costs.ts';

export interface Contestant {
  name: string;
  /** The command, given the folder that the C programs are compiled into. */
  command: (built: string) => string[];
  /** A program that must be there first: the C compiler, Python. */
  needs?: 'cc' | 'python3';
  /** It takes part only if `--only` names it. */
  isExtra?: boolean;
}

/** A contestant that runs. */
export interface Running {
  pid: number;
  port: number;
  /** From launch to the first answer, in seconds. */
  startup: number;
  stop: () => Promise<void>;
}

export class ContestantError extends Error {
  override name = 'ContestantError';
}

const here = (path: string) => fileURLToPath(new URL(path, import.meta.url));
const localNode = here('../node_modules/.bin/node');
// Long, because only a failure takes that long, however busy the machine is.
const startDeadline = 60_000;
const stopDeadline = 5_000;

/** The Node that the contestants run on: the repository's own where it is installed. */
export const node = existsSync(localNode) ? localNode : process.execPath;

/** The contestant that all others are compared with. */
export const reference = 'c-epoll';

export const contestants: readonly Contestant[] = [
  inC(reference, 'epoll'),
  inC('c-uring', 'uring'),
  inC('c-threads', 'threads'),
  { name: 'node-net', command: () => [node, here('peers/node-net.ts'), '127.0.0.1', '0'] },
  {
    name: 'asyncio',
    needs: 'python3',
    command: () => ['python3', here('peers/asyncio-protocol.py'), '127.0.0.1', '0'],
  },
  ...['uring', 'epoll', 'poll', 'select', 'generator', 'callback', 'coroutine', 'threaded'].map(
    mondo,
  ),
  { name: 'bare-epoll', isExtra: true, command: () => [node, here('peers/bare-epoll.ts')] },
];

function inC(name: string, program: string): Contestant {
  return { name, needs: 'cc', command: (built) => [join(built, program), '127.0.0.1', '0'] };
}

function mondo(architecture: string): Contestant {
  const options = ['127.0.0.1', '-p', '0', '--log', 'none'];
  return {
    name: `mondo-${architecture}`,
    command: () => [node, here('../bin/mondo'), 'serve', architecture, ...options],
  };
}

/** Compiles the load generator and the C peers into `folder`. */
export function compile(folder: string): void {
  const programs = ['load', 'peers/epoll', 'peers/uring', 'peers/threads'];
  for (const program of programs) {
    const output = join(folder, program.replace('peers/', ''));
    const result = spawnSync(
      'cc',
      ['-O2', '-std=c11', '-pthread', '-o', output, here(`${program}.c`)],
      { encoding: 'utf8' },
    );
    if (result.status !== 0) {
      throw new ContestantError(`Cannot compile bench/${program}.c: ${result.stderr.trim()}`);
    }
  }
}

/** True if the program is installed. */
export function have(program: string): boolean {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

const running = new Set<Running>();

/** Stops all contestants that still run. */
export async function stopAll(): Promise<void> {
  await Promise.all([...running].map((server) => server.stop()));
}

/**
 * Starts a contestant, and returns when it has answered a question. `prefix` is the command that pins
 * it to a core.
 */
export async function start(
  command: readonly string[],
  prefix: readonly string[],
): Promise<Running> {
  const began = performance.now();
  const [program = '', ...args] = [...prefix, ...command];
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  let complaint = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    complaint = (complaint + text).slice(-2000);
  });
  const server: Running = { pid: child.pid ?? 0, port: 0, startup: 0, stop: () => stop(child) };
  running.add(server);
  child.once('exit', () => running.delete(server));
  try {
    server.port = await portOf(child);
    await firstAnswer(server.port);
    server.startup = (performance.now() - began) / 1000;
    return server;
  } catch (error) {
    await stop(child);
    running.delete(server);
    const reason = complaint.trim().split('\n')[0] || (error as Error).message;
    throw new ContestantError(reason, { cause: error });
  }
}

function portOf(child: ChildProcess): Promise<number> {
  return new Promise((resolve, reject) => {
    const giveUp = (reason: string) => reject(new ContestantError(reason));
    const timer = setTimeout(giveUp, startDeadline, 'Said nothing of where it listens').unref();
    let output = '';
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      if (output.length > 65_536) return;
      output += text;
      const port = /127\.0\.0\.1:(\d+)\D/.exec(output)?.[1];
      if (port === undefined) return;
      clearTimeout(timer);
      resolve(Number(port));
    });
    child.once('error', reject);
    child.once('exit', (code, signal) => giveUp(`Ended at once: ${code ?? signal}`));
  });
}

function firstAnswer(port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1', () => socket.write('Simple is better than?'));
    let answer = '';
    socket.setTimeout(startDeadline, () => socket.destroy(new ContestantError('Gave no answer')));
    socket.setEncoding('latin1').on('data', (text: string) => {
      answer += text;
      if (!answer.endsWith('.')) return;
      socket.destroy();
      if (answer === 'Complex.') resolve();
      else reject(new ContestantError(`Gave a wrong answer: ${answer}`));
    });
    socket.once('error', reject);
    socket.once('end', () => reject(new ContestantError('Hung up without an answer')));
  });
}

// Asks first and kills after, and counts on no contestant to take its children along.
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined) return;
  const family = tree(child.pid).map((pid) => ({ pid, started: startOf(pid) }));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGTERM');
    const waiting = new AbortController();
    await Promise.race([
      once(child, 'exit', { signal: waiting.signal }).catch(() => undefined),
      sleep(stopDeadline, undefined, { signal: waiting.signal }).catch(() => undefined),
    ]);
    waiting.abort();
  }
  for (const { pid, started } of family) {
    if (started === undefined || startOf(pid) !== started) continue;
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It ended by itself after all.
    }
  }
}
