/** Faults of a service that end its process, and not only one conversation: another process serves after that. */
import { describe, expect, it } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import { ask, NetClient } from '../support/clients.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

/** Variants with the promises in a thread of their own, and variants with them in the serving thread. */
const variants: readonly ServeOptions[] = [
  { architecture: 'single' },
  { architecture: 'threaded' },
  { architecture: 'socketserver' },
  { architecture: 'inetd' },
  { architecture: 'epoll' },
  { architecture: 'uring', threads: 2 },
  { architecture: 'generator' },
  { architecture: 'callback' },
  { architecture: 'coroutine', threads: 2 },
];

const faults = [
  { what: 'throws outside of a call', question: 'throw?', told: /thrown/ },
  { what: 'leaves a rejection unhandled', question: 'reject?', told: /rejected/ },
  { what: 'calls process.exit', question: 'exit?', told: /process\.exit\(3\)|exit code 3/ },
];

describe.concurrent.each(variants)('$architecture', (options) => {
  it.each(faults)('ends with a service that $what, and another serves', async (fault) => {
    const service = new URL('../support/services/crashing.ts', import.meta.url);
    const serving = await Serving.start({ ...options, service });
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'Well?', 5)).toBe('Well?');
    await client.send(fault.question);
    await until('the reason to be reported', () =>
      serving.events.some(
        (event) =>
          (event.type === 'crashed' && fault.told.test(event.error)) ||
          (event.type === 'died' && fault.told.test(event.how)),
      ),
    );
    // The death of inetd's processes is not reported: each is started for one client.
    if (options.architecture !== 'inetd') {
      await until('the death', () => serving.events.some(({ type }) => type === 'died'));
    }
    const next = await NetClient.connect(serving.address);
    expect(await ask(next, 'Well?', 5)).toBe('Well?');
    await client.close();
    await next.close();
    await serving.server.close();
  });
});
