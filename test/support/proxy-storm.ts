/** Many connections through a balancer that end in every way, and the check that they have left nothing. */
import { expect } from 'vitest';
import type { Server } from '../../src/index.ts';
import { ProxyConnection } from './proxy-client.ts';
import { blockOf, lineOf } from './proxy-headers.ts';
import { until } from './until.ts';

export const QUESTION = 'Simple is better than?';
export const ANSWER = 'Complex.';
export const BUSY = 'Error: server is busy.\n';

/** The announced addresses. */
const ADDRESSES = 5;
const addressOf = (i: number): string => `203.0.113.${i % ADDRESSES}`;

/** One connection, whose end depends on its number. */
async function visit(port: number, i: number): Promise<void> {
  const connection = await ProxyConnection.open(port);
  const client = { address: addressOf(i), port: 1 + (i % 65_535) };
  const header = i % 2 === 0 ? lineOf(client) : blockOf(client);
  const isOver = () => connection.received !== '' || connection.socket.closed;
  switch (i % 7) {
    case 0:
      await connection.send(header);
      break;
    case 1:
      await connection.send(Buffer.concat([header, Buffer.from(QUESTION)]));
      connection.socket.resetAndDestroy();
      break;
    case 2:
      await connection.send(header.subarray(0, -1));
      break;
    case 3:
      await connection.send(Buffer.from(QUESTION));
      await until('the end', () => connection.socket.closed);
      break;
    case 4:
      await connection.send(lineOf({ ...client, address: '192.0.2.7' }));
      await until('the end', () => connection.socket.closed);
      break;
    default:
      await connection.send(Buffer.concat([header, Buffer.from(QUESTION)]));
      await until('an answer or the end', isOver);
  }
  await connection.leave();
}

/** Makes `count` connections, `atOnce` at a time. They announce five addresses. Network 192.0.2.0/24 must be denied. */
export async function comeAndGo(port: number, count: number, atOnce: number): Promise<void> {
  let next = 0;
  const one = async () => {
    while (next < count) await visit(port, next++);
  };
  await Promise.all(Array.from({ length: atOnce }, one));
}

/**
 * Checks that each address has room for exactly `room` connections: nothing is counted that has gone.
 *
 * @param refusal what the server sends to a client that it refuses
 */
export async function expectExactRoom({ port }: Server, room: number, refusal = ''): Promise<void> {
  for (let i = 0; i < ADDRESSES; i++) {
    const held: ProxyConnection[] = [];
    for (let n = 0; n <= room; n++) {
      const connection = await ProxyConnection.open(port);
      held.push(connection);
      await connection.send(lineOf({ address: addressOf(i), port: 9 }), QUESTION);
      await until(
        'an answer or the end',
        () => connection.received !== '' || connection.socket.closed,
      );
    }
    expect(held.map(({ received }) => received)).toEqual([...Array(room).fill(ANSWER), refusal]);
    await Promise.all(held.map((connection) => connection.leave()));
  }
}
