/**
 * Commands that end by themselves, one after the other in one process: the start of a process takes ten times as long
 * as such a command. For tests of what a command says; `runMondo` also shows that the process ends.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll } from 'vitest';
import { type Ended, mondo } from './processes.ts';
import { PATIENCE, within } from './until.ts';

const entry = pathToFileURL(join(dirname(mondo), '..', 'dist', 'bundled', 'main.js')).href;
const runner = join(import.meta.dirname, 'command-runner.mjs');

export interface Commands {
  /** Runs `mondo` with these arguments to its end, after the runs before it. */
  run(...args: string[]): Promise<Ended>;
  /** The same with further variables. */
  runWith(environment: Readonly<Record<string, string>>, ...args: string[]): Promise<Ended>;
}

/**
 * For the tests of the `describe` or file that calls it. A command that does not end fails alone: the next one gets a
 * new process.
 *
 * @param variables of the process, such as NODE_OPTIONS
 */
export function commands(variables: Readonly<Record<string, string>> = {}): Commands {
  let child: ChildProcess | undefined;
  let last: Promise<unknown> = Promise.resolve();

  async function end(): Promise<void> {
    const ending = child;
    child = undefined;
    if (ending === undefined || ending.exitCode !== null || ending.signalCode !== null) return;
    const closed = once(ending, 'close');
    ending.kill('SIGKILL');
    await closed;
  }
  afterAll(end);

  async function started(): Promise<ChildProcess> {
    const starting = fork(runner, [entry], {
      env: { ...process.env, ...variables },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    starting.stderr!.pipe(process.stderr, { end: false });
    await within(PATIENCE, 'the start of the process', once(starting, 'message'));
    return starting;
  }

  async function runNow(
    environment: Readonly<Record<string, string>>,
    words: readonly string[],
  ): Promise<Ended> {
    child ??= await started();
    const what = `mondo ${words.join(' ')}`;
    const stopped = new AbortController();
    const { signal } = stopped;
    const ended = Promise.race([
      once(child, 'message', { signal }).then(([result]) => result as Ended),
      once(child, 'close', { signal }).then(() => {
        throw new Error(`The process of ${what} has ended`);
      }),
    ]);
    child.send({ words, environment });
    try {
      return await within(PATIENCE, `the end of ${what}`, ended);
    } catch (error) {
      await end();
      throw error;
    } finally {
      stopped.abort();
    }
  }

  function runWith(
    environment: Readonly<Record<string, string>>,
    ...words: string[]
  ): Promise<Ended> {
    const ended = last.then(() => runNow(environment, words));
    last = ended.catch(() => {});
    return ended;
  }
  return { run: (...words) => runWith({}, ...words), runWith };
}
