/**
 * The user of the workers, and of the processes they start for clients. Only root can change the user, so only root
 * can run these tests.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { serve } from '../../src/index.ts';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { until } from '../support/until.ts';

const isRoot = process.getuid?.() === 0;
const QUESTION = 'Simple is better than?';
const BEAUTIFUL = 'Beautiful is better than?';

/** Real, effective, saved and file-system ids, and the supplementary groups. */
function idsOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) =>
    (new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)![1]!.match(/\d+/g) ?? []).map(Number);
  return { users: of('Uid'), groups: of('Gid'), besides: of('Groups') };
}

const four = (id: number) => [id, id, id, id];

describe.skipIf(!isRoot)('workers serve', { concurrent: true }, () => {
  it.each([
    ['epoll', ['--group', '1234'], { user: 0, group: 1234 }],
    ['epoll', ['--user', '4321', '--group', '1234'], { user: 4321, group: 1234 }],
    [
      'prefork',
      ['--processes', '2', '--user', 'nobody', '--group', 'daemon'],
      { user: 65_534, group: 1 },
    ],
    // The processes that are started for clients run as the same user.
    ['inetd', ['--user', 'nobody', '--group', 'daemon'], { user: 65_534, group: 1 }],
    [
      'socketserver',
      ['--mixin', 'forking', '--user', 'nobody', '--group', 'daemon'],
      { user: 65_534, group: 1 },
    ],
  ] as const)('with %s %j', async (architecture, options, { user, group }) => {
    await using server = spawnMondo('serve', architecture, '-p', '0', ...options);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    // Root is warned if it gave no user.
    if (user === 0) await server.printed(/Serving as root/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const client = await NetClient.connect(address);
    expect(await ask(client, QUESTION, 8)).toBe('Complex.');
    const others = descendantsOf(server.pid);
    expect(others.length).toBeGreaterThan(0);
    for (const pid of others) {
      expect(idsOf(pid)).toEqual({ users: four(user), groups: four(group), besides: [] });
    }
    // The supervisor keeps its user: it opens ports, and starts other workers.
    expect(idsOf(server.pid).users).toEqual(four(0));
    await client.close();
    server.child.kill('SIGTERM');
    const ended = await server.ended();
    expect(ended).toMatchObject({ code: 0, stderr: '' });
    expect(/Serving as root/.test(ended.stdout)).toBe(user === 0);
  });

  it('as the same user after a restart, and after a death', async () => {
    const options = ['--user', 'nobody', '--group', 'daemon'];
    await using server = spawnMondo('serve', 'epoll', '-p', '0', ...options);
    await server.printed(/Listening at/);
    const [first] = descendantsOf(server.pid);
    server.child.kill('SIGHUP');
    await server.printed(/Restarted/);
    const second = await until('the new worker to be alone', () => {
      const now = descendantsOf(server.pid);
      return now.length === 1 && now[0] !== first && now[0];
    });
    expect(idsOf(second)).toEqual({ users: four(65_534), groups: four(1), besides: [] });
    process.kill(second, 'SIGKILL');
    const third = await until('another in its place', () => {
      const now = descendantsOf(server.pid);
      return now.length === 1 && now[0] !== second && now[0];
    });
    await until('it to have changed its user', () => idsOf(third).users[0] === 65_534);
    expect(idsOf(third)).toEqual({ users: four(65_534), groups: four(1), besides: [] });
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });
});

describe('mondo serve', () => {
  it.skipIf(process.getuid?.() !== 0)('--user serves as another user than root', async () => {
    const port = 1023;
    const pair = ['--processes', '2'];
    await using server = spawnMondo(
      ...['serve', 'prefork', '-p', String(port), '--user', 'nobody', ...pair],
    );
    await server.printed(/Listening at 127\.0\.0\.1:1023/);
    expect(server.stdout).not.toMatch(/Serving as root/);
    const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port });
    expect(await ask(client, BEAUTIFUL, 5)).toBe('Ugly.');
    const workers = readFileSync(`/proc/${server.pid}/task/${server.pid}/children`, 'utf8')
      .trim()
      .split(' ');
    expect(workers).toHaveLength(2);
    for (const pid of workers) {
      expect(readFileSync(`/proc/${pid}/status`, 'utf8')).toMatch(/^Uid:\t65534\t65534\t65534/m);
    }
    await client.close();
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  describe.skipIf(process.getuid?.() !== 0)('warns root if it gave no user', () => {
    it('without a log on standard error', async () => {
      await using server = spawnMondo('serve', 'epoll', '-p', '0', '--log', 'none');
      await server.printed(/Listening/);
      server.child.kill('SIGTERM');
      expect((await server.ended()).stderr).toMatch(/^mondo: Serving as root: [^\n]+\n$/);
    });

    it.each([
      ['its workers', {}],
      ['its own process', { service: { delimiter: '?', answer: () => 'Yes.' } }],
    ])('as an event of the library, serving in %s', async (_, options) => {
      const events: ServerEvent[] = [];
      const server = await serve({ architecture: 'callback', port: 0, ...options }, (event) =>
        events.push(event),
      );
      await server.close();
      expect(events.map(({ type }) => type)).toEqual(['listening', 'warning', 'stopped']);
      expect(events[1]).toMatchObject({ text: expect.stringContaining('Serving as root') });
    });

    it('as a warning of Node, once, without a listener for events', async () => {
      const warnings: Error[] = [];
      const hear = (warning: Error) => void warnings.push(warning);
      process.on('warning', hear);
      try {
        for (let i = 0; i < 2; i++) {
          await (await serve({ architecture: 'callback', port: 0 })).close();
        }
        await until('a warning', () => warnings.length > 0);
      } finally {
        process.off('warning', hear);
      }
      expect(warnings).toEqual([expect.objectContaining({ code: 'MONDO_ROOT' })]);
    });

    it('but not if it gave a user', async () => {
      const events: ServerEvent[] = [];
      const options = { architecture: 'callback', port: 0, user: 'root' };
      const server = await serve(options, (event) => events.push(event));
      await server.close();
      expect(events.map(({ type }) => type)).toEqual(['listening', 'stopped']);
    });
  });

  it('changes no user in the process of a service that is an object', async () => {
    const service = { delimiter: '?', answer: () => 'Yes.' };
    await expect(serve({ port: 0, user: 'nobody', service })).rejects.toThrow(
      /^Cannot serve in this process as user "nobody": /,
    );
  });
});
