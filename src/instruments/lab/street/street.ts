/** The street of the lab: real clients that come to each stage, in one process of their own. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { ServeError } from '../../../host/errors.ts';
import { NO_DEBUGGER } from '../../../host/no-debugger.ts';
import type { Mix } from '../shared/plan.ts';
import type { LabRecord } from '../shared/records.ts';
import type { Order, Reply } from './process.ts';

const extension = import.meta.filename.slice(-3);
const gone = () => new ServeError('failed', 'Cannot play the clients: their process has ended');

/** A stage, and the port of its server on 127.0.0.1. */
interface StagePort {
  readonly s: number;
  readonly port: number;
}

export class Street implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #hear: (record: LabRecord) => void;
  readonly #waiting = new Map<number, { resolve(): void; reject(error: Error): void }>();
  #orders = 0;
  /** Resolves when its process has ended, for any reason. */
  readonly ended: Promise<void>;

  /**
   * Starts the process. Resolves when it takes orders.
   *
   * @param epoch when the recording began, as text of `process.hrtime.bigint()`
   * @param hear gets frames: counters, events and waits of the clients, and the probe
   */
  static async start(epoch: string, hear: (record: LabRecord) => void): Promise<Street> {
    const file = new URL(`./process${extension}`, import.meta.url);
    const stdio: ['ignore', 'ignore', 'inherit', 'ipc'] = ['ignore', 'ignore', 'inherit', 'ipc'];
    // Detached, because Ctrl-C in a terminal would also end this process. The hub ends it.
    const child = fork(file, [epoch], { execArgv: [...NO_DEBUGGER], stdio, detached: true });
    const street = new Street(child, hear);
    const ready = once(child, 'message');
    await Promise.race([ready, street.ended.then(() => Promise.reject(gone()))]);
    return street;
  }

  private constructor(child: ChildProcess, hear: (record: LabRecord) => void) {
    this.#child = child;
    this.#hear = hear;
    this.ended = new Promise((resolve) => {
      child.once('exit', () => {
        for (const { reject } of this.#waiting.values()) reject(gone());
        this.#waiting.clear();
        resolve();
      });
    });
    // An order to a process that has just ended: its exit rejects it.
    child.on('error', () => {});
    child.on('message', (message: Reply) => {
      if (message.reply === 'record') this.#hear(message.record);
      if (message.reply !== 'done') return;
      this.#waiting.get(message.number)?.resolve();
      this.#waiting.delete(message.number);
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /**
   * The cast of this seed comes to each of these stages, at the same times. It replaces the clients that were there,
   * which leave without a word; other stages go on. Later frames of these stages are of the new clients.
   */
  play(stages: readonly StagePort[], seed: number, mix: Mix): Promise<void> {
    return this.#order({ order: 'play', stages, seed, mix });
  }

  /** All clients of a stage leave, and its probe pauses, until the next `play` or `wake`. */
  silence(s: number): Promise<void> {
    return this.#order({ order: 'silence', s });
  }

  /** After `silence`: the clients come again, at the times of the scene, to the same server; the probe goes on. */
  wake(s: number): Promise<void> {
    return this.#order({ order: 'wake', s });
  }

  /** One more silent client comes to a stage; its id is a free one from `FIRST_NC` on. */
  nc(s: number): Promise<void> {
    return this.#order({ order: 'nc', s });
  }

  /** The clients that `nc` added leave, and the stopwatch of the probe starts. */
  release(s: number): Promise<void> {
    return this.#order({ order: 'release', s });
  }

  /** Switches the probe of a stage. It stays as it is when the stage gets another server. */
  probe(s: number, on: boolean): Promise<void> {
    return this.#order({ order: 'probe', s, on });
  }

  /** An attack on a stage has ended: the stopwatch of its probe starts. */
  watch(s: number): Promise<void> {
    return this.#order({ order: 'watch', s });
  }

  /** Ends the process, and all its connections with it. */
  async close(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    await this.ended;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #order(order: Order): Promise<void> {
    const number = this.#orders++;
    const done = new Promise<void>((resolve, reject) => {
      this.#waiting.set(number, { resolve, reject });
      if (this.#child.connected) this.#child.send({ number, order });
      else reject(gone());
    });
    // A caller that does not wait for an order hears from `ended` that the process is gone.
    done.catch(() => {});
    return done;
  }
}
