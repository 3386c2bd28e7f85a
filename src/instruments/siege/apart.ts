/** Runs attacks in a separate process. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { ServeError } from '../../host/errors.ts';
import { NO_DEBUGGER } from '../../host/no-debugger.ts';
import type { Order, Reply } from './attacker.ts';
import type { Attack } from './attacks.ts';
import type { Running, Target } from './hostile.ts';
import type { Intensity } from './intensity.ts';

const extension = import.meta.filename.slice(-3);
/** Timeout for each order, in ms. */
const PATIENCE = 10_000;

const failed = (why: string) => new ServeError('failed', `Cannot attack: ${why}`);

/** A process that runs one attack at a time. */
export class Attacker implements AsyncDisposable {
  readonly #child: ChildProcess;
  #intensity: Intensity | undefined;

  /** Starts the process. Resolves when it can take orders. */
  static async start(): Promise<Attacker> {
    const file = new URL(`./attacker${extension}`, import.meta.url);
    const stdio: ['ignore', 'ignore', 'inherit', 'ipc'] = ['ignore', 'ignore', 'inherit', 'ipc'];
    // Detached, because Ctrl-C in a terminal would also end this process before it can reply.
    const attacker = new Attacker(
      fork(file, { execArgv: [...NO_DEBUGGER], stdio, detached: true }),
    );
    await attacker.#answered('ready');
    return attacker;
  }

  private constructor(child: ChildProcess) {
    this.#child = child;
    // An order to a process that has just ended: `#answered` reports that.
    child.on('error', () => {});
    child.on('message', (message: Reply) => {
      if (message.reply === 'intensity') this.#intensity = message.intensity;
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** Starts an attack. Resolves when its first wave is connected. */
  async attack({ name, isInside = false, start }: Attack, target: Target): Promise<Running> {
    // An attack on the server's processes runs here: it needs their ids, which change.
    if (isInside) return start(target);
    this.#intensity = undefined;
    const { pids: _, ...force } = target;
    await this.#order({ order: 'start', name, ...force }, 'started');
    return {
      // The process reports the intensity before it reports the start.
      intensity: () => this.#intensity!,
      stop: () => this.#order({ order: 'stop' }, 'stopped'),
    };
  }

  async close(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const gone = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #order(order: Order, wanted: Reply['reply']): Promise<void> {
    if (!this.#child.connected) throw failed('the process of the attackers has ended');
    const answered = this.#answered(wanted);
    this.#child.send(order);
    await answered;
  }

  /** Resolves with that reply. Rejects on failure, on exit, and after the timeout. */
  #answered(wanted: Reply['reply']): Promise<void> {
    const child = this.#child;
    return new Promise((resolve, reject) => {
      const settle = (error?: Error) => {
        clearTimeout(timer);
        child.off('message', hear);
        child.off('exit', gone);
        if (error === undefined) resolve();
        else reject(error);
      };
      const hear = (message: Reply) => {
        if (message.reply === wanted) settle();
        if (message.reply === 'failed') settle(failed(message.error));
      };
      const gone = () => settle(failed('the process of the attackers has ended'));
      const late = () => settle(failed(`no reply within ${PATIENCE} ms`));
      const timer = setTimeout(late, PATIENCE);
      child.on('message', hear);
      child.once('exit', gone);
    });
  }
}
