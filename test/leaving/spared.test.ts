/** Signals, deaths and closed terminals that a server survives, with all of its clients. */
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { isAlive, mondo, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { flagsOf, listeningAt } from '../support/serve-command.ts';
import { pairs, variants } from '../support/serving.ts';
import { until } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 4 });

const BEAUTIFUL = 'Beautiful is better than?';
const UGLY = 'Ugly.';

const familyOf = (pid: number) => [pid, ...descendantsOf(pid)];

/** True if a handler, or ignoring the signal, keeps this process from ending. */
function disposes(pid: number, signal: number): boolean {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return ['SigIgn', 'SigCgt', 'SigBlk'].some((set) => {
    const [, mask] = new RegExp(`^${set}:\\s*([0-9a-f]+)`, 'm').exec(status) ?? [];
    return ((BigInt(`0x${mask}`) >> BigInt(signal - 1)) & 1n) === 1n;
  });
}
const SIGUSR2 = 12;

describe.concurrent('SIGUSR1 and SIGUSR2 to every process', () => {
  it.each([
    ...pairs,
    ...variants.filter(({ options }) => options.mixin === 'forking' || options.inetd === 'wait'),
  ])('of $title lose no client and open no debugger', async ({ options, capacity }) => {
    await using server = spawnMondo('serve', ...flagsOf(options), '-p', '0');
    const address = await listeningAt(server);
    const count = Math.min(3, capacity);
    const clients = [];
    for (let i = 0; i < count; i++) {
      const client = await NetClient.connect(address);
      expect(await ask(client, BEAUTIFUL, UGLY.length)).toBe(UGLY);
      clients.push(client);
    }
    // A process that is just starting has no client yet.
    await until('all processes to handle it', () =>
      familyOf(server.pid).every((pid) => disposes(pid, SIGUSR2)),
    );
    const family = familyOf(server.pid);
    for (const signal of ['SIGUSR2', 'SIGUSR1'] as const) {
      // A process that was kept ready may have ended, because there are more of them than clients.
      for (const pid of family.filter(isAlive)) process.kill(pid, signal);
    }
    for (const client of clients) {
      expect(await ask(client, BEAUTIFUL, UGLY.length)).toBe(UGLY);
      await client.close();
    }
    expect(family.slice(0, 2).filter(isAlive)).toEqual(family.slice(0, 2));
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toMatch(/died/);
  });
});

describe.concurrent('a server that is starting', () => {
  it.each([
    'SIGHUP',
    'SIGUSR1',
    'SIGUSR2',
  ] as const)('serves after %s to all its group', async (signal) => {
    await using server = spawnMondo('serve', 'prefork', '-p', '0');
    // Workers that have no handlers yet.
    await until('a worker', () => descendantsOf(server.pid).length > 0);
    server.signalGroup(signal);
    const address = await listeningAt(server);
    const client = await NetClient.connect(address);
    expect(await ask(client, BEAUTIFUL, UGLY.length)).toBe(UGLY);
    await client.close();
  });

  it('replaces a worker that is killed, and keeps the clients of the others', async () => {
    const service = fileURLToPath(new URL('../support/services/slow-to-load.ts', import.meta.url));
    await using server = spawnMondo('serve', 'prefork', '-p', '0', '--service', service);
    const workers = await until('all workers', () => {
      const found = descendantsOf(server.pid);
      return found.length >= 2 && found;
    });
    process.kill(workers.at(-1)!, 'SIGKILL');
    const address = await listeningAt(server);
    expect(server.isRunning).toBe(true);
    await server.printed(
      /Worker \d+ \(pid \d+\) died: SIGKILL, with 0 connections; starting another/,
    );
    const client = await NetClient.connect(address);
    expect(await ask(client, 'Who?', 5)).toBe('Who?!');
    await client.close();
  });

  it('gives up if the same worker is killed again and again', async () => {
    const service = fileURLToPath(new URL('../support/services/slow-to-load.ts', import.meta.url));
    await using server = spawnMondo('serve', 'epoll', '-p', '0', '--service', service);
    await until('the end', () => {
      for (const pid of descendantsOf(server.pid)) process.kill(pid, 'SIGKILL');
      return !server.isRunning;
    });
    const { code, stderr } = await server.ended();
    expect({ code, stderr }).toEqual({
      code: 1,
      stderr: 'mondo: Cannot start a worker: it ended with SIGKILL\n',
    });
  });
});

/** Starts the command on a terminal of its own, prints its output, and closes the terminal at the end of input. */
const TERMINAL = `
import os, pty, sys
how, *words = sys.argv[1:]
master, slave = os.openpty()
child = os.fork()
if child == 0:
    os.setsid()
    if how == 'foreground':
        os.close(os.open(os.ttyname(slave), os.O_RDWR))
    for fd in (0, 1, 2): os.dup2(slave, fd)
    os.closerange(3, 256)
    os.execv(words[0], words)
os.close(slave)
print('pid', child, flush=True)
text = b''
while b'Listening at' not in text or not text.endswith(b'\\n'):
    text += os.read(master, 4096)
sys.stdout.write(text.decode()); sys.stdout.flush()
sys.stdin.read()
os.close(master)
if how == 'foreground': print('status', os.waitpid(child, 0)[1], flush=True)
`;

describe.runIf(hasProgram('python3', 'python3'))('a server whose terminal goes away', () => {
  it.each(['background', 'foreground'])('in the %s', async (how) => {
    const words = ['-c', TERMINAL, how, process.execPath, mondo, 'serve', 'epoll', '-p', '0'];
    const python = spawn('python3', words, { stdio: ['pipe', 'pipe', 'inherit'] });
    let text = '';
    python.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
    const [, pid, port] = await until('it to listen', () =>
      /pid (\d+)[\s\S]*Listening at 127\.0\.0\.1:(\d+)/.exec(text),
    );
    const server = Number(pid);
    try {
      const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
      const client = await NetClient.connect(address);
      expect(await ask(client, BEAUTIFUL, UGLY.length)).toBe(UGLY);
      python.stdin.end();
      if (how === 'foreground') {
        await until('its end', () => text.includes('status '));
        expect(await client.rest()).toBe('');
        await client.close();
        return;
      }
      await until('the terminal to be gone', () => python.exitCode !== null);
      // Each client makes lines in the log, which no process can read any more.
      for (let i = 0; i < 3; i++) {
        const another = await NetClient.connect(address);
        expect(await ask(another, BEAUTIFUL, UGLY.length)).toBe(UGLY);
        await another.close();
      }
      const workers = descendantsOf(server);
      process.kill(server, 'SIGHUP');
      await until('a restart', () => descendantsOf(server).some((one) => !workers.includes(one)));
      expect(await ask(client, BEAUTIFUL, UGLY.length)).toBe(UGLY);
      await client.close();
    } finally {
      if (isAlive(server)) process.kill(server, 'SIGKILL');
      python.kill('SIGKILL');
    }
  });
});
