/** Ten thousand connections through a balancer, of every kind: no count of the limits is left. */
import { describe, expect, it } from 'vitest';
import { type ServeOptions, serve } from '../../src/index.ts';
import { comeAndGo, expectExactRoom } from '../support/proxy-storm.ts';
import { architectures } from '../support/serving.ts';
import { until } from '../support/until.ts';

const COUNT = 10_000;

const variants: readonly { readonly title: string; readonly options: ServeOptions }[] = [
  ...architectures,
  { title: 'epoll, two processes', options: { architecture: 'epoll', processes: 2 } },
  { title: 'uring, two processes', options: { architecture: 'uring', processes: 2 } },
];

describe.each(variants)('$title', ({ options }) => {
  it(`gives back exactly what ${COUNT} connections held`, async () => {
    const server = await serve({
      ...options,
      ...{ port: 0, proxy: { trusted: ['127.0.0.1'] }, whenFull: 'reset' },
      limits: { connectionsPerAddress: 2, deny: ['192.0.2.0/24'] },
    });
    const isSingle = options.architecture === 'single';
    await comeAndGo(server.port, COUNT, isSingle ? 1 : 4);
    await until('all to have gone', () => server.workers().every(({ open }) => open === 0));
    expect(server.served().connections).toBeGreaterThanOrEqual((COUNT * 6) / 7);
    // One conversation at a time never has two connections of one address.
    if (!isSingle) await expectExactRoom(server, 2);
    await server.close();
  });
});
