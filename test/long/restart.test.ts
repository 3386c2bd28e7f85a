/** A hundred restarts of every architecture under load; MONDO_TEST_RESTARTS sets another number. */
import { expect, it } from 'vitest';
import { crowd, restartUnder } from '../support/crowd.ts';
import { architectures, Serving } from '../support/serving.ts';
import { MS } from '../support/until.ts';

const RESTARTS = Number(process.env.MONDO_TEST_RESTARTS ?? 100);

it.each(architectures)(`${RESTARTS} restarts of $title under load lose no client and no question`, {
  timeout: 0,
}, async ({ options }) => {
  const serving = await Serving.start({ ...options, drain: 10_000 * MS });
  const clients = crowd(serving.server.port, 3);
  await restartUnder(clients, serving.server, RESTARTS);
  await clients.stop();
  expect(clients.faults).toEqual([]);
  const told = serving.events.map(({ type }) => type);
  expect(told.filter((type) => type === 'restarted')).toHaveLength(RESTARTS);
  expect(told).not.toContain('died');
  await serving.stop();
});

it(`${RESTARTS} restarts of uring do not lose its only client`, { timeout: 0 }, async () => {
  const serving = await Serving.start({ architecture: 'uring', drain: 10_000 * MS });
  // After a single client no other comes that would wake the other worker.
  const client = crowd(serving.server.port, 1);
  await restartUnder(client, serving.server, RESTARTS);
  await client.stop();
  expect(client.faults).toEqual([]);
  await serving.close();
});
