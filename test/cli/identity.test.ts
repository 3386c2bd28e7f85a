/** As whom workers serve, and whom they start for their clients: only root can be somebody else, and so only root can try. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { spawnMondo } from '../support/processes.ts';
import { until } from '../support/until.ts';

const isRoot = process.getuid?.() === 0;
const QUESTION = 'Simple is better than?';

/** Real, effective, saved and file system's, and the groups besides. */
function idsOf(pid: number) {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name: string) =>
    (new RegExp(`^${name}:[ \\t]*(.*)$`, 'm').exec(status)![1]!.match(/\d+/g) ?? []).map(Number);
  return { users: of('Uid'), groups: of('Gid'), besides: of('Groups') };
}

const four = (id: number) => [id, id, id, id];

describe.skipIf(!isRoot)('workers serve', () => {
  it.each([
    ['epoll', ['--group', '1234'], { user: 0, group: 1234 }],
    ['epoll', ['--user', 'nobody', '--group', '1234'], { user: 65_534, group: 1234 }],
    ['epoll', ['--user', '4321', '--group', '1234'], { user: 4321, group: 1234 }],
    ['threaded', ['--user', 'nobody', '--group', 'daemon'], { user: 65_534, group: 1 }],
    ['prefork', ['--user', 'nobody', '--group', 'daemon'], { user: 65_534, group: 1 }],
    // Whoever is started for a client is nobody else either.
    ['inetd', ['--user', 'nobody', '--group', 'daemon'], { user: 65_534, group: 1 }],
    [
      'socketserver',
      ['--mixin', 'forking', '--user', 'nobody', '--group', 'daemon'],
      { user: 65_534, group: 1 },
    ],
  ] as const)('with %s %j', async (architecture, options, { user, group }) => {
    await using server = spawnMondo('serve', architecture, '-p', '0', ...options);
    const [, port] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
    const address = { family: 'IPv4', host: '127.0.0.1', port: Number(port) } as const;
    const client = await NetClient.connect(address);
    expect(await ask(client, QUESTION, 8)).toBe('Complex.');
    const others = descendantsOf(server.pid);
    expect(others.length).toBeGreaterThan(0);
    for (const pid of others) {
      expect(idsOf(pid)).toEqual({ users: four(user), groups: four(group), besides: [] });
    }
    // The supervisor is who it was: it opens ports, and starts other workers.
    expect(idsOf(server.pid).users).toEqual(four(0));
    await client.close();
    server.child.kill('SIGTERM');
    expect(await server.ended()).toMatchObject({ code: 0, stderr: '' });
  });

  it('as the same somebody after a restart, and after a death', async () => {
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
    await until('it to be somebody', () => idsOf(third).users[0] === 65_534);
    expect(idsOf(third)).toEqual({ users: four(65_534), groups: four(1), besides: [] });
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });
});
