/**
 * The result sheet of a mission: what a learner predicted, what happened, and when. A JSON file for a lecturer's
 * program, and a page for paper. It proves nothing, and says so. No Node and no DOM in here.
 */

import { html, type Markup, trusted } from '../../report/markup.ts';
import { finish, type Mission, type Progress, type Reached } from './mission.ts';
import { answerText, isClose, letterOf } from './question.ts';
import type { HeaderRecord } from './records.ts';
import { linkOf } from './scenes.ts';

export const FORMAT = 'mondo-sheet';
export const VERSION = 1;
/** Most characters of a name. */
export const MOST_NAME = 120;

/** All that a sheet says; what follows from it, such as how close the prediction was, is worked out when it is read. */
export interface Sheet {
  readonly format: typeof FORMAT;
  readonly version: number;
  /** As the learner wrote it; '' if not. */
  readonly name: string;
  readonly mission: string;
  readonly seed: number;
  /** The fragment of the URL that starts the same stages. */
  readonly link: string;
  readonly predicted: number;
  /** -1: the run did not show it. */
  readonly measured: number;
  readonly goals: readonly Reached[];
  /** The choice in the question after; -1: none. */
  readonly answered: number;
  /** ms since 1970. */
  readonly started: number;
  /** ms from the first model to the last goal. */
  readonly took: number;
  /** A recording was watched, and not a server. */
  readonly isReplay: boolean;
  readonly machine: HeaderRecord['machine'];
  readonly mondo: string;
  /** SHA-256 of the recording that belongs to it, in hex; '': there is none. */
  readonly recording: string;
}

export interface Circumstances {
  readonly name: string;
  readonly started: number;
  readonly isReplay: boolean;
  readonly recording: string;
}

/** undefined: there is no prediction, or no server was watched yet. */
export function sheetOf(progress: Progress, about: Circumstances): Sheet | undefined {
  const result = finish(progress);
  const header = progress.last?.header;
  if (result === undefined || header === undefined) return;
  const { mission } = progress;
  return {
    format: FORMAT,
    version: VERSION,
    name: about.name.slice(0, MOST_NAME),
    mission: mission.key,
    seed: mission.plan.seed,
    link: linkOf(mission.plan),
    predicted: result.predicted,
    measured: result.measured,
    goals: result.goals,
    answered: result.answered,
    started: about.started,
    took: result.took,
    isReplay: about.isReplay,
    machine: header.machine,
    mondo: header.mondo,
    recording: about.recording,
  };
}

export const sheetText = (sheet: Sheet): string => `${JSON.stringify(sheet, undefined, 2)}\n`;

const style = trusted(`
body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 2rem auto; padding: 0 1rem; color: #111; background: #fff; }
h1 { font-size: 1.5rem; } table { border-collapse: collapse; width: 100%; } td, th { border: 1px solid #888; padding: .3rem .5rem; text-align: left; vertical-align: top; }
.note { border-left: .3rem solid #888; padding-left: .8rem; } code { overflow-wrap: anywhere; }
@media print { body { margin: 0; } }
`);

const secondsText = (ms: number) => `${(ms / 1000).toFixed(1)} s`;

/** A whole page, for paper. It loads nothing, and runs no script. */
export function sheetPage(sheet: Sheet, mission: Mission): Markup {
  const { question, after } = mission;
  const goals = mission.steps.flatMap((step) => step.goals);
  const needed = goals.filter((goal) => !goal.isExtra);
  const reached = new Map(sheet.goals.map(({ id, at }) => [id, at]));
  const has = needed.filter(({ id }) => reached.has(id)).length;
  const measured = sheet.measured < 0 ? undefined : sheet.measured;
  const isRight = measured !== undefined && isClose(question, sheet.predicted, measured);
  const row = (name: string, value: string | number | Markup) =>
    html`<tr><th scope="row">${name}</th><td>${value}</td></tr>\n`;
  return html`<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Mission ${mission.key}: ${mission.title}</title>
<style>${style}</style>
<h1>Mission ${mission.key}: ${mission.title}</h1>
<table>
${row('Name', sheet.name)}${row('Box of the notes', mission.box)}${row('Question', question.text)}${row(
  'Predicted',
  answerText(question, sheet.predicted),
)}${row(
  'Measured',
  measured === undefined
    ? 'not known: the run did not show it'
    : `${answerText(question, measured)} (the prediction was ${isRight ? 'close' : 'not close'})`,
)}${row('Goals', `${has} of ${needed.length}`)}${row(
  'Question after',
  html`${after.text}<br>${
    sheet.answered < 0
      ? 'no answer'
      : `${letterOf(sheet.answered)}: ${after.choices[sheet.answered]} (${sheet.answered === after.right ? 'right' : `wrong: ${letterOf(after.right)} is right`})`
  }`,
)}</table>
<h2>Goals</h2>
<table>
<tr><th scope="col">goal</th><th scope="col">reached after</th></tr>
${goals.map(
  ({ id, text, isExtra }) =>
    html`<tr><td>${text}${isExtra ? ' (extra)' : ''}</td><td>${
      reached.has(id) ? secondsText(reached.get(id)!) : 'not reached'
    }</td></tr>\n`,
)}</table>
<h2>Run</h2>
<table>
${row('Started', new Date(sheet.started).toISOString())}${row('Took', secondsText(sheet.took))}${row(
  'Watched',
  sheet.isReplay ? 'a recording' : 'running servers',
)}${row('Seed', sheet.seed)}${row('Link', html`<code>${sheet.link}</code>`)}${row(
  'Machine',
  `${sheet.machine.kernel}, ${sheet.machine.cpus} processors, Node ${sheet.machine.node}`,
)}${row('Mondo', sheet.mondo)}${
  sheet.recording === ''
    ? undefined
    : row('Recording (SHA-256)', html`<code>${sheet.recording}</code>`)
}</table>
<p class="note">This sheet is no proof. Its file is text that its owner can change. A lecturer who wants proof asks for the recording, and replays it.</p>
</html>
`;
}
