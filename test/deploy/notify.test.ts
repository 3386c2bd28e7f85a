/** What a server reports to its service manager, as datagrams that the manager receives. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { serve } from '../../src/index.ts';
import { close, localAddress, openListener } from '../../src/os/socket.ts';
import { spawnManaged } from '../support/activated.ts';
import { ask, NetClient } from '../support/clients.ts';
import { descendantsOf } from '../support/kernel.ts';
import { NotifyRecorder } from '../support/notify-recorder.ts';
import { listeningAt } from '../support/serve-command.ts';
import { steady, until } from '../support/until.ts';

const folder = mkdtempSync(join(tmpdir(), 'mondo-notified-'));
afterAll(() => rmSync(folder, { recursive: true }));

const good = `export default { delimiter: '?', answer: () => 'one.' };`;
/** Answers at once, or after an hour that blocks its thread. */
const slow = `export default { delimiter: '?', answer: (question) => {
  if (question === 'Wait?') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 3_600_000);
  return 'one.';
} };`;
function serviceFile(name: string, text: string): string {
  const file = join(folder, `${name}.mjs`);
  writeFileSync(file, text);
  return file;
}

const managed = (manager: NotifyRecorder, args: readonly string[], more = {}) =>
  spawnManaged([], ['serve', ...args, '-p', '0'], { NOTIFY_SOCKET: manager.name, ...more });

describe('a server reports', () => {
  it('that it is ready once all workers serve, and its end', async () => {
    using manager = new NotifyRecorder();
    // Each worker waits for the one before it: the last one serves long after the first.
    const service = serviceFile(
      'late',
      `import { openSync } from 'node:fs';
const number = [1, 2, 3].find((n) => { try { openSync('${folder}/late-' + n, 'wx'); return true; } catch {} });
await new Promise((load) => setTimeout(load, 150 * number));
${good}`,
    );
    await using server = managed(manager, ['prefork', '--processes', '3', '--service', service]);
    const ready = await manager.has('READY');
    expect(ready.fields).toEqual({
      READY: '1',
      STATUS: 'serving prefork, 3 workers, 0 connections',
    });
    const address = await listeningAt(server);
    const client = await NetClient.connect(address);
    expect(await ask(client, 'Which?', 4)).toBe('one.');
    await until('the connection to be reported', () =>
      manager.having('STATUS').some(({ fields }) => / 1 connection$/.test(fields.STATUS!)),
    );
    await client.close();
    server.child.kill('SIGTERM');
    await server.ended();
    const { fields } = await manager.has('STOPPING');
    expect(fields).toMatchObject({ STOPPING: '1', EXTEND_TIMEOUT_USEC: '10000000' });
    expect(manager.story).toEqual(['READY', 'STOPPING EXTEND_TIMEOUT_USEC']);
  });

  it('restarts with their time, those that fail too', async () => {
    using manager = new NotifyRecorder(true);
    const service = serviceFile('changing', good);
    await using server = managed(manager, ['epoll', '--drain', '1s', '--service', service]);
    await manager.has('READY');
    const before = process.hrtime.bigint() / 1000n;
    server.child.kill('SIGHUP');
    const { fields } = await manager.has('RELOADING');
    const time = BigInt(fields.MONOTONIC_USEC!);
    expect(time).toBeGreaterThanOrEqual(before);
    expect(time).toBeLessThanOrEqual(process.hrtime.bigint() / 1000n);
    expect((await manager.has('READY', 2)).fields.STATUS).toMatch(/^serving epoll, \d workers?, /);
    writeFileSync(service, 'export default {');
    server.child.kill('SIGHUP');
    const failed = await manager.has('READY', 3);
    expect(failed.fields.STATUS).toMatch(
      /^serving epoll, .*; the last restart failed: .*changing\.mjs/,
    );
    expect(manager.story).toEqual([
      'READY',
      ...['RELOADING MONOTONIC_USEC', 'READY'],
      ...['RELOADING MONOTONIC_USEC', 'READY'],
    ]);
    server.child.kill('SIGTERM');
    await server.ended();
    await manager.has('STOPPING');
    // A drain of a second needs no more time than systemd gives.
    expect(manager.story.at(-1)).toBe('STOPPING');
  });

  it('that it cannot start, with the number of the error', async () => {
    using manager = new NotifyRecorder();
    const taken = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1 });
    const address = localAddress(taken);
    const port = address.family === 'unix' ? 0 : address.port;
    const run = async (...args: string[]) => {
      const command = ['serve', 'epoll', ...args];
      await using server = spawnManaged([], command, { NOTIFY_SOCKET: manager.name });
      return (await server.ended()).code;
    };
    expect(await run('-p', String(port))).toBe(1);
    const first = await manager.has('ERRNO');
    expect(first.fields).toEqual({
      ERRNO: String(constants.errno.EADDRINUSE),
      STATUS: expect.stringMatching(/^Cannot listen at 127\.0\.0\.1:\d+: port \d+ is in use;/),
    });
    expect(await run('--threads', '0')).toBe(2);
    const second = await manager.has('ERRNO', 2);
    expect(second.fields.ERRNO).toBe(String(constants.errno.EINVAL));
    expect(manager.having('READY')).toEqual([]);
    close(taken);
  });

  it('no sign of life while a worker is stopped, and signs again once it continues', async () => {
    using manager = new NotifyRecorder();
    const watchdog = { WATCHDOG_USEC: '200000' };
    const args = ['epoll', '--processes', '2', '--stuck', '100'];
    await using server = managed(manager, args, watchdog);
    await manager.has('WATCHDOG', 5);
    const [worker] = descendantsOf(server.pid);
    process.kill(worker!, 'SIGSTOP');
    const count = () => manager.having('WATCHDOG').length;
    // Three times as long as the interval of the signs.
    const silent = await steady('the number of signs', count, 300);
    process.kill(worker!, 'SIGCONT');
    await manager.has('WATCHDOG', silent + 3);
    server.child.kill('SIGTERM');
    expect((await server.ended()).code).toBe(0);
  });

  it('no sign of life while a service blocks', async () => {
    using manager = new NotifyRecorder();
    const service = serviceFile('slow', slow);
    const args = ['callback', '--stuck', '100', '--service', service];
    await using server = managed(manager, args, { WATCHDOG_USEC: '200000' });
    const client = await NetClient.connect(await listeningAt(server));
    expect(await ask(client, 'Which?', 4)).toBe('one.');
    await manager.has('WATCHDOG', manager.having('WATCHDOG').length + 2);
    await client.send('Wait?');
    await steady('the number of signs', () => manager.having('WATCHDOG').length, 300);
    await client.close();
  });

  it('no signs of life that are for another process', async () => {
    using manager = new NotifyRecorder();
    const others = { WATCHDOG_USEC: '20000', WATCHDOG_PID: '1' };
    await using server = managed(manager, ['epoll'], others);
    await manager.has('READY');
    server.child.kill('SIGTERM');
    await server.ended();
    await manager.has('STOPPING');
    expect(manager.having('WATCHDOG')).toEqual([]);
  });
});

