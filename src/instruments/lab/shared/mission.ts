/**
 * A mission: a prediction, a run whose goals are facts of the model, an explanation, and a question after. The
 * functions here carry a learner through it. They look at models only, so they work on a replay too.
 */

import type { Model } from './model.ts';
import type { Plan } from './plan.ts';
import { type Choices, isAnswer, isClose, type Question } from './question.ts';
import type { Setup } from './records.ts';
import type { Command } from './wire.ts';

/** Numbers that a mission keeps between two models, by its own names. */
export type Marks = Readonly<Record<string, number>>;

export interface View {
  readonly model: Model;
  /** The model that was observed before. */
  readonly before: Model;
  readonly marks: Marks;
}

export interface Goal {
  readonly id: string;
  /** What must happen, for the learner. */
  readonly text: string;
  /** ms of the model for which it must hold without a break; 0: one model is enough. */
  readonly held: number;
  /** The mission can end without it. Only a stage whose lines are traced reaches it. */
  readonly isExtra?: boolean;
  /** False: it does not hold. A number must stay the same while the goal is held. */
  readonly holds: (view: View) => boolean | number;
}

/** What a learner can press in a step instead of the controls of the page. */
export interface Button {
  readonly label: string;
  readonly commands: (model: Model) => readonly Command[];
}

export interface Step {
  readonly text: string;
  readonly buttons: readonly Button[];
  readonly goals: readonly Goal[];
}

export interface Mission {
  /** As it stands in the list: `1b`. */
  readonly key: string;
  /** The box of the chapter's notes that it belongs to. */
  readonly box: string;
  /** The heading of docs/practice.md with the same exercise. */
  readonly section: string;
  readonly title: string;
  readonly plan: Plan;
  /** Whether a client must ask every 250 ms, as a probe. */
  readonly hasProbe: boolean;
  /** The learner may choose other architectures. */
  readonly isFree?: boolean;
  readonly question: Question;
  readonly steps: readonly Step[];
  /** The next marks. */
  readonly note: (view: View) => Marks;
  /** What happened, as an answer to the question; undefined: not known yet. */
  readonly measured: (marks: Marks, hasReached: (goal: string) => boolean) => number | undefined;
  readonly why: string;
  /** A command that shows the same in a terminal. */
  readonly command: string;
  readonly after: Choices;
  readonly next: string;
}

export interface Reached {
  readonly id: string;
  /** ms since the mission began. */
  readonly at: number;
}

export interface Progress {
  readonly mission: Mission;
  readonly predicted: number | undefined;
  /** What ran when the learner predicted. The old servers of a mission that is done again do not count. */
  readonly old: Setup | undefined;
  /** `t` of the first model that belongs to the mission. */
  readonly began: number | undefined;
  /** Index of the step that the learner is at; the number of steps: all goals are reached. */
  readonly step: number;
  readonly reached: readonly Reached[];
  /** Since when each goal holds, and with which value. */
  readonly held: Readonly<Record<string, { readonly since: number; readonly value: unknown }>>;
  readonly marks: Marks;
  readonly measured: number | undefined;
  readonly last: Model | undefined;
  readonly answered: number | undefined;
}

/** Where the mission is: it asks, runs, has explained itself and asks again, or is over. */
export type Phase = 'predict' | 'run' | 'after' | 'over';

/**
 * Greatest time between two models, in ms, over which a goal can be held. After a longer one, as when a viewer of a
 * replay jumps, the time begins again.
 */
const LEAP = 2000;

/** The scene that a mission's stages run; `Setup.scene` says it. */
export const sceneOf = ({ key }: Mission): string => `mission-${key}`;

export const begin = (mission: Mission): Progress => ({
  mission,
  predicted: undefined,
  old: undefined,
  began: undefined,
  step: 0,
  reached: [],
  held: {},
  marks: {},
  measured: undefined,
  last: undefined,
  answered: undefined,
});

/** The commands with which a mission starts its stages. */
export const startOf = (mission: Mission): readonly Command[] => [
  { do: 'plan', plan: mission.plan, scene: sceneOf(mission) },
  { do: 'probe', s: -1, on: mission.hasProbe },
];

export function phaseOf(progress: Progress): Phase {
  if (progress.predicted === undefined) return 'predict';
  if (progress.step < progress.mission.steps.length) return 'run';
  return progress.answered === undefined ? 'after' : 'over';
}

