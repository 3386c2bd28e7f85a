/** A server has everything that it announces: rings, threads and processes, also as another user. */
import { describe, expect, it } from 'vitest';
import { whyNoUring } from '../../src/os/uring.ts';
import { ask, NetClient } from '../support/clients.ts';
import { mondo, Process } from '../support/processes.ts';
import { hasProgram } from '../support/programs.ts';
import { TasksCgroup } from '../support/tasks-cgroup.ts';
import { until } from '../support/until.ts';

const isRoot = process.geteuid?.() === 0;
/** The user of the last process. `ulimit` counts all processes of a user, so each one has its own. */
let user = 20_000 + (process.pid % 400) * 100;
/** An ordinary user: its rings count against `ulimit -l`, and root's do not. */
const asUser = (): string[] => [
  `--reuid=${++user}`,
  `--regid=${user}`,
  '--clear-groups',
  '--inh-caps=-all',
  'env',
  'HOME=/nonexistent',
];

/** Runs `mondo` as an ordinary user after a command of the shell that sets limits. */
const limited = (limit: string, ...args: string[]) =>
  new Process('setpriv', [
    ...asUser(),
    'bash',
    '-c',
    `${limit}; exec "$0" "$@"`,
    process.execPath,
    mondo,
    ...args,
  ]);

const addressOf = async (server: Process) => {
  const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  return { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
};

async function expectAnswer(address: Awaited<ReturnType<typeof addressOf>>): Promise<void> {
  const client = await NetClient.connect(address);
  expect(await ask(client, 'Beautiful is better than?', 5)).toBe('Ugly.');
  await client.close();
}

describe.runIf(isRoot && hasProgram('setpriv', 'util-linux'))('as a user with little', () => {
  describe.runIf(whyNoUring() === undefined)('memory for rings', () => {
    it('serves with epoll, and says why', async () => {
      await using server = limited('ulimit -l 256', 'serve', '-p', '0');
      const address = await addressOf(server);
      expect(server.stdout).toMatch(/Serving with epoll: .*no memory for its rings \(ulimit -l\)/);
      await expectAnswer(address);
      server.child.kill('SIGTERM');
      expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    });

    it('does not serve with uring, and says why in one line', async () => {
      await using server = limited('ulimit -l 256', 'serve', 'uring', '-p', '0');
      expect(await server.ended()).toEqual({
        code: 1,
        stdout: '',
        stderr:
          'mondo: Cannot serve with io_uring: there is no memory for its rings (ulimit -l); the next fastest architecture is epoll\n',
      });
    });

    it('loads with epoll', async () => {
      await using server = limited('true', 'serve', 'epoll', '-p', '0');
      const { port } = await addressOf(server);
      await using load = limited(
        'ulimit -l 256',
        'load',
        '127.0.0.1',
        '-p',
        String(port),
        ...['-c', '2', '--duration', '200ms', '--think', '5ms'],
        '--json',
        '--quiet',
      );
      // Its exit code depends on the load of this machine.
      const { stdout } = await load.ended();
      expect(JSON.parse(stdout)).toMatchObject({ environment: { engine: 'epoll' } });
    });

    it('a restart without enough memory fails, and the old workers continue to serve', async () => {
      await using server = limited(
        'ulimit -l 1536',
        'serve',
        'uring',
        '-p',
        '0',
        '--processes',
        '2',
      );
      const address = await addressOf(server);
      server.child.kill('SIGHUP');
      await server.printed(/Cannot restart, the old workers continue to serve: .*\(ulimit -l\)/);
      await expectAnswer(address);
      expect(server.stdout).not.toContain('Restarted');
      server.child.kill('SIGTERM');
      expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
    });
  });

  it.each([
    ['threads', 'threaded', '--threads', '60'],
    ['processes', 'prefork', '--processes', '20'],
  ])('without room for %s, one line gives the limit and the fix', async (_, ...words) => {
    await using server = limited('ulimit -u 40', 'serve', '-p', '0', ...words);
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^mondo: Cannot [^\n]*ulimit -u of 40[^\n]*\(ulimit -u, pids\.max\)[^\n]*\n$/,
    );
  });
});

const NAME = `mondo-test-${process.pid}`;
const hasTasks = await TasksCgroup.make(NAME)
  ?.[Symbol.asyncDispose]()
  .then(() => true);
if (hasTasks !== true) console.log('No test with pids.max: run as root where cgroups are writable');

describe.runIf(hasTasks)('where a cgroup has room for few processes and threads', () => {
  // For threads, for processes, and for both.
  it.each([
    'threaded --threads 40',
    'prefork --processes 40',
    'epoll --threads 20 --processes 2',
  ])('%s gives the limit and the fix in one line', async (words) => {
    await using group = TasksCgroup.make(NAME)!;
    group.allow(30);
    await using server = group.run('serve', '-p', '0', ...words.split(' '));
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      /^mondo: Cannot start a worker: \d+ processes and threads are needed, and pids\.max of 30 leaves \d+; allow more [^\n]*\n$/,
    );
  });

  it.each([
    'inetd',
    'inetd --inetd wait',
    'socketserver --mixin forking',
    'socketserver',
  ])('%s answers all clients of a crowd, one after the other', async (words) => {
    await using group = TasksCgroup.make(NAME)!;
    await using server = group.run('serve', '-p', '0', ...words.split(' '));
    const address = await addressOf(server);
    await expectAnswer(address);
    // There is no room for one more process, but for a thread there is.
    group.allow(group.current + 3);
    await Promise.all(Array.from({ length: 6 }, () => expectAnswer(address)));
    server.child.kill('SIGTERM');
    const { code, stdout, stderr } = await server.ended();
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toMatch(/ died/);
  });

  it('inetd reports that it cannot start a process, and serves once there is room', async () => {
    await using group = TasksCgroup.make(NAME)!;
    await using server = group.run('serve', 'inetd', '-p', '0', '--process-cache', '0');
    const address = await addressOf(server);
    const most = group.current + 3;
    group.allow(most);
    const answered = expectAnswer(address);
    await server.printed(
      new RegExp(
        `Cannot start a process for now: pids.max of ${most} has no room for its threads; trying again`,
      ),
    );
    group.allow(1000);
    await answered;
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  it('a restart without enough room fails, and the old workers continue to serve', async () => {
    await using group = TasksCgroup.make(NAME)!;
    await using server = group.run('serve', 'epoll', '-p', '0');
    const address = await addressOf(server);
    group.allow(group.current + 3);
    server.child.kill('SIGHUP');
    await server.printed(
      /Cannot restart, the old workers continue to serve: .* pids\.max of \d+ leaves 3/,
    );
    await expectAnswer(address);
    group.allow(1000);
    server.child.kill('SIGHUP');
    await server.printed(/Restarted/);
    await until('an answer of the new worker', () => expectAnswer(address).then(() => true));
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
  });
});
