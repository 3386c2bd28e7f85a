/** Commands that have started a server and then fail: they end, and the server with them. */
import { expect, it } from 'vitest';
import { descendantsOf } from '../support/kernel.ts';
import { isAlive, mondo, Process } from '../support/processes.ts';
import { until } from '../support/until.ts';

/** Runs a command in which a function throws once its server has started. */
const sabotaged = (sabotage: string, ...words: string[]) =>
  new Process(process.execPath, ['--import', `data:text/javascript,${sabotage}`, mondo, ...words]);

/** The command asks about the terminal directly before it waits for Ctrl-C. */
const noTerminal =
  'Object.defineProperty(process.stdout,"isTTY",{get(){throw new Error("no terminal")}})';
/** No other timer has this length. */
const noTimer =
  'const set=setTimeout;globalThis.setTimeout=(f,ms,...rest)=>{if(ms===3333000)throw new Error("no timer");return set(f,ms,...rest)}';

it.concurrent.each([
  ['serve callback', noTerminal, ['serve', 'callback', '-p', '0'], 'no terminal'],
  ['serve epoll', noTerminal, ['serve', 'epoll', '-p', '0'], 'no terminal'],
  ['trace', noTimer, ['trace', 'epoll', '-p', '0', '--seconds', '3333', '--quiet'], 'no timer'],
])('%s that fails once it serves ends with exit code 1 and leaves no worker', async (_, sabotage, words, text) => {
  await using command = sabotaged(sabotage, ...words);
  let workers: number[] = [];
  await until('a worker, or the end', () => {
    workers = [...new Set([...workers, ...descendantsOf(command.pid)])];
    return !command.isRunning;
  });
  const { code, stderr } = await command.ended();
  expect(stderr).toContain(text);
  expect(code).toBe(1);
  expect(workers.filter(isAlive)).toEqual([]);
});
