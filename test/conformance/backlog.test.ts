/** The listener's queue: its length is the configured one, for each kind of loop. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { serve } from '../../src/index.ts';
import { ask, NetClient } from '../support/clients.ts';
import { hasProgram } from '../support/programs.ts';
import { architectures, Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

/** The kernel's value: `Send-Q` of a listener. ss(8) */
const backlogAt = (port: number): string | undefined =>
  execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'latin1' })
    .trim()
    .split(/\s+/)[2];

/** `Recv-Q` of all listeners at the port. */
const waitingAt = (port: number): number =>
  execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'latin1' })
    .trim()
    .split('\n')
    .reduce((sum, line) => sum + Number(line.trim().split(/\s+/)[1]), 0);

describe.runIf(hasProgram('ss', 'iproute2'))('the backlog', () => {
  it.concurrent.each(
    architectures.filter(({ traits }) => traits.arrangement === 'node' || traits.name === 'epoll'),
  )('of $title is the configured one, also once it listens again', async ({ options }) => {
    const whole = { ...options, backlog: 10, limits: { connections: 1 } };
    const served = await Serving.start({ ...whole, whenFull: 'wait' });
    expect(backlogAt(served.server.port)).toBe('10');
    // The second client waits for room: on Node's own loop the listener is closed until there is some.
    const clients = [await NetClient.connect(served.address)];
    await served.expectAccepted(clients[0]!.peer);
    clients.push(await NetClient.connect(served.address));
    await clients[0]!.close();
    await ask(clients[1]!, 'Simple is better than?', 'Complex.'.length);
    await until('it to listen again', () => backlogAt(served.server.port) === '10');
    await clients[1]!.close();
    await served.close();
  });

  it.concurrent.each([
    { architecture: 'single', limit: 9 },
    { architecture: 'threaded', threads: 1, processes: 2, reuseport: true, limit: 18 },
  ])('of $architecture, $processes times, is what the server says', async (given) => {
    const { limit, ...options } = given;
    const served = await Serving.start({ ...options, backlog: 8 });
    const { server } = served;
    expect(server.queue()).toEqual({ waiting: 0, limit });
    // As many as serve are accepted: all others wait.
    const clients: NetClient[] = [];
    for (let i = 0; i < 8; i++) clients.push(await NetClient.connect(served.address));
    const queue = await until('the others to wait', () => {
      const open = server.workers().reduce((sum, row) => sum + row.open, 0);
      const now = server.queue();
      const isKernels = now?.waiting === waitingAt(server.port);
      return isKernels && now.waiting === clients.length - open && now;
    });
    expect(queue.waiting).toBeGreaterThan(0);
    for (const client of clients) {
      expect(await ask(client, 'Simple is better than?', 8)).toBe('Complex.');
      await client.close();
    }
    expect(server.served()).toEqual({ questions: 8, connections: 8 });
    await served.close();
    expect(server.queue()).toBeUndefined();
  });
});

it('a server in this process says how long its queue is, and what it has done', async () => {
  const service = { delimiter: '?', answer: () => 'Yes.' };
  const server = await serve({ architecture: 'callback', port: 0, backlog: 8, service });
  expect(server.queue()).toEqual({ waiting: 0, limit: 9 });
  const client = await NetClient.connect(server.address);
  expect(await ask(client, 'Is it?', 4)).toBe('Yes.');
  expect(server.served()).toEqual({ questions: 1, connections: 1 });
  await client.close();
  await server.close();
  expect(server.queue()).toBeUndefined();
});
