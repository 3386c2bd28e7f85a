/** Starts the process of a server under siege, and hears of it. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { NO_DEBUGGER } from '../../host/no-debugger.ts';
import { killWithAll } from '../../os/processes.ts';
import type { Account, Message, Orders } from './defender.ts';

const extension = import.meta.filename.slice(-3);
/** How long a server has to start, in ms. */
const START = 20_000;

/** How a server that was told to stop did so. */
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

  /** Starts a server; resolves once it serves. @throws Error that says why it does not */
  static async start(orders: Orders): Promise<Defence> {
    const file = new URL(`./defender${extension}`, import.meta.url);
    const stdio: ['ignore', 'ignore', 'ignore', 'ipc'] = ['ignore', 'ignore', 'ignore', 'ipc'];
    // Detached: Ctrl-C in a terminal is not for the server, which is told to stop when it is to.
    const options = { execArgv: [...NO_DEBUGGER], stdio, detached: true };
    const defence = new Defence(fork(file, [JSON.stringify(orders)], options));
    const end = performance.now() + START;
    while (defence.#account === undefined) {
      if (defence.#error === undefined && defence.isAlive && performance.now() < end) {
        await defence.#heard(end - performance.now());
        continue;
      }
      const why = defence.#error ?? (defence.isAlive ? `not within ${START} ms` : 'it has ended');
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

  /** Whether its supervisor is there. */
  get isAlive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Tells it to drain; nothing if it has not ended by itself `patience` ms after its deadline. */
  async stop(deadline: number, patience: number): Promise<Stopped | undefined> {
    const from = performance.now();
    if (this.#child.connected) this.#child.send(deadline);
    const end = from + deadline + patience;
    while (this.isAlive && performance.now() < end) await this.#heard(end - performance.now());
    if (this.#stopped === undefined || this.isAlive) return undefined;
    return { ...this.#stopped, ms: Math.round(performance.now() - from) };
  }

  /** Ends whatever is left of it. */
  async kill(): Promise<void> {
    if (!this.isAlive) return;
    const gone = once(this.#child, 'exit');
    await killWithAll(this.pid);
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.kill();
  }

  /** Resolves when it has told something, or ended, or the time is over. */
  #heard(ms: number): Promise<void> {
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