describe('a manager that keeps descriptors', () => {
  it('gives the listener of a killed server to the next one, which refuses no client', async () => {
    using manager = new NotifyRecorder();
    const more = { FDSTORE: '4', NOTIFY_SOCKET: manager.name };
    const first = spawnManaged([], ['serve', 'epoll', '-p', '0'], more);
    const address = await listeningAt(first);
    const stored = await manager.has('FDSTORE');
    expect(stored.fields.FDNAME).toBe('mondo-stored');
    expect(stored.descriptors.map(localAddress)).toEqual([address]);
    first.child.kill('SIGKILL');
    await first.ended();
    // It waits in the queue of the listener.
    const client = await NetClient.connect(address);
    const answer = ask(client, 'Beautiful is better than?', 5);
    const given = { ...more, LISTEN_FDNAMES: 'mondo-stored' };
    const command = ['serve', 'epoll', '-p', String(address.port)];
    await using next = spawnManaged(stored.descriptors, command, given);
    expect(await answer).toBe('Ugly.');
    await client.close();
    next.child.kill('SIGTERM');
    expect((await next.ended()).code).toBe(0);
    // The next process may have it again.
    expect(manager.having('FDSTOREREMOVE')).toEqual([]);
    expect(manager.having('FDSTORE')).toHaveLength(1);
  });

  it('forgets the listener of another address', async () => {
    using manager = new NotifyRecorder();
    const old = openListener({ family: 'IPv4', host: '127.0.0.1', port: 0 }, { backlog: 1 });
    const more = { FDSTORE: '4', NOTIFY_SOCKET: manager.name, LISTEN_FDNAMES: 'mondo-stored' };
    await using server = spawnManaged([old], ['serve', 'epoll', '-p', '0'], more);
    const address = await listeningAt(server);
    expect(address).not.toEqual(localAddress(old));
    const removed = await manager.has('FDSTOREREMOVE');
    expect(removed.fields.FDNAME).toBe('mondo-stored');
    await manager.has('FDSTORE');
    expect(manager.story.slice(0, 2)).toEqual(['FDSTOREREMOVE FDNAME', 'FDSTORE FDNAME']);
    close(old);
  });
});

describe('a program that serves', () => {
  it('reports with the option systemd, also for a service that is an object', async () => {
    using manager = new NotifyRecorder();
    process.env.NOTIFY_SOCKET = manager.name;
    const options = { architecture: 'callback', port: 0, systemd: true } as const;
    const service = { delimiter: '?', answer: () => 'one.' };
    const server = await serve({ ...options, service });
    expect(process.env.NOTIFY_SOCKET).toBeUndefined();
    await manager.has('READY');
    await expect(server.restart()).rejects.toThrow('Cannot restart a server in this process');
    await server.close();
    await manager.has('STOPPING');
    expect(manager.story).toEqual([
      ...['READY', 'RELOADING MONOTONIC_USEC', 'READY', 'STOPPING EXTEND_TIMEOUT_USEC'],
    ]);
  });
});
