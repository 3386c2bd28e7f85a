import { expect, test } from 'vitest';
import { architectureNames, loadArchitecture } from '../../../architectures/catalogue.ts';
import { architecturesHere } from './available.ts';

test('a viewer may set the sizes that an architecture takes', async () => {
  const here = await architecturesHere();
  expect(here.map(({ name }) => name)).toEqual(architectureNames);
  for (const { name, takes } of here) {
    const traits = await loadArchitecture(name as (typeof architectureNames)[number]);
    for (const size of ['threads', 'processes'] as const) {
      expect(takes.includes(size), `${name}: ${size}`).toBe(traits[size].adjustable);
    }
    expect(takes.includes('queue')).toBe(name === 'queued');
  }
});
