/** Starts servers in a separate process, so that their costs do not include those of the load. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { NO_DEBUGGER } from '../../host/no-debugger.ts';
import type { ServeOptions } from '../../host/plan.ts';
import { killWithAll } from '../../os/processes.ts';
import type { Order, Reply } from './keeper.ts';
import type { Sample } from './service-framing.ts';

const extension = import.meta.filename.slice(-3);
/** Timeout for each order, in ms. */
const PATIENCE = 20_000;

export interface Running {
  readonly port: number;
  /** The process whose descendants are the server's. */
  readonly pid: number;
}

export class Servers implements AsyncDisposable {
  readonly #cores: readonly number[];
  #child: ChildProcess | undefined;

  /** @param cores cores for the servers; empty: the kernel chooses */
  constructor(cores: readonly number[]) {
    this.#cores = cores;
  }

  /** What a service says of its framing. @throws Error that says why it cannot be loaded */
  async sample(service: string, questions: readonly string[]): Promise<Sample> {
    const child = this.#child ?? (await this.#fork());
    const reply = await ask(child, { order: 'sample', service, questions });
    if (reply.reply === 'sample') return reply.sample;
    throw new Error(reply.reply === 'failed' ? reply.error : `it is ${reply.reply}`);
  }

  /**
   * Starts a server. Resolves when it serves.
   *
   * @throws Error that says why it does not serve
   */
  async start(options: ServeOptions): Promise<Running> {
    const child = this.#child ?? (await this.#fork());
    const reply = await ask(child, { order: 'start', options });
    if (reply.reply !== 'started') {
      throw new Error(reply.reply === 'failed' ? reply.error : `it is ${reply.reply}`);
    }
    return { port: reply.port, pid: child.pid! };
  }

  /** Stops the server that was started last. If it does not end by itself, it is killed. */
  async stop(): Promise<void> {
    if (this.#child === undefined) return;
    try {
      const { reply } = await ask(this.#child, { order: 'stop' });
      if (reply !== 'stopped') await this[Symbol.asyncDispose]();
    } catch {
      await this[Symbol.asyncDispose]();
    }
  }

  /** Kills the process and all its descendants. */
  async [Symbol.asyncDispose](): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, 'exit');
    await killWithAll(child.pid!);
    await gone;
  }

  async #fork(): Promise<ChildProcess> {
    const file = new URL(`./keeper${extension}`, import.meta.url);
    const child = fork(file, [JSON.stringify(this.#cores)], {
      execArgv: [...NO_DEBUGGER],
      stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    });
    this.#child = child;
    await nextReply(child);
    return child;
  }
}

async function ask(child: ChildProcess, order: Order): Promise<Reply> {
  const reply = nextReply(child);
  // If the process has ended, `nextReply` throws an error with a better message.
  child.send(order, () => {});
  return reply;
}

/** @throws Error if the process ends first, or does not reply in time */
async function nextReply(child: ChildProcess): Promise<Reply> {
  const heard = new AbortController();
  const { signal } = heard;
  const gone = async (): Promise<never> => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit', { signal });
    throw new Error('its supervisor process has ended');
  };
  const late = async (): Promise<never> => {
    await once(AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]), 'abort');
    throw new Error(`no reply within ${PATIENCE / 1000} s`);
  };
  try {
    const replies = once(child, 'message', { signal }) as Promise<[Reply]>;
    return (await Promise.race([replies.then(([reply]) => reply), gone(), late()])) as Reply;
  } finally {
    heard.abort();
  }
}
