/** A stage under test: its records, checked by the format, and the model that they make. */
import { join } from 'node:path';
import type { StageOrder } from '../../src/instruments/lab/parts.ts';
import {
  type Lane,
  type Model,
  nothing,
  type Stage,
} from '../../src/instruments/lab/shared/model.ts';
import type { StagePlan } from '../../src/instruments/lab/shared/plan.ts';
import { recordOf } from '../../src/instruments/lab/shared/recording.ts';
import {
  EVENT,
  type FrameRecord,
  type LabRecord,
  WIDTH,
} from '../../src/instruments/lab/shared/records.ts';
import { apply } from '../../src/instruments/lab/shared/reducer.ts';
import { addressOf } from '../../src/instruments/lab/shared/wire.ts';
import type { StageProcess } from '../../src/instruments/lab/stage/stage.ts';
import { descendantsOf } from '../../src/os/processes.ts';
import { NetClient } from '../support/clients.ts';
import { labHeaderOf } from '../support/lab-recording.ts';

type Module = typeof import('../../src/instruments/lab/stage/stage.ts');
const source = '../../src/instruments/lab/stage/stage.ts';
/** As it is built, a stage starts with less work. A trace shows lines of the source. */
const built = join(process.env.MONDO_TEST_BUILT!, 'dist/instruments/lab/stage/stage.js');

/** Not 0, so that a test finds a stage that is always 0. */
const S = 1;

export interface Event {
  readonly t: number;
  readonly client: number;
  readonly kind: number;
  readonly lane: number;
  readonly extra: number;
}

export class Watched implements AsyncDisposable {
  readonly stage: StageProcess;
  readonly records: LabRecord[];
  #model: Model | undefined;
  #read = 0;
  readonly #events: Event[] = [];

  static async start(plan: StagePlan, more: Partial<StageOrder> = {}): Promise<Watched> {
    const records: LabRecord[] = [];
    const epoch = process.hrtime.bigint().toString();
    const order = { s: S, plan, think: 0, thinking: 'block', limits: {}, dryRun: false } as const;
    const module: Module = await import(more.trace === true ? source : built);
    const stage = await module.StageProcess.start({ ...order, epoch, ...more }, (record) =>
      records.push(record),
    );
    return new Watched(stage, records);
  }

  private constructor(stage: StageProcess, records: LabRecord[]) {
    this.stage = stage;
    this.records = records;
  }

  get address() {
    return { family: 'IPv4', host: '127.0.0.1', port: this.stage.port } as const;
  }

  /** A client of the cast. */
  visit(id: number): Promise<NetClient> {
    return NetClient.connect(this.address, addressOf(S, id));
  }

  /** A client that the lab does not know, as `nc` is. */
  stranger(): Promise<NetClient> {
    return NetClient.connect(this.address);
  }

  /** What a viewer knows by now. */
  get model(): Stage {
    this.#hear();
    return this.#model!.stages[S]!;
  }

  /** Applies the records that have come since the last call: a test asks again and again. */
  #hear(): void {
    const { setup } = this.stage;
    this.#model ??= apply(nothing, labHeaderOf([setup, setup]));
    for (const record of this.records.slice(this.#read)) {
      this.#read++;
      this.#model = apply(this.#model, record);
      if (record.k === 'f') this.#events.push(...eventsOf(record));
    }
  }

  get lanes(): Lane[] {
    return [...this.model.lanes.values()];
  }

  /** The lane of a client, if it is with one. */
  laneOf(client: number): Lane | undefined {
    return this.lanes.find((lane) => lane.client === client);
  }

  get frames(): FrameRecord[] {
    return this.records.filter((record) => record.k === 'f');
  }

  /** All events, in order. */
  get events(): readonly Event[] {
    this.#hear();
    return this.#events;
  }

  /** The names of a client's events, in order. */
  storyOf(client: number): string[] {
    const names = Object.keys(EVENT);
    return this.events.filter((event) => event.client === client).map(({ kind }) => names[kind]!);
  }

  /** The records that a reader would refuse or change. */
  get malformed(): LabRecord[] {
    return this.records.filter((record) => {
      const text = JSON.stringify(record);
      return JSON.stringify(recordOf(JSON.parse(text))) !== text;
    });
  }

  /** All processes of the stage: the supervisor, its workers, and what these have started. */
  get processes(): number[] {
    return [this.stage.pid, ...descendantsOf(this.stage.pid)];
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stage.close();
  }
}

const eventsOf = ({ t, e = [] }: FrameRecord): Event[] =>
  Array.from({ length: e.length / WIDTH.e }, (_, i) => {
    const [after, client, kind, lane, extra] = e.slice(i * WIDTH.e) as [number, ...number[]];
    return { t: t + after / 1000, client: client!, kind: kind!, lane: lane!, extra: extra! };
  });
