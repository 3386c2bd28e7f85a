/** Records of a lab, made by hand: for tests that need a certain run and no server. */

import type { Mission, Progress } from '../../src/instruments/lab/shared/mission.ts';
import { begin, guess, observe, sceneOf } from '../../src/instruments/lab/shared/mission.ts';
import { type Model, nothing } from '../../src/instruments/lab/shared/model.ts';
import type { Plan } from '../../src/instruments/lab/shared/plan.ts';
import { recordOf } from '../../src/instruments/lab/shared/recording.ts';
import {
  type EventKind,
  type FrameRecord,
  KERNEL,
  LANE,
  type LabRecord,
  PLACE,
  PROBE,
  type Setup,
} from '../../src/instruments/lab/shared/records.ts';
import { apply } from '../../src/instruments/lab/shared/reducer.ts';
import type { Command } from '../../src/instruments/lab/shared/wire.ts';
import { reasons } from '../../src/worker/reasons.ts';
import { labHeaderOf, labStage } from './lab-recording.ts';

/** A client as a roster names it. */
export interface Standing {
  readonly id: number;
  readonly place?: number;
  /** ms for which it has waited for an answer; undefined: it has not asked. */
  readonly asks?: number;
  readonly answers?: number;
  readonly lane?: number;
}

/** What a stage shows at one moment. What is absent is 0, or off. */
export interface Picture {
  readonly clients?: readonly Standing[];
  /** Process, state, client and kernel state of each lane, from row 0. */
  readonly lanes?: readonly (readonly [
    pid: number,
    state: number,
    client: number,
    kernel: number,
  ])[];
  readonly waiting?: number;
  readonly own?: number;
  readonly open?: number;
  readonly accepted?: number;
  readonly refused?: number;
  readonly answered?: number;
  readonly light?: 'off' | 'green' | 'red';
  readonly memory?: number;
  readonly processor?: number;
  readonly processes?: number;
}

export const served = (ids: readonly number[]): Standing[] =>
  ids.map((id) => ({ id, place: PLACE.served }));
export const outside = (ids: readonly number[]): Standing[] =>
  ids.map((id) => ({ id, place: PLACE.kernel }));
/** `count` lanes of process `pid`, asleep for anyone. */
export const idleLanes = (count: number, pid = 100) =>
  Array.from({ length: count }, () => [pid, LANE.waiting, -1, KERNEL.asleep] as const);

/** Time between two models, in ms. */
const BEAT = 100;
const DEFAULT_ROWS = 64;

/** Plays records to a mission, and keeps its progress. */
export class LabRun {
  progress: Progress;
  model: Model = nothing;
  readonly #mission: Mission;
  #t = 0;
  #setup: Setup;

  constructor(mission: Mission, predicted: number) {
    this.#mission = mission;
    this.progress = guess(begin(mission), predicted);
    this.#setup = this.#setupOf(mission.plan);
    this.play(labHeaderOf(this.#setup.stages, this.#setup));
  }

  /** Each record goes through the reader of recordings: it is one that a file can have. */
  play(record: LabRecord): void {
    this.model = apply(this.model, recordOf(JSON.parse(JSON.stringify(record)))!);
    this.progress = observe(this.progress, this.model);
  }

  /** The commands of a button, as far as records show them. */
  press(label: string): readonly Command[] {
    const buttons = this.#mission.steps.flatMap(({ buttons }) => buttons);
    const button = buttons.find((known) => known.label === label);
    if (button === undefined) throw new Error(`The mission has no button "${label}"`);
    const commands = button.commands(this.model);
    for (const command of commands) {
      if (command.do === 'plan') this.change(this.#setupOf(command.plan));
      if (command.do === 'limit') {
        const stages = this.#setup.stages.map((stage) => ({
          ...stage,
          limits: [[command.name, command.value]] as const,
        }));
        this.change({ ...this.#setup, stages });
      }
    }
    return commands;
  }

  change(setup: Setup): void {
    this.#setup = setup;
    this.play({ k: 's', t: this.#t, s: -1, setup });
  }

  /** Another scene, and not the mission. */
  leave(): void {
    const stages = this.#setup.stages.map((stage) => ({ ...stage, architecture: 'uring' }));
    this.change({ ...this.#setup, scene: 'silent', stages });
  }

  event(s: number, kind: EventKind, client: number, reason = ''): void {
    const index = reason === '' ? 0 : (reasons as readonly string[]).indexOf(reason);
    this.play({ k: 'f', s, t: this.#t, e: [0, client, kind, -1, index] });
  }

  attack(s: number, attack: string, reached: number): void {
    this.play({ k: 'a', t: this.#t, s, attack, reached });
  }

  /** Shows the pictures, one for each stage, for some time. */
  show(ms: number, ...pictures: readonly Picture[]): void {
    const end = this.#t + ms;
    do {
      this.#t += BEAT;
      for (const [s, picture] of pictures.entries()) this.play(this.#frame(s, picture));
    } while (this.#t < end);
  }

  #frame(s: number, picture: Picture): FrameRecord {
    const { clients = [], lanes, light = 'off', answered = 0 } = picture;
    const rows = Array.from({ length: lanes === undefined ? 0 : DEFAULT_ROWS }, (_, row) => {
      const [pid, state, client, kernel] = lanes![row] ?? [0, LANE.free, -1, KERNEL.unknown];
      return [row, 1000 + row, pid, state, 100, 1, client, kernel];
    });
    return {
      k: 'f',
      s,
      t: this.#t,
      q: [picture.waiting ?? 0, 1025, picture.own ?? 0],
      c: [picture.open ?? 0, picture.accepted ?? 0, answered, 0, picture.refused ?? 0],
      u: [0, 0, answered, 0, 0, 0, 0],
      r: clients.flatMap(({ id, place = PLACE.served, asks, answers = 0, lane = -1 }) => [
        id,
        place,
        lane,
        0,
        asks === undefined ? -1 : asks * 1000,
        answers,
      ]),
      ...(lanes === undefined ? {} : { l: rows.flat() }),
      p: [PROBE[light], 0, -1],
      m: [picture.memory ?? 0, picture.processor ?? 0, picture.processes ?? 1, 1],
    };
  }

  #setupOf(plan: Plan): Setup {
    return {
      scene: sceneOf(this.#mission),
      title: plan.title,
      seed: plan.seed,
      mix: plan.mix,
      stages: plan.stages.map((stage) => {
        const { architecture, threads = 1, processes = 1, queue = 0 } = stage;
        const { think, thinking } = plan;
        const limits = Object.entries(plan.limits);
        const sizes = { threads, processes, queue, limit: 1025 };
        return labStage(architecture, { plan: stage, ...sizes, think, thinking, limits });
      }),
    };
  }
}
