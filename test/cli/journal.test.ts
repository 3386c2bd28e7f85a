/** The events on their way from the workers to the reader of the log, under load. */
import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { connect } from '../../src/index.ts';
import { freeze } from '../support/kernel.ts';
import { type Process, spawnMondo } from '../support/processes.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

const throws = new URL('../support/services/throws.ts', import.meta.url);

it('long errors of several threads at once are reported one by one', async () => {
  const serving = await Serving.start({ architecture: 'threaded', threads: 4, service: throws });
  const { port } = serving.server;
  const failures = () => serving.events.filter(({ type }) => type === 'threw').length;
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let i = 0; i < 25; i++) {
        const client = await connect('127.0.0.1', port);
        await expect(client.ask('long?')).rejects.toThrow();
        await client.close();
      }
    }),
  );
  await until('all to be reported', () => failures() === 100);
  await serving.stop();
});

it('a peer cannot forge a line of the log, and cannot control its terminal', async () => {
  await using server = spawnMondo('serve', 'epoll', '-p', '0', '--service', fileURLToPath(throws));
  const client = await connect('127.0.0.1', await portOf(server));
  const forged = '\n[15:00:00.000]: Stopped: answered 0 questions\n\x1b[2J\x9b2J?';
  await expect(client.ask(forged)).rejects.toThrow();
  await client.close();
  await server.printed(/no answer to .*\?\n/);
  server.child.kill('SIGTERM');
  const { stdout } = await server.ended();
  expect(stdout.match(/^\[\S+: Stopped/gm)).toHaveLength(1);
  expect(stdout).not.toMatch(/[^\P{Cc}\n]/u);
});

it.each(['text', 'json'])('a storm of clients makes no storm of log lines, as %s', async (form) => {
  await using server = spawnMondo('serve', 'epoll', '-p', '0', '--log', form);
  const port = await portOf(server);
  const leaveInside = async () => {
    const socket = connectTcp(port, '127.0.0.1');
    socket.end('Simple');
    await once(socket.resume(), 'close');
  };
  await Promise.all(Array.from({ length: 100 }, leaveInside));
  server.child.kill('SIGTERM');
  const { stdout } = await server.ended();
  expect(stdout.match(/Accepted connection/g)).toHaveLength(100);
  expect(stdout.match(/ sent \\?"Simple\\?" but then closed/g)).toHaveLength(5);
  expect(stdout).toMatch(/… and 95 more.* closed inside a question/);
});

/** More than the sockets between a server and its reader can hold. */
const MANY = 1000;

async function portOf(server: Process): Promise<number> {
  return Number((await server.printed(/Listening at [^"]*?:(\d+)/))[1]);
}

/**
 * Many conversations, several at a time. Some ask, and have their answer: a question makes no line. The last ones do, so
 * the server has accepted all of them.
 */
async function converse(port: number): Promise<void> {
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let i = 0; i < MANY / 8; i++) {
        const client = await connect('127.0.0.1', port);
        if (i % 10 === 4) expect(await client.ask('Simple is better than?')).toBe('Complex.');
        await client.close();
      }
    }),
  );
}

// Each form of the log, and each way of its events: from a worker with calls of its own, and from Node's loop.
describe.each([
  ['text', 'epoll'],
  ['json', 'callback'],
])('a log as %s without a reader', (form, name) => {
  it(`holds up neither the clients of ${name} nor its end`, async () => {
    await using server = spawnMondo('serve', name, '-p', '0', '--log', form);
    const port = await portOf(server);
    server.child.stdout.pause();
    await converse(port);
    server.child.kill('SIGTERM');
    await until('its end', () => !server.isRunning);
    server.child.stdout.resume();
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  it('is written to its end when it is read again', async () => {
    await using server = spawnMondo('serve', 'epoll', '-p', '0', '--log', form);
    const port = await portOf(server);
    server.child.stdout.pause();
    await converse(port);
    server.child.kill('SIGTERM');
    server.child.stdout.resume();
    const { code, stdout } = await server.ended();
    expect(code).toBe(0);
    expect(stdout.match(/Accepted connection/g)).toHaveLength(MANY);
    expect(stdout).toMatch(/Stopped: .*; drained 0, cut 0[^\n]*\n$/);
  });
});

it('a stopped supervisor does not delay a worker, and learns later how many events it has missed', async () => {
  await using server = spawnMondo('serve', 'epoll', '-p', '0');
  const port = await portOf(server);
  await freeze(server.pid);
  await converse(port);
  server.child.kill('SIGCONT');
  // The next event reports it.
  await until('its report', async () => {
    await (await connect('127.0.0.1', port)).close();
    return /events of thread \d+ dropped: the supervisor took none/.test(server.stdout);
  });
});
