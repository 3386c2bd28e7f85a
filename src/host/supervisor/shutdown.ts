/**
 * How a supervisor makes its worker processes leave: it gives the order, wakes them until they have left, and kills
 * late ones.
 */

import { isRunning } from '../../os/processes.ts';
import { interrupt, signalGroup } from '../../os/signal.ts';
import type { Scoreboard } from '../../worker/scoreboard.ts';
import type { Plan } from '../plan.ts';
import type { WorkerProcess } from './worker-process.ts';

/** Interval at which a worker that sleeps in the kernel is woken until it has ended, in ms. */
const WAKE_INTERVAL_MS = 10;
/** Time that the workers have to end by themselves after their drain, in ms. Then the supervisor kills them. */
const GRACE_MS = 700;

export class Shutdown {
  readonly #workers: ReadonlySet<WorkerProcess>;
  readonly #scoreboard: Scoreboard;
  readonly #isCrew: boolean;
  #waking: NodeJS.Timeout | undefined;

  /** @param workers all workers, leaving or not */
  constructor(workers: ReadonlySet<WorkerProcess>, scoreboard: Scoreboard, { traits }: Plan) {
    this.#workers = workers;
    this.#scoreboard = scoreboard;
    this.#isCrew = traits.arrangement === 'crew';
  }

  /** Orders a worker to leave, or shortens its time. @param drain in ms from now */
  order(worker: WorkerProcess, drain: number, signal?: NodeJS.Signals): void {
    const { child, pid: leader, killing, isGone } = worker;
    const now = performance.now();
    worker.orderedAt = Math.min(worker.orderedAt, now);
    worker.leavesBy = Math.min(worker.leavesBy, now + drain);
    // If its process has already ended, its connections were lost then, and are not cut off now.
    if (isGone && killing === undefined) {
      this.#scoreboard.freeRows(({ family, pid }) => family === leader && !isRunning(pid));
    }
    this.giveTime(worker);
    if (signal !== undefined) child.kill(signal);
    else if (!worker.servesOnMain && killing === undefined) child.kill('SIGTERM');
    this.wake();
  }

  /** A worker that does not serve yet has no clients and needs almost no time. Call this again once it serves. */
  giveTime(worker: WorkerProcess): void {
    clearTimeout(worker.killing);
    const end = worker.isServing ? worker.leavesBy : worker.orderedAt;
    worker.killing = setTimeout(
      () => {
        worker.child.kill('SIGKILL');
        if (this.#isCrew) signalGroup(worker.pid, 'SIGKILL');
      },
      Math.max(0, end + GRACE_MS - performance.now()),
    );
  }

  /**
   * Wakes workers that sleep in the kernel until they have left. If other threads serve, their living worker wakes
   * them.
   */
  wake(): void {
    const wake = () => {
      const asleep = [...this.#workers].filter(
        ({ killing, isGone, servesOnMain }) => killing !== undefined && (servesOnMain || isGone),
      );
      for (const { pid, isGone } of asleep) {
        if (isGone) signalGroup(pid, 'wake');
        else interrupt(pid, pid);
      }
      if (asleep.length > 0) return;
      clearInterval(this.#waking);
      this.#waking = undefined;
    };
    this.#waking ??= setInterval(wake, WAKE_INTERVAL_MS);
    wake();
  }
}
