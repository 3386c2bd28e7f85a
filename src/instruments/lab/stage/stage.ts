/** A stage from the lab's side: starts the process of its server, hears its records, and gives it orders. */

import { type ChildProcess, fork } from 'node:child_process';
import { ServeError } from '../../../host/errors.ts';
import { NO_DEBUGGER } from '../../../host/no-debugger.ts';
import { isRunning, killWithAll } from '../../../os/processes.ts';
import { removePipesOf } from '../../trace/tracer.ts';
import type { Hear, Stage, StageOrder } from '../parts.ts';
import type { StageSetup } from '../shared/records.ts';
import { commandOf, limitsOf, type Restart } from './options.ts';
import type { Message, Order } from './process.ts';

const extension = import.meta.filename.slice(-3);
/** Time that a server may take until it serves, in ms. */
const START_TIMEOUT = 30_000;
/** Time that a stop gives to clients that wait for an answer, in ms. */
const DRAIN = 10_000;

/** An order, without the number that its answer has. */
type Wanted<O = Order> = O extends Order ? Omit<O, 'id'> : never;

export class StageProcess implements Stage, AsyncDisposable {
  readonly #child: ChildProcess;
  #order: StageOrder;
  #setup: StageSetup | undefined;
  #pids: readonly number[] = [];
  readonly #waiting = new Map<number, PromiseWithResolvers<void>>();
  #orders = 0;
  /** How the stage's process has ended, as `exit code 0` or a signal: also when it was ordered to. */
  readonly exited: Promise<string>;

  /**
   * Starts a server. Resolves when it serves.
   *
   * @param hear called with each frame, from before the start has resolved
   * @throws ServeError that says why it does not serve; nothing of it is left then
   */
  static async start(order: StageOrder, hear: Hear): Promise<StageProcess> {
    const file = new URL(`./process${extension}`, import.meta.url);
    const stdio: ['ignore', 'ignore', 'ignore', 'ipc'] = ['ignore', 'ignore', 'ignore', 'ipc'];
    // Detached, because Ctrl-C in a terminal must not end the server before the lab does.
    const options = { execArgv: [...NO_DEBUGGER], stdio, detached: true };
    const stage = new StageProcess(fork(file, [JSON.stringify(order)], options), order);
    try {
      await stage.#started(hear);
      return stage;
    } catch (error) {
      await stage.close();
      throw error;
    }
  }

  private constructor(child: ChildProcess, order: StageOrder) {
    this.#child = child;
    this.#order = order;
    this.exited = new Promise((resolve) => {
      child.on('exit', (code, signal) => {
        const how = signal ?? `exit code ${code}`;
        // Its last messages may come after its end.
        if (child.connected) child.once('disconnect', () => resolve(how));
        else resolve(how);
      });
      // It could not be started, or a message could not be sent.
      child.on('error', (error) => {
        if (child.pid === undefined) resolve(error.message);
      });
    });
    void this.exited.then((how) => {
      for (const { reject } of this.#waiting.values()) reject(failed(`it has ended: ${how}`));
      this.#waiting.clear();
    });
  }

  /** What the stage runs now. A restart changes its limits. */
  get setup(): StageSetup {
    return this.#setup!;
  }

  get port(): number {
    return this.setup.port;
  }

  /** The supervisor's. */
  get pid(): number {
    return this.#child.pid!;
  }

  /** The worker processes, and those that they have started. */
  get pids(): readonly number[] {
    return this.#pids;
  }

  /**
   * Replaces the workers on the same listener. Resolves when the new ones serve. The old ones serve their clients on,
   * with the old limits, for a minute at most.
   *
   * @param options.limits all limits that are set from now on
   */
  async restart(options: Restart): Promise<void> {
    const { limits, dryRun } = options;
    await this.#ask({ do: 'restart', limits, dryRun });
    this.#order = { ...this.#order, limits, dryRun };
    this.#setup = {
      ...this.setup,
      limits: limitsOf(this.#order),
      dryRun,
      command: commandOf(this.#order),
    };
  }

  /** Stops the server with a drain. Resolves when nothing of it is left. @param deadline in ms */
  async stop(deadline = DRAIN): Promise<void> {
    await this.#ask({ do: 'stop', deadline });
    await this.exited;
  }

  /** Sends a signal to a process of the server. @throws ServeError if it is none of them */
  async signal(pid: number, signal: NodeJS.Signals): Promise<void> {
    await this.#ask({ do: 'signal', pid, signal });
  }

  /** Kills what is left of the server. */
  async close(): Promise<void> {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid !== undefined && exitCode === null && signalCode === null) await killWithAll(pid);
    await this.exited;
    if (pid !== undefined && this.#order.trace === true) removePipesOf(pid);
    // A process that outlives its worker: the worker was killed before it could end it.
    for (const left of this.#pids) if (isRunning(left)) process.kill(left, 'SIGKILL');
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #started(hear: Hear): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const late = setTimeout(() => {
      reject(failed(`it does not serve after ${START_TIMEOUT} ms`));
    }, START_TIMEOUT);
    this.#child.on('message', (message: Message) => {
      if (message.tell === 'record') hear(message.record);
      else if (message.tell === 'pids') this.#pids = message.pids;
      else if (message.tell === 'done') this.#done(message.id, message.error);
      else if (message.tell === 'failed') reject(new ServeError('failed', message.error));
      else {
        [this.#setup, this.#pids] = [message.setup, message.pids];
        resolve();
      }
    });
    void this.exited.then((how) => reject(failed(`it has ended: ${how}`)));
    return promise.finally(() => clearTimeout(late));
  }

  #ask(wanted: Wanted): Promise<void> {
    const id = ++this.#orders;
    const answer = Promise.withResolvers<void>();
    if (!this.#child.connected) return Promise.reject(failed('it has ended'));
    this.#waiting.set(id, answer);
    this.#child.send({ ...wanted, id } satisfies Order);
    return answer.promise;
  }

  #done(id: number, error: string | undefined): void {
    const answer = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (error === undefined) answer?.resolve();
    else answer?.reject(new ServeError('failed', error));
  }
}

const failed = (why: string) => new ServeError('failed', `The stage failed: ${why}`);
