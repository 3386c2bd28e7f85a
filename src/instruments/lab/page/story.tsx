/** The dialog with the story of one client, or of one thread of a server, of the time that the page keeps. */

import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { laneStoryOf } from '../shared/lane-story.ts';
import type { Lane, Stage } from '../shared/model.ts';
import { type StoryLine, storyOf } from '../shared/story.ts';
import { counted, doingOf, durationText } from '../shared/words.ts';
import { loops } from './captions.ts';
import { eachSecond } from './clock.ts';
import { formOf, labelOf } from './marks.ts';
import { player } from './playhead.ts';
import { people } from './state.ts';

/** A client, or the thread of a row. */
type Chosen = { readonly s: number } & ({ readonly client: number } | { readonly row: number });

const chosen = signal<Chosen | undefined>(undefined);

/** Opens the dialog. @param s index of the stage */
export function tellStory(s: number, client: number): void {
  chosen.value = { s, client };
}

/** Opens the dialog. @param s index of the stage */
export function tellLaneStory(s: number, row: number): void {
  chosen.value = { s, row };
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
    const element = dialog.current;
    if (value === undefined || element === null) return;
    if (!element.open) element.showModal();
    // The button that led from a thread to its client is gone.
    element.querySelector('button')?.focus();
  }, [value]);
  const close = () => dialog.current?.close();
  return (
    <dialog
      ref={dialog}
      aria-labelledby="story-title"
      onClose={() => {
        chosen.value = undefined;
      }}
    >
      {value !== undefined &&
        ('client' in value ? (
          <ClientStory {...value} close={close} />
        ) : (
          <LaneStory {...value} close={close} />
        ))}
    </dialog>
  );
}

/** The records that the page keeps, up to the moment that it shows. */
const recordsUpTo = (t: number) => player.value.history.records(Number.NEGATIVE_INFINITY, t);

interface Asked {
  readonly s: number;
  readonly close: () => void;
}

function ClientStory({ s, client, close }: Asked & { readonly client: number }) {
  const { t, stages } = eachSecond.value;
  return (
    <>
      <Heading text={`${nameOf(client)} of ${stages[s]?.setup.architecture ?? ''}`} close={close} />
      <Lines t={t} lines={storyOf(recordsUpTo(t), s, client)} />
    </>
  );
}

function LaneStory({ s, row, close }: Asked & { readonly row: number }) {
  const { t, stages } = eachSecond.value;
  const stage = stages[s];
  const lane = stage?.lanes.get(row);
  if (stage === undefined || lane === undefined) {
    return (
      <>
        <Heading text={`a thread of ${stage?.setup.architecture ?? ''}`} close={close} />
        <p>This thread has ended.</p>
      </>
    );
  }
  const lines = laneStoryOf(recordsUpTo(t), s, lane, stage.lanes.size === 1);
  return (
    <>
      <Heading text={`thread ${lane.tid} of ${stage.setup.architecture}`} close={close} />
      <LaneFacts s={s} stage={stage} lane={lane} t={t} />
      <Lines t={t} lines={lines} />
    </>
  );
}

function LaneFacts({
  s,
  stage,
  lane,
  t,
}: {
  readonly s: number;
  readonly stage: Stage;
  readonly lane: Lane;
  readonly t: number;
}) {
  const { setup, threads } = stage;
  const more = threads.get(lane.tid);
  return (
    <dl class="looks">
      <div>
        <dt>does</dt>
        <dd>
          {doingOf(lane)}, for {durationText(t - lane.since)}
        </dd>
      </div>
      <div>
        <dt>client</dt>
        <dd>
          {lane.client >= 0 ? (
            <button type="button" class="small" onClick={() => tellStory(s, lane.client)}>
              {nameOf(lane.client)}
            </button>
          ) : lane.open > 0 ? (
            `none now; it has ${counted(lane.open, 'connection')}`
          ) : (
            'none'
          )}
        </dd>
      </div>
      <div>
        <dt>accepted so far</dt>
        <dd>{more === undefined ? 'not known' : counted(more.accepted, 'connection')}</dd>
      </div>
      <div>
        <dt>wait channel (wchan)</dt>
        <dd>{more === undefined || more.channel === '' ? 'none, or not known' : more.channel}</dd>
      </div>
      <div>
        <dt>process</dt>
        <dd>
          {lane.pid}
          {loops.has(setup.architecture) && ', whose thread is a loop for all its clients'}
        </dd>
      </div>
    </dl>
  );
}

function Heading({ text, close }: { readonly text: string; readonly close: () => void }) {
  return (
    <div class="heading">
      <h2 id="story-title">{text}</h2>
      <button type="button" onClick={close}>
        close
      </button>
    </div>
  );
}

function Lines({ t, lines }: { readonly t: number; readonly lines: readonly StoryLine[] }) {
  const { from } = player.value;
  return (
    <>
      {lines.length === 0 && (
        <p>Nothing has happened in the last {durationText(Math.max(0, t - from))}.</p>
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
