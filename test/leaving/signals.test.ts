/** `mondo serve` and signals that end it. */
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import { NetClient } from '../support/clients.ts';
import { descendantsOf, isReceived } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { flagsOf, isRefused, listeningAt } from '../support/serve-command.ts';
import { variants } from '../support/serving.ts';
import { FOREVER, inTime, MS, until } from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';
/** Time for a signal to come before the answer. */
const THINK = 2000 * MS;

describe.concurrent('mondo serve', () => {
  it.each(
    variants.filter(({ options }) => options.reuseport !== true),
  )('$title drains if SIGTERM goes to each of its processes, as systemd sends it', ({ options }) =>
    inTime(THINK, async (beat) => {
      const think = ['--think', `${THINK}`, '--think-how', 'defer', '--drain', '60m'];
      await using server = spawnMondo('serve', ...flagsOf(options), '-p', '0', ...think);
      const address = await listeningAt(server);
      const client = await NetClient.connect(address);
      beat();
      await client.send(BEAUTIFUL);
      await until('the question to be received', () =>
        isReceived(address.port, Number(client.peer.split(':')[1])),
      );
      for (const pid of [...descendantsOf(server.pid).reverse(), server.pid]) {
        process.kill(pid, 'SIGTERM');
      }
      await until('the listener to be closed', () => isRefused(address.port));
      beat();
      expect(await client.rest()).toBe('Ugly.');
      await client.close();
      expect((await server.ended()).stdout).toMatch(/Stopped: .*; drained 1, cut 0/);
      beat();
    }));

  it('ends at once after a second signal, and reports how many were cut off', async () => {
    const options = ['--think', String(FOREVER), '--think-how', 'defer', '--drain', '60m'];
    await using server = spawnMondo('serve', 'epoll', '-p', '0', ...options);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const socket = connect(Number(port), '127.0.0.1').on('error', () => {});
    socket.write(BEAUTIFUL);
    await server.printed(/Accepted/);
    server.child.kill('SIGTERM');
    // The same signal again at the same moment: npm makes this of one Ctrl-C.
    server.child.kill('SIGTERM');
    await until('the listener to be closed', () => isRefused(Number(port)));
    await until('the second signal to be another', () => {
      if (server.isRunning) server.child.kill('SIGTERM');
      return !server.isRunning;
    });
    expect((await server.ended()).stdout).toMatch(/Stopped: .*; drained 0, cut 1\n$/);
    socket.destroy();
  });

  it.each([
    [['--user', 'no such user'], 2, 'no user "no such user"'],
    [['--group', 'no such group'], 2, 'no group "no such group"'],
    [['--drain', 'soon'], 2, 'give a time such as'],
  ])('%j fails in one line', async (words, code, text) => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0', ...words);
    const ended = await server.ended();
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(text);
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
