/** Starts the process of a server under siege, and receives its reports. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { NO_DEBUGGER } from '../../host/no-debugger.ts';
import { killWithAll } from '../../os/processes.ts';
import type { Account, Message, Orders } from './defender.ts';

const extension = import.meta.filename.slice(-3);
/** Timeout for the start of a server, in ms. */
const START_TIMEOUT = 20_000;

/** How a server stopped after the order to drain. */
export interface Stopped {
  readonly ms: number;
  readonly answered: number;
  readonly cut: number;
}

export class Defence implements AsyncDisposable {
  readonly #child: ChildProcess;
  #account: Account | undefined;
  #error: string | undefined;
  #stopped: { readonly answered: number; readonly cut: number } | undefined;

  /**
   * Starts a server. Resolves when it serves.
   *
   * @throws Error that says why it does not serve
   */
  static async start(orders: Orders): Promise<Defence> {
    const file = new URL(`./defender${extension}`, import.meta.url);
    const stdio: ['ignore', 'ignore', 'ignore', 'ipc'] = ['ignore', 'ignore', 'ignore', 'ipc'];
    // Detached, so that Ctrl-C in a terminal does not stop the server. The siege orders the stop.
    const options = { execArgv: [...NO_DEBUGGER], stdio, detached: true };
    const defence = new Defence(fork(file, [JSON.stringify(orders)], options));
    const end = performance.now() + START_TIMEOUT;
    while (defence.#account === undefined) {
      if (defence.#error === undefined && defence.isAlive && performance.now() < end) {
        await defence.#reported(end - performance.now());
        continue;
      }
      const why =
        defence.#error ?? (defence.isAlive ? `not within ${START_TIMEOUT} ms` : 'it has ended');
      await defence.kill();
      throw new Error(`Cannot start ${orders.architecture}: ${why}`);
    }
    return defence;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on('message', (message: Message) => {
      if (message.tell === 'account') this.#account = message.account;
      else if (message.tell === 'failed') this.#error = message.error;
      else this.#stopped = message;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  get account(): Account {
    return this.#account!;
  }

  /** True while the server's supervisor runs. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Orders a drain. Returns undefined if the server has not ended `patience` ms after the deadline.
   */
  async stop(deadline: number, patience: number): Promise<Stopped | undefined> {
    const from = performance.now();
    if (this.#child.connected) this.#child.send(deadline);
    const end = from + deadline + patience;
    while (this.isAlive && performance.now() < end) await this.#reported(end - performance.now());
    if (this.#stopped === undefined || this.isAlive) return undefined;
    return { ...this.#stopped, ms: Math.round(performance.now() - from) };
  }

  /** Kills the remaining processes of the server. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const gone = once(this.#child, 'exit');
    await killWithAll(this.pid);
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  /** Resolves after the next report, after the end of the process, or after `ms`. */
  #reported(ms: number): Promise<void> {
    const child = this.#child;
    return new Promise((resolve) => {
      const settle = () => {
        clearTimeout(timer);
        child.off('message', settle);
        child.off('exit', settle);
        resolve();
      };
      const timer = setTimeout(settle, ms);
      child.on('message', settle);
      child.on('exit', settle);
    });
  }
}
