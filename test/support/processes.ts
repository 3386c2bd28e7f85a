/** The command as users run it: a process, its output line by line, its end, and what it leaves behind. */
import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { SAME_SIGNAL } from '../../src/cli/interrupt.ts';
import { PATIENCE, until, within } from './until.ts';

export { descendantsOf } from './kernel.ts';

/** The command as it is built for the tests; `built.ts`. */
export const mondo = join(process.env.MONDO_TEST_BUILT!, 'bin', 'mondo');

/** The command that runs the source as it is. */
export const checkout = join(import.meta.dirname, '..', '..', 'bin', 'mondo');

/**
 * The beginning of a folder's name, with characters that are special in a URL, a shell, NODE_OPTIONS, or not ASCII.
 */
export const ODD_NAME = `mondo odd %41#x?y&é'"\n$-`;

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export class Process implements AsyncDisposable {
  readonly child: ChildProcessByStdio<null, Readable, Readable>;
  stdout = '';
  stderr = '';
  readonly #closed: Promise<unknown>;

  /** @param inherited its descriptors from 3 on */
  constructor(file: string, args: readonly string[], inherited: readonly number[] = []) {
    // A group of its own: a signal to the group has the effect of Ctrl-C in a terminal.
    this.child = spawn(file, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...inherited],
      detached: true,
    }) as typeof this.child;
    this.child.stdout.setEncoding('utf8').on('data', (text: string) => (this.stdout += text));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => (this.stderr += text));
    this.#closed = once(this.child, 'close');
  }

  get pid(): number {
    return this.child.pid!;
  }

  /** The first match of `pattern` in its output so far, or in later output. */
  printed(pattern: RegExp): Promise<RegExpExecArray> {
    return until(`${pattern} in "${this.stdout}${this.stderr}"`, () => {
      const match = pattern.exec(this.stdout);
      if (match !== null) return match;
      if (!this.isRunning) throw new Error(`It ended: ${this.stdout}${this.stderr}`);
      return undefined;
    });
  }

  get isRunning(): boolean {
    return this.child.exitCode === null && this.child.signalCode === null;
  }

  /** Waits for its end, by itself or after a signal. */
  async ended(deadline = PATIENCE): Promise<Ended> {
    await within(deadline, `the end of process ${this.pid}`, this.#closed);
    return { code: this.child.exitCode, stdout: this.stdout, stderr: this.stderr };
  }

  /** Sends a signal to the process and all its children, as a terminal does. */
  signalGroup(signal: NodeJS.Signals): void {
    process.kill(-this.pid, signal);
  }

  /** Ends it if it still runs, and all its children: a process that strace follows outlives strace. */
  async [Symbol.asyncDispose](): Promise<void> {
    try {
      if (this.isRunning) this.signalGroup('SIGKILL');
    } catch (error) {
      // It has just ended, and Node has not said so yet.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await this.#closed;
  }
}

/** Starts `mondo` with these arguments; `mondo trace`, which shows the source, from the checkout. */
export const spawnMondo = (...args: string[]) =>
  new Process(process.execPath, [args[0] === 'trace' ? checkout : mondo, ...args]);

/** Runs `mondo` with these arguments to its end. */
export async function runMondo(...args: string[]): Promise<Ended> {
  await using process = spawnMondo(...args);
  return await process.ended();
}

/** Resolves when the command no longer treats a signal as a repetition of the one sent before this call. */
export function untilAnotherSignal(): Promise<unknown> {
  const sentAt = performance.now();
  return until('a signal to be another one', () => performance.now() - sentAt > 1.5 * SAME_SIGNAL);
}

/** True if the process exists and is not a zombie, which only waits for its parent. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
