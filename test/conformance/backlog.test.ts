/** The length of the listener's queue is the configured one, for each kind of loop. */
import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { hasProgram } from '../support/programs.ts';
import { architectures, Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

/** The kernel's value: `Send-Q` of a listener. ss(8) */
const backlogAt = (port: number): string | undefined =>
  execFileSync('ss', ['-Hltn', `sport = :${port}`], { encoding: 'latin1' })
    .trim()
    .split(/\s+/)[2];

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
});
