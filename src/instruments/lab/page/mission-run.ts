/** The mission that a learner is in, as signals: it observes each model that the page gets. */

import { effect, signal, untracked } from '@preact/signals';
import {
  answer,
  begin,
  guess,
  type Mission,
  observe,
  type Progress,
  phaseOf,
  startOf,
} from '../shared/mission.ts';
import { perform } from './keys.ts';
import { texts } from './mission-list.ts';
import { MissionRecording, type SheetRecording } from './mission-recording.ts';
import { player } from './playhead.ts';
import { keep, newest, say, send, shown, steers, welcome } from './state.ts';

export const progress = signal<Progress | undefined>(undefined);
/** The learner's name on the sheet. */
export const learner = signal('');
/** ms since 1970. */
let started = 0;

/** Since the prediction; undefined: there is none, or a recording is watched. */
let recording: MissionRecording | undefined;
/** That of the sheet that was saved last. */
let saved: SheetRecording | undefined;

keep((record) => {
  const { value } = progress;
  if (value === undefined || phaseOf(value) !== 'run') return;
  // A viewer who comes again gets a header: what came before is in the recording already.
  if (record.k !== 'h') recording?.push(record);
});

const isReplay = () => player.value.isRecording || welcome.value?.isReplay === true;

/** A viewer who looks back does not stop the run: only of a recording the model counts that is shown. */
effect(() => {
  const model = player.value.isRecording ? shown.value : newest.value;
  untracked(() => {
    if (progress.value !== undefined) progress.value = observe(progress.value, model);
  });
});

export function choose(mission: Mission | undefined): void {
  progress.value = mission && begin(mission);
  recording = undefined;
  saved = undefined;
}

/** The prediction, and then the run. */
export function predict(value: number): void {
  const { value: before } = progress;
  if (before === undefined) return;
  const next = guess(before, value, steers.value ? newest.value.setup : undefined);
  if (next === before) {
    say('Give one of the answers, or a number from 0.');
    return;
  }
  progress.value = next;
  started = Date.now();
  recording = isReplay() ? undefined : new MissionRecording(newest.value);
  if (steers.value) for (const command of startOf(next.mission)) send(command);
  // A recording plays from its start: what was shown before the prediction does not count.
  else if (isReplay()) perform('restart');
}

export function answerAfter(choice: number): void {
  if (progress.value !== undefined) progress.value = answer(progress.value, choice);
}

/** Saves the result sheet: for a program, or for paper. It names the recording that `saveRecording` saves. */
export async function saveSheet(form: 'json' | 'html'): Promise<void> {
  const run = progress.value;
  const packed = await recording?.packed();
  const about = {
    name: learner.value,
    started,
    isReplay: isReplay(),
    recording: packed?.hash ?? '',
  };
  const sheets = texts.value?.sheets;
  const sheet = run && sheets?.sheetOf(run, about);
  if (run === undefined || sheets === undefined || sheet === undefined) {
    say('There is no result yet: the servers have not started.');
    return;
  }
  saved = packed;
  const text =
    form === 'json' ? sheets.sheetText(sheet) : sheets.sheetPage(sheet, run.mission).text;
  const type = form === 'json' ? 'application/json' : 'text/html';
  download(`mondo-mission-${sheet.mission}.${form}`, type, text);
}

/** Saves the recording that the last sheet names; before a sheet: what has come so far. */
export async function saveRecording(): Promise<void> {
  saved ??= await recording?.packed();
  const key = progress.value?.mission.key;
  if (saved === undefined || key === undefined) {
    say('There is no recording: this page has watched one, or the mission has not begun.');
    return;
  }
  download(`mondo-mission-${key}.mondolab`, 'application/octet-stream', saved.bytes);
}

function download(name: string, type: string, content: BlobPart): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([content], { type }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}
