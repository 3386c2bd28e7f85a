/** Servers under test: each starts with its events recorded, and stops with a check of what it leaves behind. */
import { afterAll, expect, onTestFailed } from 'vitest';
import { architectureNames, loadArchitecture } from '../../src/architectures/catalogue.ts';
import type { ServeOptions } from '../../src/host/plan.ts';
import type { Server } from '../../src/host/server.ts';
import type { ServerEvent } from '../../src/host/server-event.ts';
import { serve } from '../../src/index.ts';
import type { Traits } from '../../src/worker/contract.ts';
import { descendantsOf, holdings, isAlive, isReceived, threadsOf } from './kernel.ts';
import { FOREVER, PATIENCE, until, within } from './until.ts';

export interface Variant {
  readonly title: string;
  readonly options: ServeOptions;
  readonly traits: Traits;
  /** Number of simultaneous conversations, by its declaration. */
  readonly capacity: number;
  /** Number of silent clients in a crowd: small if each costs a thread or a process. */
  readonly crowd: number;
}

/** Besides each architecture with its defaults: the other mixin, the other mode, and some combinations of options. */
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
    crowd: traits.ioModel === 'blocking calls' ? 6 : 100,
  };
}

/** Each architecture of the catalogue, with its defaults. */
export const architectures: readonly Variant[] = await Promise.all(
  architectureNames.map((architecture) => variantOf({ architecture })),
);

/**
 * The same with two threads or processes where the default is more: a start costs half, and two of them show what
 * several do.
 */
export const pairs: readonly Variant[] = await Promise.all(
  architectures.map(({ options, traits: { threads, processes } }) =>
    variantOf({
      ...options,
      ...(threads.default > 2 ? { threads: 2 } : {}),
      ...(processes.default > 2 ? { processes: 2 } : {}),
    }),
  ),
);

/** Each architecture with its defaults, and the other combinations. */
export const variants: readonly Variant[] = [
  ...architectures,
  ...(await Promise.all(
    others
      .filter(({ architecture }) => (architectureNames as string[]).includes(architecture!))
      .map(variantOf),
  )),
];

/**
 * Each architecture, and what else differs for a worker: the other mixin and mode, and for each driver several
 * threads or processes, with one listener and with their own.
 */
export const representatives: readonly Variant[] = [
  ...pairs,
  ...variants.filter(({ title }) =>
    [
      'socketserver mixin forking',
      'inetd inetd wait',
      'threaded threads 2 processes 2',
      'epoll threads 2 processes 2 reuseport true',
      'uring threads 2',
      'callback processes 2 reuseport true',
    ].includes(title),
  ),
];

/**
 * One variant for each way in which the host runs a driver: for rules of the host, which are the same for all pages.
 * The pairs that are left out have the host's part and the driver of another variant here.
 */
export const hosted: readonly Variant[] = representatives.filter(
  (variant) =>
    !pairs.includes(variant) ||
    !['single', 'threaded', 'prefork', 'select', 'poll', 'epoll', 'uring', 'callback'].includes(
      variant.traits.name,
    ),
);

/** One architecture for each way of the drivers to wait for clients: for rules that all with the same way share. */
export const drivers: readonly Variant[] = pairs.filter(({ traits: { name } }) =>
  ['threaded', 'socketserver', 'inetd', 'epoll', 'asyncore', 'uring', 'callback'].includes(name),
);

/**
 * One architecture for each code that serves clients. The others differ from one of these in the number of threads or
 * processes, or in the system call that waits: single and prefork are as threaded, select and poll as epoll.
 */
export const distinct: readonly Variant[] = pairs.filter(
  ({ traits: { name } }) => !['single', 'prefork', 'select', 'poll'].includes(name),
);

/**
 * An event in words that do not depend on the architecture: the system call that failed may differ, but not the
 * reason.
 */
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
    // These tests send long questions and read slowly: other tests cover the limits.
    const limits = { questionSize: 0, answerTime: 0 };
    // A stop that wrongly waits for its drain never ends.
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

  get isStopped(): boolean {
    return this.events.at(-1)?.type === 'stopped';
  }

  /** All events of one client, in order. */
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

  /** Waits until the server's process has received all that this client sent; IPv4 only. */
  async expectReceived(peer: string): Promise<void> {
    await this.expectAccepted(peer);
    await until(`all of ${peer} to be received`, () =>
      isReceived(this.server.port, Number(peer.split(':')[1])),
    );
  }

  /** The server's processes: its workers and their children. */
  get processes(): number[] {
    return this.server.pids.flatMap((pid) => [pid, ...descendantsOf(pid)]);
  }

  /** Closes the server, and checks that no process and no descriptor is left. */
  async stop(): Promise<void> {
    await this.close();
    await this.expectNothingLeft();
  }

  /** Closes the server without a drain, and checks that no process is left. */
  async close(): Promise<void> {
    const processes = this.processes;
    await within(PATIENCE, 'the end of the server', this.server.close());
    expect(this.events.at(-1)?.type).toBe('stopped');
    expect(processes.filter(isAlive)).toEqual([]);
  }

  /** Compares what this process holds with what it held before the server started. */
  async expectNothingLeft(): Promise<void> {
    // Node waits for the child and closes its descriptors a moment after the event.
    const left = () => {
      const now = holdings();
      return now.filter((what) => !this.#holdings.includes(what));
    };
    await until('descriptors to be closed', () => left().length === 0).catch(() => {});
    expect(left()).toEqual([]);
    expect(threadsOf(process.pid).length).toBeLessThanOrEqual(this.#threads);
  }
}

/**
 * One server for the tests of a `describe` that run one after the other: its start is most of the cost of a test.
 * Each test calls the result first, without an `await` before it. A test that stops the server, or that fails, leaves
 * a new one to the next test. After the last test the server must leave nothing; no other may run then.
 */
export function oneServing(options: ServeOptions): () => Promise<Serving> {
  let current: Promise<Serving> | undefined;
  const discard = async () => {
    const discarded = current;
    current = undefined;
    const serving = await discarded?.catch(() => undefined);
    await serving?.server.close({ deadline: 0 });
  };
  afterAll(async () => {
    const serving = await current;
    if (serving?.isStopped === false) await serving.stop();
  });
  return async () => {
    onTestFailed(discard);
    if ((await current)?.isStopped) current = undefined;
    current ??= Serving.start(options);
    return current;
  };
}
