/** What the missions ask of a model. No Node and no DOM in here. */

import type { Marks, View } from '../mission.ts';
import type { Client, Ending, Lane, Stage } from '../model.ts';
import { type EventKind, PLACE, type Place, PROBE } from '../records.ts';
import { FIRST_NC, FIRST_PROBE } from '../wire.ts';
import { type Doing, doingOf } from '../words.ts';

export const isNc = ({ id }: Client): boolean => id >= FIRST_NC && id < FIRST_PROBE;
/** Of the scene's own clients. */
export const isCast = ({ id }: Client): boolean => id < FIRST_NC;

export const stageOf = (view: View, s: number): Stage => view.model.stages[s]!;
/** The same stage in the model before; the stage itself if that one had other stages. */
const beforeOf = ({ before, model }: View, s: number): Stage =>
  before.stages[s] ?? model.stages[s]!;

export const clientsOf = (stage: Stage): readonly Client[] => [...stage.clients.values()];
export const lanesOf = (stage: Stage): readonly Lane[] => [...stage.lanes.values()];

export const countOf = (
  stage: Stage,
  fits: (client: Client) => boolean,
  place?: Place | undefined,
): number =>
  clientsOf(stage).filter(
    (client) => fits(client) && (place === undefined || client.place === place),
  ).length;

/** Accepted clients that send nothing: those of the scene, and each nc. */
export const silentServed = (view: View, s: number): number => {
  const silent = view.model.setup?.mix.silent ?? 0;
  return countOf(stageOf(view, s), (client) => client.id <= silent || isNc(client), PLACE.served);
};

export const ncServed = (view: View, s: number): number =>
  countOf(stageOf(view, s), isNc, PLACE.served);

export const isGreen = ({ probe }: Stage): boolean => probe.light === PROBE.green;
export const isRed = ({ probe }: Stage): boolean => probe.light === PROBE.red;

export const isDoing = (stage: Stage, doing: Doing): boolean =>
  lanesOf(stage).some((lane) => doingOf(lane) === doing);

/** ms for which the client has waited that waits longest for an answer. */
export const longestWait = (stage: Stage, t: number): number =>
  Math.max(0, ...clientsOf(stage).flatMap(({ asked }) => (asked === undefined ? [] : [t - asked])));

/** ms since the model before. A leap counts as a second. */
export const passed = ({ model, before }: View): number => Math.min(1000, model.t - before.t);

/** By how much a counter of a stage has grown; a stage that started again counts from 0. */
function grown(view: View, s: number, counter: (stage: Stage) => number): number {
  const [now, before] = [counter(stageOf(view, s)), counter(beforeOf(view, s))];
  return now >= before ? now - before : now;
}

export const answersGrown = (view: View, s: number): number =>
  grown(view, s, ({ users }) => users.answered);

/** Endings that the model before did not have. */
export function newEndings(view: View, s: number, kind: EventKind): readonly Ending[] {
  const old = beforeOf(view, s).endings;
  const isOld = (ending: Ending) =>
    old.some(
      ({ client, t, kind }) => client === ending.client && t === ending.t && kind === ending.kind,
    );
  return stageOf(view, s).endings.filter((ending) => ending.kind === kind && !isOld(ending));
}

/** Whether a process that had a lane has none any more. */
export function hasLostProcess(view: View, s: number): boolean {
  const now = new Set(lanesOf(stageOf(view, s)).map(({ pid }) => pid));
  return lanesOf(beforeOf(view, s)).some(({ pid }) => pid > 0 && !now.has(pid));
}

export const added = (marks: Marks, name: string, amount: number): Marks =>
  amount === 0 ? marks : { ...marks, [name]: (marks[name] ?? 0) + amount };

/** Sets a mark that is not set yet. */
export const first = (marks: Marks, name: string, value: number): Marks =>
  marks[name] === undefined ? { ...marks, [name]: value } : marks;

export const greatest = (marks: Marks, name: string, value: number): Marks =>
  value > (marks[name] ?? Number.NEGATIVE_INFINITY) ? { ...marks, [name]: value } : marks;

/** Quotient of two marks; undefined: one of them is missing, or the lower one is 0. */
export function ratio(marks: Marks, above: string, below: string): number | undefined {
  const [a, b] = [marks[above], marks[below]];
  return a === undefined || b === undefined || b === 0 ? undefined : a / b;
}
