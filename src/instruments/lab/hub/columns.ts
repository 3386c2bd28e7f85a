/** The servers of a session, one beside the other. A change is complete, or does not happen. */

import type { Assaults, Hear, Limits, Street } from '../parts.ts';
import type { LimitName, Plan } from '../shared/plan.ts';
import type { LabRecord, Setup } from '../shared/records.ts';
import { Column, type StartStage, type Wish } from './column.ts';
import { RefusedError } from './commands.ts';
import type { Ordering } from './ordering.ts';

/** What the servers have around them. */
export interface Surroundings {
  readonly startStage: StartStage;
  readonly epoch: string;
  /** ms since the epoch. */
  readonly now: () => number;
  readonly ordering: Ordering;
  /** Gives out what has come so far. */
  readonly flush: () => void;
  readonly fault: (text: string) => void;
}

export class Columns {
  readonly #around: Surroundings;
  /** Servers that another one has replaced, and that still end. */
  readonly #closing = new Set<Promise<unknown>>();
  #street!: Street;
  #assaults!: Assaults;
  #plan: Plan;
  #scene: string;
  #all: readonly Column[] = [];
  #isClosed = false;

  constructor(around: Surroundings, plan: Plan, scene: string) {
    this.#around = around;
    this.#plan = plan;
    this.#scene = scene;
  }

  get length(): number {
    return this.#all.length;
  }

  /** Process ids. */
  get supervisors(): readonly number[] {
    return this.#all.map(({ stage }) => stage.setup.pid);
  }

  get setup(): Setup {
    const { title, seed, mix } = this.#plan;
    return {
      scene: this.#scene,
      title,
      seed,
      mix,
      stages: this.#all.map(({ stage }) => stage.setup),
    };
  }

  /** Starts the servers of the plan. `begin` shows them. @throws ServeError; then none of them is left */
  async start(): Promise<void> {
    this.#all = await this.#start(this.#plan, wishesOf(this.#plan));
  }

  /** The servers are shown, and their clients come. */
  async begin(street: Street, assaults: Assaults): Promise<void> {
    this.#street = street;
    this.#assaults = assaults;
    this.#show(this.#all, 0);
    await this.#play(this.#all);
  }

