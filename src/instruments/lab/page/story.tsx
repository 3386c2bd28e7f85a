/** The dialog with the story of one client, of the time that the page keeps. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { storyOf } from '../shared/story.ts';
import { durationText } from '../shared/words.ts';
import { eachSecond } from './clock.ts';
import { formOf, labelOf } from './marks.ts';
import { player } from './playhead.ts';
import { people } from './state.ts';

const chosen = signal<{ readonly s: number; readonly client: number } | undefined>(undefined);

/** Opens the dialog. @param s index of the stage */
export function tellStory(s: number, client: number): void {
  chosen.value = { s, client };
}

/** `client 3`, `nc`, `the probe`, `a hostile client`. */
export function nameOf(id: number): string {
  const form = formOf(id, people());
  if (form === 'diamond') return 'the probe';
  if (form === 'triangle') return 'a hostile client';
  return labelOf(id) === 'nc' ? 'nc' : `client ${id}`;
}

export function Story() {
  const dialog = useRef<HTMLDialogElement>(null);
  const { value } = chosen;
  useEffect(() => {
    if (value !== undefined) dialog.current?.showModal();
  }, [value]);
  return (
    <dialog
      ref={dialog}
      aria-labelledby="story-title"
      onClose={() => {
        chosen.value = undefined;
      }}
    >
      {value !== undefined && <Lines {...value} close={() => dialog.current?.close()} />}
    </dialog>
  );
}

function Lines({
  s,
  client,
  close,
}: {
  readonly s: number;
  readonly client: number;
  readonly close: () => void;
}) {
  const { t, stages } = eachSecond.value;
  const { history, from } = player.value;
  const lines = storyOf(history.records(Number.NEGATIVE_INFINITY, t), s, client);
  return (
    <>
      <div class="heading">
        <h2 id="story-title">
          {nameOf(client)} of {stages[s]?.setup.architecture}
        </h2>
        <button type="button" onClick={close}>
          close
        </button>
      </div>
      {lines.length === 0 && (
        <p>It has done nothing in the last {durationText(Math.max(0, t - from))}.</p>
      )}
      <ol class="plain story">
        {lines.map(({ t: at, text }, index) => (
          <li key={index}>
            <b>{durationText(t - at)} ago</b> {text}
          </li>
        ))}
      </ol>
    </>
  );
}
