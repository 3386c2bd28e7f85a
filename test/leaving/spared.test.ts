/** Signals, deaths and closed terminals that a server survives, with all of its clients. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, vi } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { isAlive, mondo, spawnMondo } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { listeningAt } from '../support/serve-command.ts';
import { until } from '../support/until.ts';

vi.setConfig({ maxConcurrency: 4 });

const BEAUTIFUL = 'Beautiful is better than?';
const UGLY = 'Ugly.';

describe.concurrent('a server that is starting', () => {
  it.each([
    'SIGHUP',
    'SIGUSR1',
    'SIGUSR2',
  ] as const)('serves after %s to all its group', async (signal) => {
    await using server = spawnMondo('serve', 'prefork', '-p', '0', '--processes', '2');
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
    await using server = spawnMondo(
      'serve',
      'prefork',
      '-p',
      '0',
      '--processes',
      '2',
      '--service',
      service,
    );
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
      for (const pid of descendantsOf(server.pid)) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {
          // It has ended since the look.
        }
      }
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
