/** Does a mission from its start to its end, as a learner does: waits, and presses the buttons of each step. */
import {
  begin,
  guess,
  hasReached,
  type Mission,
  observe,
  type Progress,
  startOf,
} from '../../src/instruments/lab/shared/mission.ts';
import { ncServed } from '../../src/instruments/lab/shared/missions/goals.ts';
import type { Model } from '../../src/instruments/lab/shared/model.ts';
import { isChoices } from '../../src/instruments/lab/shared/question.ts';
import { apply } from '../../src/instruments/lab/shared/reducer.ts';
import type { Command } from '../../src/instruments/lab/shared/wire.ts';
import type { LabViewer } from './lab.ts';
import { until } from './until.ts';

/** A button, and when the learner presses it; default: at once. */
export type Press = readonly [what: string | Command, when?: When];
type When = (model: Model, hasReached: (goal: string) => boolean) => boolean;

const silent = (s: number, count: number) => (model: Model) =>
  ncServed({ model, before: model, marks: {} }, s) >= count;
const again = (count: number, label: string): Press[] =>
  Array.from({ length: count }, () => [label] as const);
const hasLanes = (count: number) => (model: Model) => (model.stages[0]?.lanes.size ?? 0) >= count;
const hasArchitecture = (name: string) => (model: Model) =>
  model.stages[0]?.setup.architecture === name;
/** No attack runs, and the probe is answered. */
const isCalm = ({ stages: [stage] }: Model) => stage?.attack.name === '' && stage.probe.light === 1;
const afterGoal =
  (goal: string): When =>
  (model, hasReached) =>
    hasReached(goal) && isCalm(model);

/** What a learner presses in each step of a mission, in this order. */
export const presses: Readonly<Record<string, readonly (readonly Press[])[]>> = {
  '0': [[]],
  '1a': [[], []],
  '1b': [
    [['Connect a silent nc']],
    [
      ['Limit: idle 3 s'],
      ['Connect a silent nc', ({ stages }) => stages[0]!.setup.limits.length > 0],
    ],
    again(4, 'Connect a silent nc'),
  ],
  '1c': [[], []],
  '2': [
    again(3, 'Connect a silent nc'),
    again(1, 'Connect a silent nc'),
    again(1, 'End each nc'),
    [
      ...again(3, 'Connect a silent nc'),
      ['Kill a process of prefork', (model) => silent(0, 3)(model) && silent(1, 3)(model)],
    ],
    [['Kill the process of threaded']],
  ],
  '2b': [[], [['Connect 5 silent nc']]],
  '3': [
    [
      ['Connect 10 silent nc', (model) => (model.stages[0]?.cost.memory ?? 0) > 0],
      ['Connect 10 silent nc', hasLanes(10)],
      ['Connect 10 silent nc', hasLanes(20)],
      ['Connect 10 silent nc', hasLanes(30)],
    ],
    [['At most 5 threads']],
  ],
  '4': [[], [['Answers of 1 s']], [['Defer']]],
  '4b': [[], [['900 silent clients']], [['1,100 silent clients']]],
  '5': [[], [['Answers of 0.5 s']], [['Two processes']]],
  '6': [[], []],
  '7': [[]],
  '8': [again(1, 'Connect a silent nc'), again(3, 'Connect a silent nc')],
  '9': [
    [
      [{ do: 'swap', s: 0, stage: { architecture: 'epoll' } }],
      ['Attack: idle-crowd', (model) => hasArchitecture('epoll')(model) && isCalm(model)],
      ['Attack: slow-drip', afterGoal('idle-crowd')],
      ['Attack: pipelining', afterGoal('slow-drip')],
    ],
  ],
};

/** The learner's way through a mission at a running lab. */
export class Pupil {
  progress: Progress;
  readonly #viewer: LabViewer;
  readonly #mission: Mission;
  #model: Model;
  #read: number;

  constructor(viewer: LabViewer, mission: Mission, predicted?: number) {
    const { question } = mission;
    const value = predicted ?? (isChoices(question) ? question.right : 1);
    this.#viewer = viewer;
    this.#mission = mission;
    // As the page does: what came before the prediction does not count.
    this.#model = viewer.model;
    this.#read = viewer.records.length;
    this.progress = guess(begin(mission), value, this.#model.setup);
  }

  /** Resolves when all goals are reached. @param patience ms of the longest step */
  async learn(patience: number): Promise<void> {
    for (const command of startOf(this.#mission)) this.#viewer.send(command);
    for (const [index, step] of this.#mission.steps.entries()) {
      const left = [...presses[this.#mission.key]![index]!];
      await until(
        `mission ${this.#mission.key}: ${step.text}`,
        () => {
          this.#look();
          if (this.progress.step > index) return true;
          const [what, when] = left[0] ?? [];
          if (what === undefined || this.progress.began === undefined) return false;
          const has = (goal: string) => hasReached(this.progress, goal);
          if (when !== undefined && !when(this.#model, has)) return false;
          left.shift();
          this.#press(what);
          return false;
        },
        patience,
      ).catch(({ message }: Error) => {
        throw new Error(`${message} ${this.#state()}`);
      });
    }
  }

  /** What a failure says of the run. */
  #state(): string {
    const { reached, marks } = this.progress;
    const clients = this.#model.stages.map((stage) =>
      [...stage.clients.values()].map(
        ({ id, place, asked, answers }) =>
          `${id}: place ${place}, asked ${asked}, ${answers} answers`,
      ),
    );
    return JSON.stringify({ reached, marks, t: this.#model.t, clients });
  }

  #press(what: string | Command): void {
    const buttons = this.#mission.steps.flatMap((step) => step.buttons);
    const commands =
      typeof what === 'string'
        ? buttons.find(({ label }) => label === what)!.commands(this.#model)
        : [what];
    for (const command of commands) this.#viewer.send(command);
  }

  /** Observes each record that has come, as the page does. */
  #look(): void {
    const { records } = this.#viewer;
    for (; this.#read < records.length; this.#read++) {
      this.#model = apply(this.#model, records[this.#read]!);
      this.progress = observe(this.progress, this.#model);
    }
  }

  /** The model after all records that have come. */
  get model(): Model {
    this.#look();
    return this.#model;
  }
}
