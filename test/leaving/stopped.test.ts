/** The last line of the log: how many connections were answered before they closed, and how many were cut off. */
import { expect, it, vi } from 'vitest';
import { NetClient } from '../support/clients.ts';
import { isReceived } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { flagsOf, isRefused, listeningAt } from '../support/serve-command.ts';
import { pairs } from '../support/serving.ts';
import { FOREVER, inTime, MS, until } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 14 });

const QUESTION = 'Beautiful is better than?';
/** Time to send a server the order to stop before its answer is due. */
const THINK = 2000 * MS;
const portOf = (client: NetClient) => Number(client.peer.split(':').at(-1));

/**
 * The command prints what the server reports, for one or several threads or processes. The numbers of each
 * architecture: stopping.test.ts and closing.test.ts; how restarts change the line: restart.test.ts.
 */
const some = (...names: readonly string[]) =>
  pairs.filter(({ options }) => names.includes(options.architecture!));

/** Stops such a server while one client waits for its answer, and another one is idle. */
async function stopped(words: readonly string[], capacity: number, beat = () => {}) {
  await using server = spawnMondo('serve', '-p', '0', '--think-how', 'defer', ...words);
  const address = await listeningAt(server);
  const asking = await NetClient.connect(address);
  beat();
  await asking.send(QUESTION);
  await until('the question to be received', () => isReceived(address.port, portOf(asking)));
  const resting = capacity > 1 ? await NetClient.connect(address) : undefined;
  server.child.kill('SIGTERM');
  await until('the listener to be closed', () => isRefused(address.port));
  beat();
  const { code, stdout, stderr } = await server.ended();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  // At this point the kernel has everything that the server has sent.
  const answer = await asking.rest();
  expect((await resting?.rest()) ?? '').toBe('');
  for (const client of [asking, resting]) await client?.close();
  return { answer, last: stdout.trimEnd().split('\n').at(-1) };
}

it.concurrent.each(
  some('threaded', 'inetd', 'epoll', 'callback'),
)('$title reports after SIGTERM how many clients were answered first', ({ options, capacity }) =>
  inTime(THINK, async (beat) => {
    const words = [...flagsOf(options), '--think', String(THINK), '--drain', '60m'];
    const { answer, last } = await stopped(words, capacity, beat);
    expect(answer).toBe('Ugly.');
    expect(last).toMatch(
      /Stopped: answered 1 question on \d connections?; drained 1, cut 0($|; connections per worker: )/,
    );
  }));

it.concurrent.each(
  some('single', 'prefork', 'uring'),
)('$title reports after SIGTERM how many clients were cut off when the time was over', async ({
  options,
  capacity,
}) => {
  const { answer, last } = await stopped(
    [...flagsOf(options), '--think', String(FOREVER), '--drain', '200ms'],
    capacity,
  );
  expect(answer).toBe('');
  expect(last).toMatch(
    /Stopped: answered 0 questions on \d connections?; drained 0, cut 1($|; connections per worker: )/,
  );
});
