/** The mission that a learner is in, as signals: it observes each model that the page gets. */

import { effect, signal, untracked } from '@preact/signals';
import {
  answer,
  begin,
  guess,
  type Mission,
  observe,
  type Progress,
  startOf,
} from '../shared/mission.ts';
import { sheetOf, sheetPage, sheetText } from '../shared/sheet.ts';
import { player } from './playhead.ts';
import { newest, say, send, shown, steers, welcome } from './state.ts';

export const progress = signal<Progress | undefined>(undefined);
/** The learner's name on the sheet. */
export const learner = signal('');
/** ms since 1970. */
let started = 0;

/** A viewer who looks back does not stop the run: only of a recording the model counts that is shown. */
effect(() => {
  const model = player.value.isRecording ? shown.value : newest.value;
  untracked(() => {
    if (progress.value !== undefined) progress.value = observe(progress.value, model);
  });
});

export function choose(mission: Mission | undefined): void {
  progress.value = mission && begin(mission);
}

/** The prediction, and then the run. */
export function predict(value: number): void {
  const { value: before } = progress;
  if (before === undefined) return;
  const next = guess(before, value);
  if (next === before) {
    say('Give one of the answers, or a number from 0.');
    return;
  }
  progress.value = next;
  started = Date.now();
  if (steers.value) for (const command of startOf(next.mission)) send(command);
}

export function answerAfter(choice: number): void {
  if (progress.value !== undefined) progress.value = answer(progress.value, choice);
}

/** Saves the result sheet: for a program, or for paper. */
export function saveSheet(form: 'json' | 'html'): void {
  const run = progress.value;
  const sheet =
    run &&
    sheetOf(run, {
      name: learner.value,
      started,
      isReplay: player.value.isRecording || welcome.value?.isReplay === true,
      recording: '',
    });
  if (run === undefined || sheet === undefined) {
    say('There is no result yet: the servers have not started.');
    return;
  }
  const text = form === 'json' ? sheetText(sheet) : sheetPage(sheet, run.mission).text;
  const type = form === 'json' ? 'application/json' : 'text/html';
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = `mondo-mission-${sheet.mission}.${form}`;
  link.click();
  URL.revokeObjectURL(link.href);
}
