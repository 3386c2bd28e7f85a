/** Live servers with their clients, as one stream of records. */
import { cpus, release } from 'node:os';
import { version } from '../../../host/version.ts';
import { clockOf } from '../clock.ts';
import type { Assaults, Hear, Limits, Street } from '../parts.ts';
import { FORMAT, type LabRecord, type Setup, VERSION } from '../shared/model.ts';
import type { LimitName, Plan } from '../shared/scenes.ts';
import type { AttackChoice, Command } from '../shared/wire.ts';
import { Column, type StartStage, type Wish } from './column.ts';
import { commandText } from './command-words.ts';
import { type Known, RefusedError } from './commands.ts';
import { CostMeter } from './cost.ts';
import { Ordering } from './ordering.ts';
import { Ring } from './ring.ts';
import type { Listener, Source } from './source.ts';

/** Interval between batches of lines, in ms. */
const BATCH_INTERVAL = 50;
const COST_INTERVAL = 1000;
/** Attacks stop if no viewer watches for this time, in ms. */
const UNWATCHED = 30_000;
/** Commands that may wait for the one that is carried out. */
const MOST_WAITING = 16;

/** The processes of a session. */
export interface Parts {
  readonly startStage: StartStage;
  readonly startStreet: (epoch: string, hear: Hear) => Promise<Street>;
  readonly assaults: (now: () => number, hear: Hear) => Assaults;
  readonly attacks: readonly AttackChoice[];
  /** Names of architectures that run on this machine. */
  readonly architectures: readonly string[];
}

export class Session implements Source {
  readonly isReplay = false;
  readonly attacks: readonly AttackChoice[];
  readonly #parts: Parts;
  readonly #listener: Listener;
  readonly #epoch = String(process.hrtime.bigint());
  readonly #clock = clockOf(this.#epoch);
  readonly #ordering = new Ordering();
  readonly #ring = new Ring();
  readonly #meter = new CostMeter();
  readonly #timers: NodeJS.Timeout[] = [];
  /** Servers that another one has replaced, and that still end. */
  readonly #closing = new Set<Promise<unknown>>();
  #street!: Street;
  #assaults!: Assaults;
  #plan: Plan;
  #scene: string;
  #columns: Column[] = [];
  #obeying: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #unwatched: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * Starts all processes, and the scene.
   * @throws ServeError in one line; then no process is left
   */
  static async start(
    parts: Parts,
    plan: Plan,
    scene: string,
    listener: Listener,
  ): Promise<Session> {
    const session = new Session(parts, plan, scene, listener);
    try {
      await session.#start();
      return session;
    } catch (error) {
      await session.close();
      throw error;
    }
  }

  private constructor(parts: Parts, plan: Plan, scene: string, listener: Listener) {
    this.#parts = parts;
    this.#plan = plan;
    this.#scene = scene;
    this.#listener = listener;
    this.attacks = parts.attacks;
  }

  get known(): Known {
    return {
      architectures: this.#parts.architectures,
      attacks: this.attacks.map(({ name }) => name),
      stages: this.#columns.length,
    };
  }

  history(): readonly string[] {
    this.#flush();
    return this.#ring.history();
  }

  resumption(lost: number): readonly string[] {
    return this.#ring.resumption(lost);
  }

  watched(viewers: number): void {
    clearTimeout(this.#unwatched);
    if (viewers > 0 || this.#isClosed) return;
    this.#unwatched = setTimeout(() => {
      void this.obey({ do: 'calm', s: -1 }).catch(() => {});
    }, UNWATCHED).unref();
  }

