import { connect, createServer } from 'node:net';
import { expect, it } from 'vitest';
import { openAgent } from './agent.ts';
import { openListener } from './listener.ts';

const portOf = (where: string) => Number(where.slice(where.lastIndexOf(':') + 1));

it('ends a client that goes on sending and does not close', async () => {
  const agent = await openAgent('0', () => 'ready up', 100);
  const client = connect({ port: portOf(agent.where), host: '127.0.0.1', allowHalfOpen: true });
  const timer = setInterval(() => client.write('x'), 10);
  let answer = '';
  client.on('error', () => {}).on('data', (bytes) => (answer += bytes));
  // The end may be a reset.
  await new Promise((resolve) => client.on('close', resolve));
  clearInterval(timer);
  expect(answer).toBe('ready up\n');
  await agent.close();
});

it('a failed accept of such a listener ends nothing', async () => {
  const server = createServer();
  const drop = () => {};
  const opened = await openListener(server, { option: '-x', text: '0', anywhere: false, drop });
  expect(() => server.emit('error', new Error('accept ENFILE'))).not.toThrow();
  await opened.close();
});
