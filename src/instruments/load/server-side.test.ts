import { expect, it } from 'vitest';
import { until } from '../../../test/support/until.ts';
import { ServerSampler } from './server-side.ts';

it('sampling ends with the measured time, even if `end` is called twice', async () => {
  const passed = (ms: number) => {
    const from = performance.now();
    return until(`${ms} ms to pass`, () => performance.now() - from > ms);
  };
  const sampler = new ServerSampler(process.pid, 0);
  sampler.begin();
  // Long enough for a sample.
  await passed(150);
  sampler.end();
  const result = sampler.result(0)!;
  expect(result.samples).toHaveLength(1);
  await passed(150);
  sampler.end();
  expect(result.samples).toHaveLength(1);
});