  /** One command after the other. */
  obey(command: Command): Promise<void> {
    if (this.#waiting >= MOST_WAITING) {
      throw new RefusedError(
        'Cannot do this: earlier commands are still carried out; wait for them',
      );
    }
    this.#waiting++;
    const done = this.#obeying.then(() => this.#obey(command)).finally(() => this.#waiting--);
    this.#obeying = done.catch(() => {});
    return done;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearTimeout(this.#unwatched);
    for (const timer of this.#timers) clearInterval(timer);
    await this.#obeying;
    this.#add({ k: 'end', t: this.#now() });
    this.#flush();
    await Promise.allSettled([
      this.#assaults?.close(),
      this.#street?.close(),
      ...this.#columns.map((column) => column.close()),
      ...this.#closing,
    ]);
  }

  async #start(): Promise<void> {
    const hear = (record: LabRecord) => this.#add(record);
    this.#assaults = this.#parts.assaults(this.#clock, (record) => {
      this.#add(record);
      if (record.k === 'a' && record.attack === '') void this.#street.watch(record.s);
    });
    const [columns, street] = await Promise.allSettled([
      this.#startColumns(this.#plan, wishesOf(this.#plan)),
      this.#parts.startStreet(this.#epoch, hear),
    ]);
    if (columns.status === 'fulfilled') this.#columns = columns.value;
    if (street.status === 'fulfilled') this.#street = street.value;
    for (const one of [columns, street]) if (one.status === 'rejected') throw one.reason;
    void this.#street.ended.then(() => {
      if (!this.#isClosed) this.#listener.fault('The process of the clients has ended');
    });
    this.#emit({
      k: 'h',
      format: FORMAT,
      version: VERSION,
      mondo: version(),
      at: Date.now() - this.#now(),
      machine: { kernel: `Linux ${release()}`, cpus: cpus().length, node: process.version },
      setup: this.#setup(),
    });
    this.#show(this.#columns, 0);
    await this.#play(this.#columns);
    this.#timers.push(
      setInterval(() => this.#flush(), BATCH_INTERVAL),
      setInterval(() => this.#tellCost(), COST_INTERVAL),
    );
  }

  #now(): number {
    return Math.round(this.#clock() * 1000) / 1000;
  }

  #add(record: LabRecord): void {
    this.#ordering.add(record);
  }

  #emit(record: LabRecord): void {
    this.#listener.lines([this.#ring.add(record)]);
  }

  #flush(): void {
    const records = this.#ordering.take();
    // Before the header no viewer could use them.
    if (records.length === 0 || this.#ring.model.header === undefined) return;
    this.#listener.lines(records.map((record) => this.#ring.add(record)));
  }

  #tellCost(): void {
    const supervisors = this.#columns.map(({ stage }) => stage.setup.pid);
    const clients = [this.#street.pid, ...this.#assaults.pids];
    this.#add({ k: 'o', t: this.#now(), ...this.#meter.take({ supervisors, clients }) });
  }

  #setup(): Setup {
    const { title, seed, mix } = this.#plan;
    const stages = this.#columns.map(({ stage }) => stage.setup);
    return { scene: this.#scene, title, seed, mix, stages };
  }

  async #obey(command: Command): Promise<void> {
    if (this.#isClosed) return;
    await this.#do(command);
    const s = 's' in command ? command.s : -1;
    const titleOf = (name: string) =>
      this.attacks.find((attack) => attack.name === name)?.title ?? name;
    const text = commandText(command, this.#setup(), titleOf);
    this.#add({ k: 'c', t: this.#now(), s, text });
  }

  async #do(command: Command): Promise<unknown> {
    switch (command.do) {
      case 'take-over':
        // The hub knows who steers.
        return;
      case 'plan':
        return this.#replaceAll(command.plan, command.scene, wishesOf(command.plan));
      case 'again':
        return this.#replaceAll(
          this.#plan,
          this.#scene,
          this.#columns.map(({ wish }) => ({ ...wish, needs: {} })),
        );
      case 'swap':
        return this.#replace(command.s, { stage: command.stage, needs: {} });
      case 'trace':
        return this.#each(command.s, ({ s }) => this.#replace(s, { traced: command.on }));
      case 'limit':
        return this.#renew(command.s, ({ wish }) => ({
          ...wish,
          limits: withLimit(wish.limits, command.name, command.value),
        }));
      case 'dry-run':
        return this.#renew(command.s, ({ wish }) => ({ ...wish, dryRun: command.on }));
      case 'restart':
        return this.#renew(command.s, ({ wish }) => wish);
      case 'stop':
        return this.#each(command.s, async (column) => {
          this.#mustRun(column);
          column.isStopped = true;
          await column.stage.stop();
        });
      case 'signal':
        return this.#signal(this.#columns[command.s]!, command.pid, command.signal);
      case 'nc':
        return this.#each(command.s, ({ s }) => this.#street.nc(s));
      case 'release':
        return this.#each(command.s, ({ s }) => this.#street.release(s));
      case 'probe':
        return this.#each(command.s, (column) => {
          column.wish = { ...column.wish, probed: command.on };
          return this.#street.probe(column.s, command.on);
        });
      case 'attack':
        return this.#each(command.s, (column) => this.#attack(column, command));
      case 'calm':
        return this.#each(command.s, ({ s }) => this.#assaults.stop(s));
    }
  }

  /** For one column, or for all at once if `s` is -1. @throws what the first one throws */
  async #each(s: number, act: (column: Column) => unknown): Promise<void> {
    const columns = s === -1 ? this.#columns : [this.#columns[s]!];
    const done = await Promise.allSettled(columns.map(async (column) => act(column)));
    const failed = done.find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }

  #mustRun(column: Column): void {
    if (!column.isStopped) return;
    const { architecture } = column.stage.setup;
    throw new RefusedError(`${architecture} is stopped; start the scene again`);
  }

  #signal(column: Column, pid: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): unknown {
    const { stage } = column;
    if (!stage.pids.includes(pid)) {
      throw new RefusedError(`Process ${pid} is no worker of ${stage.setup.architecture}`);
    }
    return stage.signal(pid, signal);
  }

  /** Changes what is wished, and restarts the workers: clients stay. */
  async #renew(s: number, change: (column: Column) => Wish): Promise<void> {
    await this.#each(s, async (column) => {
      this.#mustRun(column);
      const before = column.wish;
      column.wish = change(column);
      try {
        await column.restart();
      } catch (error) {
        column.wish = before;
        throw error;
      }
    });
    this.#add({ k: 's', t: this.#now(), s: -2, setup: this.#setup() });
  }

  async #attack(column: Column, { attack, seconds }: Command & { do: 'attack' }): Promise<void> {
    const { architecture } = column.stage.setup;
    const why = this.attacks.find(({ name }) => name === attack)?.unfit[architecture];
    if (why !== undefined) throw new RefusedError(`Cannot attack ${architecture}: ${why}`);
    this.#mustRun(column);
    const needs = this.#assaults.needsOf(attack);
    const has = column.wish.needs;
    if (needs.descriptors !== has.descriptors || needs.burning !== has.burning) {
      await this.#replace(column.s, { needs });
    }
    const { stage } = this.#columns[column.s]!;
    await this.#assaults.start(column.s, attack, stage, seconds);
  }

  /** Another server in one column; the others go on. */
  async #replace(s: number, change: Partial<Wish>): Promise<void> {
    const before = this.#columns[s]!;
    const wish = { ...before.wish, ...change };
    const [column] = await this.#startColumns(this.#plan, [wish], s);
    await this.#exchange([before], [column!], () => {
      this.#columns = this.#columns.with(s, column!);
      const stages = this.#plan.stages.with(s, wish.stage);
      this.#plan = { ...this.#plan, stages };
      return s;
    });
  }

  async #replaceAll(plan: Plan, scene: string, wishes: readonly Wish[]): Promise<void> {
    const columns = await this.#startColumns(plan, wishes);
    await this.#exchange(this.#columns, columns, () => {
      this.#columns = columns;
      this.#plan = plan;
      this.#scene = scene;
      return -1;
    });
  }

  /** All, or none. */
  async #startColumns(plan: Plan, wishes: readonly Wish[], first = 0): Promise<Column[]> {
    const { think, thinking } = plan;
    const started = await Promise.allSettled(
      wishes.map((wish, index) => {
        const order = { s: first + index, think, thinking, epoch: this.#epoch };
        return Column.start(this.#parts.startStage, order, wish);
      }),
    );
    const columns = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const failed = started.find((one) => one.status === 'rejected');
    if (failed === undefined) return columns;
    await Promise.allSettled(columns.map((column) => column.close()));
    throw failed.reason;
  }

  /** The clients leave the old servers, and come to the new ones from their start. */
  async #exchange(
    old: readonly Column[],
    columns: readonly Column[],
    change: () => number,
  ): Promise<void> {
    for (const { s } of old) {
      await this.#assaults.stop(s);
      await this.#street.silence(s);
    }
    for (const column of old) column.hide();
    const s = change();
    const t = this.#now();
    // What the old ones told before comes first.
    this.#flush();
    this.#add({ k: 's', t, s, setup: this.#setup() });
    this.#show(columns, t);
    await this.#play(columns);
    for (const column of old) {
      const closing = column.close().catch(() => {});
      this.#closing.add(closing);
      void closing.then(() => this.#closing.delete(closing));
    }
  }

  #show(columns: readonly Column[], t: number): void {
    const hear = (record: LabRecord) => this.#add(record);
    for (const column of columns) {
      for (const record of column.show(hear)) this.#ordering.add(record, t);
      void column.stage.exited.then((how) => {
        if (!this.#columns.includes(column) || column.isStopped || this.#isClosed) return;
        column.isStopped = true;
        this.#listener.fault(`The process of ${column.stage.setup.architecture} has ended: ${how}`);
      });
    }
  }

  async #play(columns: readonly Column[]): Promise<void> {
    const stages = columns.map(({ s, stage }) => ({ s, port: stage.port }));
    await this.#street.play(stages, this.#plan.seed, this.#plan.mix);
    for (const { s, wish } of columns) if (wish.probed) await this.#street.probe(s, true);
  }
}

function withLimit(limits: Limits, name: LimitName, value: number): Limits {
  const { [name]: _, ...others } = limits;
  return value === 0 ? others : { ...others, [name]: value };
}

const wishesOf = ({ stages, limits, dryRun }: Plan): Wish[] =>
  stages.map((stage) => ({ stage, limits, dryRun, probed: false, needs: {}, traced: false }));
