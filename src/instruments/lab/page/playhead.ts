/** Couples the player with the page: records go in, and each frame what is shown comes out. */

import { batch, signal } from '@preact/signals';
import { captionOf } from '../shared/caption.ts';
import { Player, type Speed } from '../shared/player.ts';
import type { LabRecord } from '../shared/records.ts';
import { onAction } from './keys.ts';
import { embeddedRecording, sceneRecording } from './recorded.ts';
import { follow, mode, say, shown } from './state.ts';

/** It goes on taking records of the hub while a recording is shown. */
const live = new Player('live');
/** The player that is shown: the live one, or that of a recording. */
export const player = signal<Player>(live);
/** Where its head is, in ms since the recording began. It changes with each frame. */
export const head = signal(0);
export const speed = signal<Speed>(1);
/** When and where the recording was made that is shown; undefined: none is. */
export const recordedText = signal<string | undefined>(undefined);

/** Takes records of the hub from now on, or plays the recording that the page contains. */
export async function startPlayhead(): Promise<void> {
  follow((record) => live.push(record));
  bindKeys();
  const frame = (now: number) => {
    advance(now);
    requestAnimationFrame(frame);
  };
  requestAnimationFrame(frame);
  try {
    const records = await embeddedRecording();
    if (records !== undefined) playRecording(records);
  } catch (error) {
    say(textOf(error), true);
  }
}

/** Shows the model at the head. @param now a clock in ms */
function advance(now: number): void {
  const { value } = player;
  value.tick(now);
  batch(() => {
    shown.value = value.model;
    head.value = value.t;
    speed.value = value.speed;
    mode.value =
      value.state === 'live' ? 'live' : value.state === 'paused' ? 'paused' : 'replaying';
  });
}

let endRecording = () => {};

/** Shows a recording in place of the present, and plays it. */
function playRecording(records: readonly LabRecord[]): void {
  const recording = new Player('recording');
  for (const record of records) recording.push(record);
  const { header, setup } = recording.live;
  if (header === undefined || setup === undefined) return;
  recordedText.value = `recorded ${captionOf(header, setup, 0)[1]}`;
  player.value = recording;
  recording.play(1);
  endRecording();
  endRecording = onAction('restart', () => {
    recording.seek(recording.from);
    recording.play(1);
  });
}

/** Plays the recording of the scene that is shown, which the hub has. */
async function playSceneRecording(): Promise<void> {
  const name = shown.value.setup?.scene ?? '';
  try {
    const records = name === '' ? undefined : await sceneRecording(name);
    if (records === undefined) say('There is no recording of this scene.');
    else playRecording(records);
  } catch (error) {
    say(textOf(error), true);
  }
}

const textOf = (error: unknown) => (error instanceof Error ? error.message : String(error));

/** Shows the present again. Without a hub there is none: a recording goes to its end. */
export function toLive(): void {
  if (live.live.header !== undefined) {
    player.value = live;
    recordedText.value = undefined;
    endRecording();
    endRecording = () => {};
  }
  player.value.toLive();
}

export function togglePause(): void {
  const { value } = player;
  if (value.state === 'paused') value.play();
  else value.pause();
}

export function rewind(): void {
  player.value.jump(-10_000);
  player.value.play(1);
}

function bindKeys(): void {
  onAction('pause', togglePause);
  onAction('back', () => player.value.step(-1));
  onAction('forward', () => player.value.step(1));
  onAction('back-1s', () => player.value.jump(-1000));
  onAction('forward-1s', () => player.value.jump(1000));
  onAction('rewind', rewind);
  onAction('live', toLive);
  onAction('slower', () => player.value.changeSpeed(-1));
  onAction('recording', () => void playSceneRecording());
  onAction('faster', () => player.value.changeSpeed(1));
}
