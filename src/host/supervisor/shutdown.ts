/** How a supervisor has its worker processes leave: they are told, woken until they have left, and killed in the end. */

import { isRunning } from '../../os/processes.ts';
import { interrupt, signalGroup } from '../../os/signal.ts';
import type { Scoreboard } from '../../worker/scoreboard.ts';
import type { Plan } from '../plan.ts';
import type { WorkerProcess } from './worker-process.ts';

/** A worker asleep in the kernel is woken again after that many ms until it has ended. */
const WAKE_AGAIN = 10;
/** How long the workers have to end by themselves after their drain, in ms, before they are killed. */
const GRACE = 700;

export class Farewell {
  readonly #workers: ReadonlySet<WorkerProcess>;
  readonly #scoreboard: Scoreboard;
  readonly #isCrew: boolean;
  readonly #servesOnMain: boolean;
  #waking: NodeJS.Timeout | undefined;

  /** @param workers all that there are, whether they leave or not */
  constructor(
    workers: ReadonlySet<WorkerProcess>,
    scoreboard: Scoreboard,
    { traits, threads }: Plan,
  ) {
    this.#workers = workers;
    this.#scoreboard = scoreboard;
    this.#isCrew = traits.arrangement === 'crew';
    this.#servesOnMain = traits.arrangement === 'alone' && threads === 1;
  }

  /** Tells a worker to leave, or one that was told that it has less time. @param drain in ms from now */
  tell(worker: WorkerProcess, drain: number, signal?: NodeJS.Signals): void {
    const { child, pid: leader, killing, isGone } = worker;
    const now = performance.now();
    worker.toldAt = Math.min(worker.toldAt, now);
    worker.leavesBy = Math.min(worker.leavesBy, now + drain);
    // Whose process has ended meanwhile was lost then, and not cut off now.
    if (isGone && killing === undefined) {
      this.#scoreboard.freeRows(({ family, pid }) => family === leader && !isRunning(pid));
    }
    this.giveTime(worker);
    if (signal !== undefined) child.kill(signal);
    else if (!this.#servesOnMain && killing === undefined) child.kill('SIGTERM');
    this.wake();
  }

  /** Whoever does not serve yet has nobody, and needs no more time than to notice: to be called again once it serves. */
  giveTime(worker: WorkerProcess): void {
    clearTimeout(worker.killing);
    const end = worker.isServing ? worker.leavesBy : worker.toldAt;
    worker.killing = setTimeout(
      () => {
        worker.child.kill('SIGKILL');
        if (this.#isCrew) signalGroup(worker.pid, 'SIGKILL');
      },
      Math.max(0, end + GRACE - performance.now()),
    );
  }

  /** Who sleeps in the kernel is woken until it has left; where others serve, their worker does that as long as it lives. */
  wake(): void {
    const wake = () => {
      const asleep = [...this.#workers].filter(
        ({ killing, isGone }) => killing !== undefined && (this.#servesOnMain || isGone),
      );
      for (const { pid, isGone } of asleep) {
        if (isGone) signalGroup(pid, 'wake');
        else interrupt(pid, pid);
      }
      if (asleep.length > 0) return;
      clearInterval(this.#waking);
      this.#waking = undefined;
    };
    this.#waking ??= setInterval(wake, WAKE_AGAIN);
    wake();
  }
}
