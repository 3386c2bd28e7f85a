/** The account on its way from those who serve to those who read: what comes of it under strain. */
import { expect, it } from 'vitest';
import { connect } from '../src/index.ts';
import { Serving } from './support/serving.ts';
import { until } from './support/until.ts';

const throws = new URL('./support/services/throws.ts', import.meta.url);

it('long errors of several threads at once are told of one by one', async () => {
  const serving = await Serving.start({ architecture: 'threaded', threads: 8, service: throws });
  const { port } = serving.server;
  const failures = () => serving.events.filter(({ type }) => type === 'threw').length;
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (let i = 0; i < 25; i++) {
        const client = await connect('127.0.0.1', port);
        await expect(client.ask('long?')).rejects.toThrow();
        await client.close();
      }
    }),
  );
  await until('all to be told of', () => failures() === 200);
  await serving.stop();
});