/**
 * The prediction. Only the first one counts, and only one that the question allows.
 * @param old what runs before the mission starts its servers; default: nothing, as before a replay
 */
export const guess = (progress: Progress, value: number, old?: Setup): Progress =>
  progress.predicted === undefined && isAnswer(progress.mission.question, value)
    ? { ...progress, predicted: value, old }
    : progress;

/** The answer to the question after. Only the first one counts. */
export const answer = (progress: Progress, choice: number): Progress =>
  phaseOf(progress) === 'after' && isAnswer(progress.mission.after, choice)
    ? { ...progress, answered: choice }
    : progress;

export const hasReached = ({ reached }: Progress, goal: string): boolean =>
  reached.some(({ id }) => id === goal);

/** Whether the stages of a model are those of the mission. */
function belongs({ mission, began, old }: Progress, { setup }: Model): boolean {
  if (setup === undefined || setup === old) return false;
  if (setup.scene === sceneOf(mission)) return true;
  // A viewer who moved a slider after the start may have another scene, and still the same servers.
  if (began === undefined) return false;
  const { stages } = mission.plan;
  return (
    mission.isFree === true ||
    (setup.stages.length === stages.length &&
      setup.stages.every(({ architecture }, s) => architecture === stages[s]!.architecture))
  );
}

/**
 * The progress after one more model. Models before the prediction, of other scenes, and from before the last one (a
 * viewer went back) change nothing.
 */
export function observe(progress: Progress, model: Model): Progress {
  if (phaseOf(progress) !== 'run' || !belongs(progress, model)) return progress;
  const { mission, last } = progress;
  if (last !== undefined && model.t < last.t) return progress;
  const view: View = { model, before: last ?? model, marks: progress.marks };
  const marks = mission.note(view);
  const next = { ...progress, marks, began: progress.began ?? model.t, last: model };
  return measure(advance(next, { ...view, marks }));
}

function advance(progress: Progress, view: View): Progress {
  const { mission } = progress;
  const { t } = view.model;
  const hasLeapt = t - view.before.t > LEAP;
  const held: Record<string, { since: number; value: unknown }> = {};
  const reached = [...progress.reached];
  const isReached = (goal: Goal) => reached.some(({ id }) => id === goal.id);
  const goals = mission.steps[progress.step]!.goals;
  for (const goal of goals) {
    if (isReached(goal)) continue;
    const value = goal.holds(view);
    if (value === false) continue;
    const before = hasLeapt ? undefined : progress.held[goal.id];
    const since = before !== undefined && before.value === value ? before.since : t;
    if (t - since >= goal.held) reached.push({ id: goal.id, at: t - progress.began! });
    else held[goal.id] = { since, value };
  }
  const isDone = goals.every((goal) => goal.isExtra === true || isReached(goal));
  return { ...progress, held, reached, step: progress.step + (isDone ? 1 : 0) };
}

function measure(progress: Progress): Progress {
  const measured = progress.mission.measured(progress.marks, (goal) => hasReached(progress, goal));
  return { ...progress, measured: measured ?? progress.measured };
}

export interface Result {
  readonly predicted: number;
  /** -1: a mission that was not finished may not know it. */
  readonly measured: number;
  readonly isClose: boolean;
  readonly goals: readonly Reached[];
  /** Goals without the extra ones, and the number of them that was reached. */
  readonly needed: number;
  readonly has: number;
  /** -1: not answered. */
  readonly answered: number;
  readonly isAnsweredRight: boolean;
  /** ms from the first model to the last goal. */
  readonly took: number;
}

/** What became of it: also of a mission that a learner leaves early. undefined: there is no prediction. */
export function finish(progress: Progress): Result | undefined {
  const { mission, predicted, measured, answered, reached } = progress;
  if (predicted === undefined) return;
  const needed = mission.steps.flatMap(({ goals }) => goals.filter((goal) => !goal.isExtra));
  return {
    predicted,
    measured: measured ?? -1,
    isClose: measured !== undefined && isClose(mission.question, predicted, measured),
    goals: reached,
    needed: needed.length,
    has: needed.filter(({ id }) => hasReached(progress, id)).length,
    answered: answered ?? -1,
    isAnsweredRight: answered === mission.after.right,
    took: reached.at(-1)?.at ?? 0,
  };
}
