/** Servers under test: each is started with its account kept, and stopped with a look at what it leaves behind. */
import { expect } from 'vitest';
import { architectureNames, loadArchitecture } from '../../src/architectures/catalogue.ts';
import type { ServeOptions } from '../../src/host/plan.ts';
import { serve } from '../../src/host/serve.ts';
import type { Server } from '../../src/host/server.ts';
import type { ServerEvent } from '../../src/host/server-event.ts';
import type { Traits } from '../../src/worker/contract.ts';
import { descendantsOf, holdings, isAlive, isReceived, threadsOf } from './kernel.ts';
import { FOREVER, PATIENCE, until, within } from './until.ts';

export interface Variant {
  readonly title: string;
  readonly options: ServeOptions;
  readonly traits: Traits;
  /** How many conversations go on at once, by what is declared. */
  readonly capacity: number;
  /** How many silent clients make a crowd: modest where each costs a thread or a process. */
  readonly crowd: number;
}

/** Besides each architecture as it comes: the other mixin, the other mode, and points of the grid. */
const others: readonly ServeOptions[] = [
  { architecture: 'socketserver', mixin: 'forking' },
  { architecture: 'inetd', inetd: 'wait' },
  { architecture: 'threaded', threads: 2, processes: 2 },
  { architecture: 'select', threads: 2 },
  { architecture: 'poll', processes: 2 },
  { architecture: 'epoll', threads: 2, processes: 2, reuseport: true },
  { architecture: 'generator', threads: 2, reuseport: true },
  { architecture: 'callback', threads: 2 },
  { architecture: 'coroutine', processes: 2 },
  { architecture: 'epoll', processes: 2, exclusive: true },
  { architecture: 'uring', threads: 2 },
  { architecture: 'uring', processes: 2, reuseport: true },
  { architecture: 'callback', processes: 2, reuseport: true },
];

async function variantOf(options: ServeOptions): Promise<Variant> {
  const { architecture, ...rest } = options;
  const name = architecture as (typeof architectureNames)[number];
  const traits = await loadArchitecture(name);
  const words = Object.entries(rest).map(([key, value]) => `${key} ${value}`);
  const threads = options.threads ?? traits.threads.default;
  const processes = options.processes ?? traits.processes.default;
  const isOne = traits.capacity === 'one' || options.inetd === 'wait';
  const capacity = isOne
    ? 1
    : traits.capacity === 'unbounded'
      ? Number.POSITIVE_INFINITY
      : threads * processes;
  return {
    title: [name, ...words].join(' '),
    options,
    traits,
    capacity,
    crowd: traits.ioModel === 'blocking calls' ? 6 : 500,
  };
}

/** Each architecture of the catalogue, as it comes. */
export const architectures: readonly Variant[] = await Promise.all(
  architectureNames.map((architecture) => variantOf({ architecture })),
);

/** Those and the other points of the grid. */
export const variants: readonly Variant[] = [
  ...architectures,
  ...(await Promise.all(
    others
      .filter(({ architecture }) => (architectureNames as string[]).includes(architecture!))
      .map(variantOf),
  )),
];

/** An event in words that do not depend on who tells it: which system call failed may differ, why may not. */
function normalized(event: ServerEvent): string {
  switch (event.type) {
    case 'hungUp':
      return `hungUp ${event.received}`;
    case 'failed':
      return `failed ${/\bE[A-Z]{3,}\b/.exec(event.error)?.[0] ?? event.error}`;
    case 'threw':
      return `threw ${event.error}`;
    default:
      return event.type;
  }
}

export class Serving {
  readonly server: Server;
  readonly events: ServerEvent[];
  readonly #holdings: readonly string[];
  readonly #threads: number;

  static async start(options: ServeOptions): Promise<Serving> {
    const held = holdings();
    const threads = threadsOf(process.pid).length;
    const events: ServerEvent[] = [];
    // Long questions and slow readers are part of it: that there are limits is another suite's business.
    const limits = { questionSize: 0, answerTime: 0 };
    // A stop that waits for its drain, where it should not, is one that never ends.
    const drain = FOREVER;
    const whole = { port: 0, limits, drain, ...options };
    const server = await serve(whole, (event) => events.push(event));
    return new Serving(server, events, held, threads);
  }

  private constructor(
    server: Server,
    events: ServerEvent[],
    held: readonly string[],
    threads: number,
  ) {
    this.server = server;
    this.events = events;
    this.#holdings = held;
    this.#threads = threads;
  }

  get address() {
    return this.server.address;
  }

  /** All that was told of one client, in order. */
  accountOf(peer: string): string[] {
    return this.events.filter((e) => 'peer' in e && e.peer === peer).map(normalized);
  }

  /** Waits for the end of a client's account, and compares all of it. */
  async expectAccount(peer: string, expected: readonly string[]): Promise<void> {
    try {
      await until(`the account of ${peer}`, () => this.accountOf(peer).length >= expected.length);
    } finally {
      expect(this.accountOf(peer)).toEqual(expected);
    }
  }

  async expectAccepted(peer: string): Promise<void> {
    await until(`${peer} to be accepted`, () => this.accountOf(peer).includes('accepted'));
  }

  /** Waits until the server's process has all that this client sent; IPv4 only. */
  async expectReceived(peer: string): Promise<void> {
    await this.expectAccepted(peer);
    await until(`all of ${peer} to be received`, () =>
      isReceived(this.server.port, Number(peer.split(':')[1])),
    );
  }

  /** The server's processes: its workers and theirs. */
  get processes(): number[] {
    return this.server.pids.flatMap((pid) => [pid, ...descendantsOf(pid)]);
  }

  /** Closes the server, with none of its processes left and no descriptor. */
  async stop(): Promise<void> {
    await this.close();
    await this.expectNothingLeft();
  }

  /** Closes the server, which waits for no drain, with none of its processes left. */
  async close(): Promise<void> {
    const processes = this.processes;
    await within(PATIENCE, 'the end of the server', this.server.close());
    expect(this.events.at(-1)?.type).toBe('stopped');
    expect(processes.filter(isAlive)).toEqual([]);
  }

  /** Compares what this process holds with what it held before the server was started. */
  async expectNothingLeft(): Promise<void> {
    // Node reaps and closes a moment after it has told of it.
    const left = () => {
      const now = holdings();
      return now.filter((what) => !this.#holdings.includes(what));
    };
    await until('descriptors to be closed', () => left().length === 0).catch(() => {});
    expect(left()).toEqual([]);
    expect(threadsOf(process.pid).length).toBeLessThanOrEqual(this.#threads);
  }
}
