/** Live servers with their clients, as one stream of records. */
import { cpus, release } from 'node:os';
import type { ServeError } from '../../../host/errors.ts';
import { version } from '../../../host/version.ts';
import { clockOf } from '../clock.ts';
import type { Assaults, Hear, Street } from '../parts.ts';
import type { Plan } from '../shared/plan.ts';
import { FORMAT, type LabRecord, VERSION } from '../shared/records.ts';
import type { AttackChoice, Command } from '../shared/wire.ts';
import type { Column, StartStage } from './column.ts';
import { Columns, mustRun, withLimit } from './columns.ts';
import { commandText } from './command-words.ts';
import { type Known, RefusedError } from './commands.ts';
import { CostMeter } from './cost.ts';
import { Ordering } from './ordering.ts';
import { Ring } from './ring.ts';
import type { Listener, Source } from './source.ts';
import { Streets } from './streets.ts';

/** Interval between batches of lines, in ms. */
const BATCH_INTERVAL = 50;
const COST_INTERVAL = 1000;
/** If no viewer watches for this time, in ms, attacks stop and clients leave, so the servers are idle. */
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
  #streets!: Streets;
  #assaults!: Assaults;
  readonly #columns: Columns;
  readonly #failed = Promise.withResolvers<ServeError>();
  #obeying: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #unwatched: NodeJS.Timeout | undefined;
  #isIdle = false;
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
    this.#listener = listener;
    this.attacks = parts.attacks;
    const around = {
      startStage: parts.startStage,
      epoch: this.#epoch,
      now: () => this.#now(),
      ordering: this.#ordering,
      flush: () => this.#flush(),
      fault: (text: string) => {
        if (!this.#isClosed) listener.fault(text);
      },
    };
    this.#columns = new Columns(around, plan, scene);
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

  /** A recording goes on without viewers. */
  watched(viewers: number): void {
    clearTimeout(this.#unwatched);
    if (this.#isClosed || this.#listener.keeps === true) return;
    if (viewers > 0) this.#queue(() => this.#wake());
    else this.#unwatched = setTimeout(() => this.#queue(() => this.#idle()), UNWATCHED).unref();
  }

  get failed(): Promise<ServeError> {
    return this.#failed.promise;
  }

  /** One command after the other. */
  async obey(command: Command): Promise<void> {
    if (this.#waiting >= MOST_WAITING) {
      throw new RefusedError(
        'Cannot do this: earlier commands are still carried out; wait for them',
      );
    }
    this.#waiting++;
    await this.#queue(() => this.#obey(command)).finally(() => this.#waiting--);
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
      this.#streets?.close(),
      this.#columns.close(),
    ]);
  }

  async #start(): Promise<void> {
    const hear = (record: LabRecord) => this.#add(record);
    this.#assaults = this.#parts.assaults(this.#clock, (record) => {
      this.#add(record);
      if (record.k === 'a' && record.attack === '') void this.#streets.current.watch(record.s);
    });
    const [columns, streets] = await Promise.allSettled([
      this.#columns.start(),
      Streets.start({
        start: () => this.#parts.startStreet(this.#epoch, hear),
        now: () => this.#now(),
        queue: (act) => this.#queue(async () => this.#isClosed || (await act())),
        replay: (street) => this.#replay(street),
        fault: (text) => {
          if (!this.#isClosed) this.#listener.fault(text);
        },
        fail: (error) => this.#failed.resolve(error),
      }),
    ]);
    if (streets.status === 'fulfilled') this.#streets = streets.value;
    for (const one of [columns, streets]) if (one.status === 'rejected') throw one.reason;
    this.#emit({
      k: 'h',
      format: FORMAT,
      version: VERSION,
      mondo: version(),
      at: Date.now() - this.#now(),
      machine: { kernel: `Linux ${release()}`, cpus: cpus().length, node: process.version },
      setup: this.#columns.setup,
    });
    await this.#columns.begin(this.#streets.current, this.#assaults);
    this.#streets.watch();
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
    const { supervisors } = this.#columns;
    const clients = [this.#streets.current.pid, ...this.#assaults.pids];
    this.#add({ k: 'o', t: this.#now(), ...this.#meter.take({ supervisors, clients }) });
  }

  /** One act after the other. */
  #queue(act: () => Promise<unknown>): Promise<void> {
    const done = this.#obeying.then(async () => void (await act()));
    this.#obeying = done.catch(() => {});
    return done;
  }

  async #replay(street: Street): Promise<void> {
    await this.#columns.take(street);
    if (this.#isIdle) await this.#columns.idle();
  }

  async #idle(): Promise<void> {
    if (this.#isClosed || this.#isIdle) return;
    this.#isIdle = true;
    await this.#columns.idle();
    this.#add({ k: 'c', t: this.#now(), s: -1, text: 'no viewer watches: all clients leave' });
  }

  async #wake(): Promise<void> {
    if (this.#isClosed || !this.#isIdle) return;
    this.#isIdle = false;
    this.#add({ k: 'c', t: this.#now(), s: -1, text: 'a viewer is back: the clients come again' });
    await this.#columns.wake();
  }

  async #obey(command: Command): Promise<void> {
    if (this.#isClosed) return;
    await this.#do(command);
    const s = 's' in command ? command.s : -1;
    const titleOf = (name: string) =>
      this.attacks.find((attack) => attack.name === name)?.title ?? name;
    const text = commandText(command, this.#columns.setup, titleOf);
    this.#add({ k: 'c', t: this.#now(), s, text });
  }

  async #do(command: Command): Promise<unknown> {
    switch (command.do) {
      case 'take-over':
        // The hub knows who steers.
        return;
      case 'plan':
        return this.#columns.replaceAll(command.plan, command.scene);
      case 'again':
        return this.#columns.again();
      case 'swap':
        return this.#columns.replace(command.s, { stage: command.stage, needs: {} });
      case 'trace':
        return this.#columns.each(command.s, ({ s }) =>
          this.#columns.replace(s, { traced: command.on }),
        );
      case 'limit':
        return this.#columns.renew(command.s, (wish) => ({
          ...wish,
          limits: withLimit(wish.limits, command.name, command.value),
        }));
      case 'dry-run':
        return this.#columns.renew(command.s, (wish) => ({ ...wish, dryRun: command.on }));
      case 'restart':
        return this.#columns.renew(command.s, (wish) => wish);
      case 'stop':
        return this.#columns.each(command.s, async (column) => {
          mustRun(column);
          column.isStopped = true;
          await column.stage.stop();
        });
      case 'signal':
        return this.#signal(this.#columns.at(command.s), command.pid, command.signal);
      case 'nc':
        return this.#columns.each(command.s, ({ s }) => this.#streets.current.nc(s));
      case 'release':
        return this.#columns.each(command.s, ({ s }) => this.#streets.current.release(s));
      case 'probe':
        return this.#columns.each(command.s, (column) => {
          column.wish = { ...column.wish, probed: command.on };
          return this.#streets.current.probe(column.s, command.on);
        });
      case 'attack':
        return this.#columns.each(command.s, (column) => this.#attack(column, command));
      case 'calm':
        return this.#columns.each(command.s, ({ s }) => this.#assaults.stop(s));
    }
  }

  #signal(column: Column, pid: number, signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): unknown {
    const { stage } = column;
    if (!stage.pids.includes(pid)) {
      throw new RefusedError(`Process ${pid} is no worker of ${stage.setup.architecture}`);
    }
    return stage.signal(pid, signal);
  }

  async #attack(column: Column, { attack, seconds }: Command & { do: 'attack' }): Promise<void> {
    const { architecture } = column.stage.setup;
    const why = this.attacks.find(({ name }) => name === attack)?.unfit[architecture];
    if (why !== undefined) throw new RefusedError(`Cannot attack ${architecture}: ${why}`);
    mustRun(column);
    const needs = this.#assaults.needsOf(attack);
    const has = column.wish.needs;
    if (needs.descriptors !== has.descriptors || needs.burning !== has.burning) {
      await this.#columns.replace(column.s, { needs });
    }
    const { stage } = this.#columns.at(column.s);
    await this.#assaults.start(column.s, attack, stage, seconds);
  }
}
