/** The last line of the log: how many were answered to the end, and how many cut off. */
import { expect, it } from 'vitest';
import { NetClient } from './support/clients.ts';
import { isReceived } from './support/kernel.ts';
import { spawnMondo } from './support/processes.ts';
import { architectures } from './support/serving.ts';
import { MS, until } from './support/until.ts';

const QUESTION = 'Beautiful is better than?';
/** An answer takes so long. Told to stop at half of it, the server has three quarters of it more. */
const THINK = 4000 * MS;

const portOf = (client: NetClient) => Number(client.peer.split(':').at(-1));

it.concurrent.each(
  architectures,
)('$title told by SIGTERM tells who of those that had asked was answered', async ({
  options,
  capacity,
}) => {
  await using server = spawnMondo(
    ...['serve', options.architecture!, '-p', '0', '--drain', String(THINK * 0.75)],
    ...['--think', String(THINK), '--think-how', 'defer'],
  );
  const [, text] = await server.printed(/Listening at 127\.0\.0\.1:(\d+)/);
  const port = Number(text);
  const ask = async () => {
    const client = await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port });
    await client.send(QUESTION);
    await until('it to be received', () => isReceived(port, portOf(client)));
    return client;
  };
  const first = await ask();
  const from = performance.now();
  const resting =
    capacity > 1 ? await NetClient.connect({ family: 'IPv4', host: '127.0.0.1', port }) : undefined;
  // So late that its answer is due when the time is over.
  await until('half of the time', () => performance.now() - from > THINK / 2);
  const second = capacity > 1 ? await ask() : undefined;
  server.child.kill('SIGTERM');
  expect(await first.rest()).toBe('Ugly.');
  expect(await resting?.rest()).toBe(resting && '');
  expect(await second?.rest()).toBe(second && '');
  const { code, stdout, stderr } = await server.ended();
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  const told =
    /Stopped: (\d+) answered to the end, (\d+) cut off(; connections per worker: [\d /]+)?\n$/.exec(
      stdout,
    );
  expect(told?.slice(1, 3)).toEqual(['1', second === undefined ? '0' : '1']);
  for (const client of [first, resting, second]) await client?.close();
});
