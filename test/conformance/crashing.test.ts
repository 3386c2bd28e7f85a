/** Faults of a service that end its process, and not only one conversation: another process serves after that. */
import { expect, it } from 'vitest';
import type { ServeOptions } from '../../src/host/plan.ts';
import { ask, NetClient } from '../support/clients.ts';
import { Serving } from '../support/serving.ts';
import { until } from '../support/until.ts';

/** Variants with the promises in a thread of their own, and variants with them in the serving thread. */
const variants: readonly ServeOptions[] = [
  { architecture: 'threaded', threads: 2 },
  { architecture: 'socketserver' },
  { architecture: 'inetd' },
  { architecture: 'epoll' },
  { architecture: 'uring', threads: 2 },
  { architecture: 'callback', threads: 2 },
];

const faults = [
  { what: 'throws outside of a call', question: 'throw?', told: /thrown/ },
  { what: 'leaves a rejection unhandled', question: 'reject?', told: /rejected/ },
  { what: 'calls process.exit', question: 'exit?', told: /process\.exit\(3\)|exit code 3/ },
];

it.concurrent.each(
  variants,
)('$architecture ends with each fault of its service, and another process serves; a timer that it has left delays no stop', async (options) => {
  const service = new URL('../support/services/crashing.ts', import.meta.url);
  const serving = await Serving.start({ ...options, service });
  for (const { what, question, told } of faults) {
    const before = serving.events.length;
    const events = () => serving.events.slice(before);
    const client = await NetClient.connect(serving.address);
    expect(await ask(client, 'Well?', 5)).toBe('Well?');
    await client.send(question);
    await until(`the reason to be reported that it ${what}`, () =>
      events().some(
        (event) =>
          (event.type === 'crashed' && told.test(event.error)) ||
          (event.type === 'died' && told.test(event.how)),
      ),
    );
    // The death of inetd's processes is not reported: each is started for one client.
    if (options.architecture !== 'inetd') {
      await until(`the death after it ${what}`, () => events().some(({ type }) => type === 'died'));
    }
    const next = await NetClient.connect(serving.address);
    expect(await ask(next, 'Well?', 5)).toBe('Well?');
    await client.close();
    await next.close();
  }
  await serving.server.close();
});
