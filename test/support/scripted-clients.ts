/** The clients of a worker without a server. The test sees what they count and record. */
import { Clients, type ClientsParts } from '../../src/lifecycle/clients.ts';
import type { Orders } from '../../src/lifecycle/drain.ts';
import { defaultLimits, type Limits } from '../../src/limits/limits.ts';
import type { ConversationEvent } from '../../src/protocol/account.ts';
import { unreadRow } from '../../src/worker/scoreboard.ts';

/** Orders that a test may change. */
type ScriptedOrders = { -readonly [Name in keyof Orders]: Orders[Name] };

export function scriptedClients(
  over: Partial<Limits> = {},
  { isDryRun = false, ...parts }: Partial<ClientsParts> & { isDryRun?: boolean } = {},
) {
  const counted: string[] = [];
  const events: ConversationEvent[] = [];
  const released: number[] = [];
  const left: string[] = [];
  const ended: string[] = [];
  const row = unreadRow();
  const orders: ScriptedOrders = {
    order: 'serve',
    drain: 0,
    left: 0,
    count: (outcome) => void left.push(outcome),
  };
  const clients = new Clients({
    limits: { ...defaultLimits, ...over },
    orders,
    row,
    journal: { on: true, record: (event) => void events.push(event) },
    countEnd: (how) => void ended.push(how),
    exceeded(limit) {
      counted.push(limit);
      return !isDryRun;
    },
    unsentOfAll: () => row.unsent,
    release: (holds) => void released.push(holds),
    ...parts,
  });
  return { clients, orders, counted, events, released, left, ended, row };
}
