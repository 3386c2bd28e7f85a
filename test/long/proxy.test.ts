/** Ten thousand connections through a balancer, of every kind: no count of the limits is left. */
import { describe, expect, it } from 'vitest';
import { serve } from '../../src/index.ts';
import { comeAndGo, expectExactRoom } from '../support/proxy-storm.ts';
import { architectures } from '../support/serving.ts';
import { MS, PATIENCE, until } from '../support/until.ts';

const COUNT = 10_000;

const shared = (architecture: string) => ({
  title: `${architecture}, two processes`,
  options: { architecture, processes: 2 },
  capacity: Number.POSITIVE_INFINITY,
});

describe.each([...architectures, ...['epoll', 'uring', 'coroutine'].map(shared)])('$title', ({
  options,
  capacity,
}) => {
  it(
    `gives back exactly what ${COUNT} connections held`,
    async () => {
      const server = await serve({
        ...options,
        ...{ port: 0, proxy: { trusted: ['127.0.0.1'] }, whenFull: 'reset' },
        limits: { connectionsPerAddress: 2, deny: ['192.0.2.0/24'] },
      });
      await comeAndGo(server.port, COUNT, Math.min(capacity, 20));
      await until('all to have gone', () => server.workers().every(({ open }) => open === 0));
      expect(server.served().connections).toBeGreaterThanOrEqual((COUNT * 6) / 7);
      // One conversation at a time never has two connections of one address.
      if (capacity > 2) await expectExactRoom(server, 2);
      await server.close();
    },
    10 * PATIENCE * MS,
  );
});
