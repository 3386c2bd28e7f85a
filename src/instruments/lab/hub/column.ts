/** One column of the picture: a server, as it was asked for and as it runs. */

import type { Hear, Limits, Needs, Stage, StageOrder } from '../parts.ts';
import type { StagePlan } from '../shared/plan.ts';
import type { LabRecord } from '../shared/records.ts';

/** What a column is started with. */
export interface Wish {
  readonly stage: StagePlan;
  readonly limits: Limits;
  readonly dryRun: boolean;
  readonly probed: boolean;
  readonly needs: Needs;
  /** The lines of its code are shown. */
  readonly traced: boolean;
}

export type StartStage = (order: StageOrder, hear: Hear) => Promise<Stage>;

/**
 * A column's server starts beside the one that it follows. Its records wait until it is shown, and end when another
 * one is shown in its place.
 */
export class Column {
  readonly s: number;
  wish: Wish;
  isStopped = false;
  #stage: Stage | undefined;
  #hear: Hear | undefined;
  #held: LabRecord[] | undefined = [];

  /** @throws what the start of the server throws; then nothing is left of it */
  static async start(
    start: StartStage,
    order: Omit<StageOrder, 'plan' | 'limits' | 'dryRun'>,
    wish: Wish,
  ): Promise<Column> {
    const column = new Column(order.s, wish);
    const { stage: plan, limits, dryRun, needs, traced: trace } = wish;
    column.#stage = await start({ ...order, plan, limits, dryRun, trace, ...needs }, (record) => {
      if (column.#hear !== undefined) column.#hear(record);
      else column.#held?.push(record);
    });
    return column;
  }

  private constructor(s: number, wish: Wish) {
    this.s = s;
    this.wish = wish;
  }

  get stage(): Stage {
    return this.#stage!;
  }

  /** @returns the records that came before */
  show(hear: Hear): readonly LabRecord[] {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.#hear = hear;
    return held;
  }

  hide(): void {
    this.#held = undefined;
    this.#hear = undefined;
  }

  /** Replaces the workers by such with the limits of the wish. */
  async restart(): Promise<void> {
    const { limits, dryRun } = this.wish;
    await this.stage.restart({ limits, dryRun });
  }

  async close(): Promise<void> {
    this.hide();
    await this.stage.close();
  }
}