  /** For one server, or for all at once if `s` is -1. @throws what the first one throws */
  async each(s: number, act: (column: Column) => unknown): Promise<void> {
    const columns = s === -1 ? this.#all : [this.#all[s]!];
    const done = await Promise.allSettled(columns.map(async (column) => act(column)));
    const failed = done.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  at(s: number): Column {
    return this.#all[s]!;
  }

  /** Changes what is wished, and restarts the workers: clients stay. */
  async renew(s: number, change: (wish: Wish) => Wish): Promise<void> {
    await this.each(s, async (column) => {
      mustRun(column);
      const before = column.wish;
      column.wish = change(before);
      try {
        await column.restart();
      } catch (error) {
        column.wish = before;
        throw error;
      }
    });
    this.#add({ k: 's', t: this.#around.now(), s: -2, setup: this.setup });
  }

  /** Another server in one column; the others go on. */
  async replace(s: number, change: Partial<Wish>): Promise<void> {
    const before = this.#all[s]!;
    const wish = { ...before.wish, ...change };
    const [column] = await this.#start(this.#plan, [wish], s);
    await this.#exchange([before], [column!], () => {
      this.#all = this.#all.with(s, column!);
      const stages = this.#plan.stages.with(s, wish.stage);
      this.#plan = { ...this.#plan, stages };
      return s;
    });
  }

  /** Other servers in every column. */
  async replaceAll(plan: Plan, scene: string, wishes = wishesOf(plan)): Promise<void> {
    const columns = await this.#start(plan, wishes);
    await this.#exchange(this.#all, columns, () => {
      this.#all = columns;
      this.#plan = plan;
      this.#scene = scene;
      return -1;
    });
  }

  /** The same servers from their start, without what an attack needed of them. */
  again(): Promise<void> {
    const wishes = this.#all.map(({ wish }) => ({ ...wish, needs: {} }));
    return this.replaceAll(this.#plan, this.#scene, wishes);
  }

  /** The clients of another street come to the same servers, which start anew as well: their counters are of both. */
  take(street: Street): Promise<void> {
    this.#street = street;
    return this.again();
  }

  /** Attacks stop, and all clients leave; the servers stay. */
  async idle(): Promise<void> {
    await this.each(-1, async ({ s }) => {
      await this.#assaults.stop(s);
      await this.#street.silence(s);
    });
  }

  /** After `idle`: the clients of the scene come again, and the probes that were on go on. */
  wake(): Promise<void> {
    return this.each(-1, ({ s, isStopped }) => (isStopped ? undefined : this.#street.wake(s)));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.allSettled([...this.#all.map((column) => column.close()), ...this.#closing]);
  }

  #add(record: LabRecord): void {
    this.#around.ordering.add(record);
  }

  /** All, or none. */
  async #start(plan: Plan, wishes: readonly Wish[], first = 0): Promise<Column[]> {
    const { think, thinking } = plan;
    const { startStage, epoch } = this.#around;
    const started = await Promise.allSettled(
      wishes.map((wish, index) =>
        Column.start(startStage, { s: first + index, think, thinking, epoch }, wish),
      ),
    );
    const columns = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = started.find((one) => one.status === 'rejected');
    if (failed === undefined) return columns;
    await this.#end(columns);
    throw failed.reason;
  }

  /** The clients leave the old servers, and come to the new ones from their start. */
  async #exchange(
    old: readonly Column[],
    columns: readonly Column[],
    change: () => number,
  ): Promise<void> {
    try {
      for (const { s } of old) {
        await this.#assaults.stop(s);
        await this.#street.silence(s);
      }
    } catch (error) {
      await this.#end(columns);
      throw error;
    }
    for (const column of old) column.hide();
    const s = change();
    const t = this.#around.now();
    // What the old ones told before comes first.
    this.#around.flush();
    this.#add({ k: 's', t, s, setup: this.setup });
    this.#show(columns, t);
    try {
      await this.#play(columns);
    } finally {
      const ending = this.#end(old);
      this.#closing.add(ending);
      void ending.then(() => this.#closing.delete(ending));
    }
  }

  async #end(columns: readonly Column[]): Promise<void> {
    await Promise.allSettled(columns.map((column) => column.close()));
  }

  #show(columns: readonly Column[], t: number): void {
    const { ordering, fault } = this.#around;
    const hear: Hear = (record) => this.#add(record);
    for (const column of columns) {
      for (const record of column.show(hear)) ordering.add(record, t);
      void column.stage.exited.then((how) => {
        if (!this.#all.includes(column) || column.isStopped || this.#isClosed) return;
        column.isStopped = true;
        fault(`The process of ${column.stage.setup.architecture} has ended: ${how}`);
      });
    }
  }

  async #play(columns: readonly Column[]): Promise<void> {
    const stages = columns.map(({ s, stage }) => ({ s, port: stage.port }));
    await this.#street.play(stages, this.#plan.seed, this.#plan.mix);
    for (const { s, wish } of columns) if (wish.probed) await this.#street.probe(s, true);
  }
}

/** @throws RefusedError if a viewer has stopped the server, or it has ended */
export function mustRun(column: Column): void {
  if (!column.isStopped) return;
  const { architecture } = column.stage.setup;
  throw new RefusedError(`${architecture} is stopped; start the scene again`);
}

/** The limits with another value of one of them; 0: without it. */
export function withLimit(limits: Limits, name: LimitName, value: number): Limits {
  const { [name]: _, ...others } = limits;
  return value === 0 ? others : { ...others, [name]: value };
}

const wishesOf = ({ stages, limits, dryRun }: Plan): Wish[] =>
  stages.map((stage) => ({ stage, limits, dryRun, probed: false, needs: {}, traced: false }));
