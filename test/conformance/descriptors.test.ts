/** Programs that a service starts inherit nothing of the server's. */
import { describe, expect, it } from 'vitest';
import { ask, NetClient } from '../support/clients.ts';
import { inheritedHere } from '../support/services/starts-program.ts';
import { Serving, variants } from '../support/serving.ts';

const service = new URL('../support/services/starts-program.ts', import.meta.url);

describe.concurrent('a program that a service starts', () => {
  // The program that started this process may have left it a descriptor that all of its children inherit.
  const expected = `${inheritedHere()}.`;

  it.each(variants)('inherits no descriptor of $title', async ({ options }) => {
    const served = await Serving.start({ ...options, service });
    const client = await NetClient.connect(served.address);
    expect(await ask(client, 'Which?', expected.length)).toBe(expected);
    await client.close();
    await served.close();
  });
});
