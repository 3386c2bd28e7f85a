/** Very many connections, at the same time and one after the other. */
import { describe, expect, it } from 'vitest';
import { serve } from '../../src/index.ts';
import { ask, NetClient } from '../support/clients.ts';
import { Process } from '../support/processes.ts';
import { DESCRIPTORS, expectOwnAnswers } from '../support/short-connections.ts';
import { until } from '../support/until.ts';

describe('ten thousand connections on one thread', () => {
  const CROWD = 10_000;
  it.each(['epoll', 'uring'])('%s serves one client among them', async (architecture) => {
    // The clients need the same number of descriptors again, so they have a separate process.
    const hold = `const { connect } = require('node:net');
        let n = 0;
        const next = () => {
          const s = connect({ port: PORT, host: '127.0.0.1', localAddress: '127.0.0.' + (1 + n % 4) });
          s.on('connect', () => (++n === ${CROWD} ? console.log('all') : next()));
          s.on('error', (e) => { console.error(e.message); process.exit(1); });
        };
        next();`;
    let accepted = 0;
    const server = await serve({ architecture, port: 0 }, ({ type }) => {
      if (type === 'accepted') accepted++;
    });
    const program = hold.replace('PORT', String(server.port));
    await using crowd = new Process(process.execPath, ['-e', program]);
    await until('the crowd', () => /all/.test(crowd.stdout) || !crowd.isRunning);
    expect(crowd.stderr).toBe('');
    await until('all accepted', () => accepted === CROWD);
    const [row] = server.workers();
    expect(row).toMatchObject({ open: CROWD });
    const client = await NetClient.connect(server.address);
    expect(await ask(client, 'Beautiful is better than?', 5)).toBe('Ugly.');
    await client.close();
    await server.close();
  });
});

const SHORT = 20_000;
describe(`${SHORT} short connections through ${DESCRIPTORS} descriptors`, () => {
  it.each(['uring', 'epoll', 'generator'])('reach the right client each: %s', (architecture) =>
    expectOwnAnswers(architecture, SHORT));
});
