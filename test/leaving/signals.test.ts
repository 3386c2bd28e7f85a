/** `mondo serve` and signals: those that end it, and those that it survives with all of its clients. */
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { describe, expect, it } from 'vitest';
import type { SocketAddress } from '../../src/os/address.ts';
import { NetClient } from '../support/clients.ts';
import { descendantsOf, isReceived } from '../support/kernel.ts';
import { isAlive, spawnMondo } from '../support/processes.ts';
import { isRefused, listeningAt } from '../support/serve-command.ts';
import { distinct, pairs, Serving, variants } from '../support/serving.ts';
import { FOREVER, inTime, MS, until } from '../support/until.ts';

const BEAUTIFUL = 'Beautiful is better than?';
/** Time for a signal to come before the answer. */
const THINK = 1000 * MS;

const UGLY = 'Ugly.';

/** True if a handler, or ignoring the signal, keeps this process from ending. */
function disposes(pid: number, signal: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return ['SigIgn', 'SigCgt', 'SigBlk'].some((set) => {
    const [, mask] = new RegExp(`^${set}:\\s*([0-9a-f]+)`, 'm').exec(status) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
  });
}
const SIGUSR2 = 12;

/** Sends these processes a signal, if they still run: one that was kept ready may have ended. */
const signal = (pids: readonly number[], name: NodeJS.Signals) => {
  for (const pid of pids.filter(isAlive)) process.kill(pid, name);
};

const received = (port: number, client: NetClient) =>
  until('the question to be received', () => isReceived(port, Number(client.peer.split(':')[1])));

/** Two clients at most that wait for their answers. */
async function waiting(address: SocketAddress & { port: number }, capacity: number) {
  const clients: NetClient[] = [];
  for (let i = 0; i < Math.min(2, capacity); i++) clients.push(await NetClient.connect(address));
  for (const client of clients) await client.send(BEAUTIFUL);
  for (const client of clients) await received(address.port, client);
  return clients;
}

/**
 * Its processes get SIGUSR2 and SIGUSR1 while two clients wait, and SIGTERM, as systemd sends it, while one waits.
 *
 * @param family all processes of the server
 * @param stop what ends the server at the same time as SIGTERM
 */
async function expectSpared(
  address: SocketAddress & { port: number },
  capacity: number,
  { family, stop }: { family: () => number[]; stop: () => void },
  beat: () => void,
): Promise<void> {
  const clients = await waiting(address, capacity);
  // A process that is just starting has no client yet.
  await until('all processes to handle it', () => family().every((pid) => disposes(pid, SIGUSR2)));
  const all = family();
  signal(all, 'SIGUSR2');
  signal(all, 'SIGUSR1');
  for (const client of clients) expect(await client.receive(UGLY.length)).toBe(UGLY);
  expect(isAlive(all[0]!)).toBe(true);
  const [asking, ...others] = clients;
  for (const client of others) await client.close();
  beat();
  await asking!.send(BEAUTIFUL);
  await received(address.port, asking!);
  signal(family().reverse(), 'SIGTERM');
  stop();
  await until('the listener to be closed', () => isRefused(address.port));
  beat();
  expect(await asking!.rest()).toBe(UGLY);
  await asking!.close();
  beat();
}

describe.concurrent('SIGUSR1, SIGUSR2 and SIGTERM to each process', () => {
  it.each([
    ...distinct,
    // It has several workers.
    ...pairs.filter(({ title }) => title.startsWith('prefork')),
    // Their clients have processes of their own.
    ...variants.filter(({ options }) => options.mixin === 'forking' || options.inetd === 'wait'),
  ])('of $title lose no client and open no debugger', ({ options, capacity }) =>
    inTime(THINK, async (beat) => {
      const serving = await Serving.start({ ...options, think: THINK, thinkHow: 'defer' });
      const { server } = serving;
      const address = { family: 'IPv4', host: '127.0.0.1', port: server.port } as const;
      let closed: Promise<void> | undefined;
      const stop = () => {
        closed = server.close();
      };
      await expectSpared(address, capacity, { family: () => serving.processes, stop }, beat);
      await closed;
      beat();
      expect(serving.events.at(-1)).toMatchObject({ type: 'stopped', drained: 1, cut: 0 });
      expect(serving.events.map(({ type }) => type)).not.toContain('died');
    }));
});

describe.concurrent('mondo serve', () => {
  it.each([
    'threaded',
    'inetd',
  ])('%s loses no client and opens no debugger, and drains, after the same signals', (architecture) =>
    inTime(THINK, async (beat) => {
      const think = ['--think', `${THINK}`, '--think-how', 'defer', '--drain', '60m'];
      await using server = spawnMondo('serve', architecture, '-p', '0', ...think);
      const address = await listeningAt(server);
      const family = () => [server.pid, ...descendantsOf(server.pid)];
      await expectSpared(address, 2, { family, stop: () => {} }, beat);
      const { code, stdout, stderr } = await server.ended();
      beat();
      expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
      expect(stdout).toMatch(/Stopped: .*; drained 1, cut 0/);
      expect(stdout).not.toMatch(/ died/);
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
  ])('%j fails in one line', async (words, code, text) => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0', ...words);
    const ended = await server.ended();
    expect(ended.code).toBe(code);
    expect(ended.stderr).toContain(text);
    expect(ended.stderr.trimEnd().split('\n')).toHaveLength(1);
  });
});
