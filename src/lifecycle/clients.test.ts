import { describe, expect, it } from 'vitest';
import { scriptedClients } from '../../test/support/scripted-clients.ts';
import { LimitReached } from '../protocol/account.ts';
import { unreadRow } from '../worker/scoreboard.ts';
import { ANSWER, IDLE } from './phase.ts';

/** Workers of one server. */
function workersOf(unsentTotal: number, count: number) {
  const rows = Array.from({ length: count }, unreadRow);
  const unsentOfAll = () => rows.reduce((sum, { unsent }) => sum + unsent, 0);
  return rows.map((row) => ({ ...scriptedClients({ unsentTotal }, { row, unsentOfAll }), row }));
}

describe('Clients, when a client has gone', () => {
  it('accounts for it once: its journal, its row, its bytes and its place', () => {
    const { clients, events, released, ended, row } = scriptedClients();
    clients.come(3, 42, '127.0.0.1:1060');
    clients.unsent(3, 1000);
    expect(clients.count).toBe(1);
    clients.gone(3, ANSWER, undefined, { cause: new LimitReached('age') });
    expect(events).toEqual([{ type: 'limited', peer: '127.0.0.1:1060', limit: 'age' }]);
    expect(released).toEqual([42]);
    expect(ended).toEqual(['limited']);
    expect(row.unsent).toBe(0);
    expect(clients.count).toBe(0);
  });

  it('counts the connections that the drain has closed: answered, or cut off', () => {
    const { clients, orders, left } = scriptedClients();
    for (const slot of [1, 2, 3, 4]) clients.come(slot, slot, '');
    clients.answered(1);
    orders.order = 'stop';
    orders.left = 1000;
    expect(clients.isLeaving).toBe(true);
    clients.answered(2);
    clients.gone(1, IDLE, undefined, { cause: 'stop' });
    clients.gone(2, IDLE, undefined, { cause: 'stop' });
    clients.gone(3, ANSWER, undefined, { cause: 'stop' });
    clients.gone(4, ANSWER, undefined, { cause: 'end of stream' });
    expect(left).toEqual(['answered', 'cut']);
    expect(clients.isDone(0)).toBe(true);
  });

  it('records a client that was never read as cut off', () => {
    const { clients, events, orders, released } = scriptedClients();
    orders.order = 'restart';
    clients.neverHeard(5, 'peer');
    expect(events).toEqual([{ type: 'cut', peer: 'peer', why: 'restart' }]);
    expect(released).toEqual([5]);
  });
});

describe('Clients, for bytes that peers have not taken', () => {
  it('adds up the bytes of all connections', () => {
    const { clients, counted } = scriptedClients({ unsentTotal: 100 });
    for (const slot of [1, 2, 3]) clients.come(slot, slot, '');
    clients.unsent(1, 60);
    clients.unsent(2, 40);
    expect(() => clients.unsent(3, 1)).toThrow('unsent-total');
    clients.unsent(1, 59);
    clients.unsent(3, 1);
    expect(() => clients.unsent(2, 41)).toThrow('unsent-total');
    // A client that ends gives back its bytes.
    clients.gone(2, ANSWER, undefined, { cause: 'end of stream' });
    clients.unsent(3, 41);
    expect(counted).toEqual(['unsent-total', 'unsent-total']);
  });

  it('adds up the bytes of all workers; a worker that ends takes its bytes out with its row', () => {
    const [one, other] = workersOf(100, 2);
    one!.clients.unsent(1, 80);
    other!.clients.unsent(1, 20);
    expect(() => other!.clients.unsent(1, 21)).toThrow('unsent-total');
    one!.row.free();
    other!.clients.unsent(1, 100);
    expect(other!.counted).toEqual(['unsent-total']);
  });

  it('counts more than four gigabytes', () => {
    const { clients, row } = scriptedClients({ unsentTotal: 2 ** 40 });
    clients.unsent(1, 2 ** 33);
    clients.unsent(1, 2 ** 33 - 1);
    expect(row.unsent).toBe(2 ** 33 - 1);
  });

  it('closes no client whose bytes become fewer, and none in a dry run or without a limit', () => {
    const dry = scriptedClients({ unsentTotal: 100 }, { isDryRun: true });
    dry.clients.unsent(1, 200);
    dry.clients.unsent(1, 150);
    expect(dry.counted).toEqual(['unsent-total']);
    const off = scriptedClients({ unsentTotal: 0 });
    off.clients.unsent(1, 1e9);
    expect(off.counted).toEqual([]);
  });
});
