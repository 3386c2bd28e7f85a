/**
 * What the page knows, as signals. The socket gives records to `take`. The picture, the sentence and the table show
 * `shown`: the newest model, or an older one while a viewer looks back.
 */

import { computed, signal } from '@preact/signals';
import { cast, type Person } from '../shared/cast.ts';
import { type Model, nothing } from '../shared/model.ts';
import type { LabRecord, Setup } from '../shared/records.ts';
import { apply } from '../shared/reducer.ts';
import type { Command, NoteRecord, WelcomeRecord } from '../shared/wire.ts';

/** The model after the newest record. */
export const newest = signal<Model>(nothing);
/** The model that the page shows. Only the player sets it, and `take` while no player is there. */
export const shown = signal<Model>(nothing);
/** How `shown` follows `newest`: at once, not at all, or as a replay of the last minute. */
export const mode = signal<'live' | 'paused' | 'replaying'>('live');

/** `refused`: the page does not try again. */
export const connection = signal<'connecting' | 'open' | 'lost' | 'refused'>('connecting');
/** Why the hub refused, in words. */
export const refusal = signal('');
export const welcome = signal<WelcomeRecord | undefined>(undefined);
/** The last few notes of the hub, the newest last. */
export const notes = signal<readonly NoteRecord[]>([]);
const NOTES = 5;

export const isProjector = signal(false);
export const isReduced = signal(false);
/** What is open below the stages; '': nothing. One at a time keeps the picture on the screen. */
export type Panel =
  | ''
  | 'clients'
  | 'server'
  | 'attacks'
  | 'defences'
  | 'outside'
  | 'code'
  | 'timeline'
  | 'mission'
  | 'export';
export const panel = signal<Panel>('');
export const isTable = signal(false);
/** Tables once a second, and no pictures: the page costs least. */
export const isMeasuring = signal(false);
/** What the page says of its own drawing, such as that it draws less; ''. */
export const pacing = signal('');
/** The stage that keys without a stage of their own mean, and the one that a narrow window shows. */
export const chosen = signal(0);

/** Whether the hub obeys this viewer. */
export const steers = computed(() => {
  const { value } = welcome;
  return connection.value === 'open' && value !== undefined && value.steers && !value.isReplay;
});

/** Whether the hub plays its recording again for this viewer, or starts its scene again. */
export const mayStartAgain = computed(
  () => connection.value === 'open' && welcome.value?.steers === true,
);

export type Taker = (record: LabRecord) => void;
let taker: Taker | undefined;

/** The player gets each record after `newest` has it; it then sets `shown`. */
export function follow(next: Taker): void {
  taker = next;
}

let keeper: Taker | undefined;

/** `next` gets each record of the hub before the page shows what it changes. */
export function keep(next: Taker): void {
  keeper = next;
}

/** Takes records of the hub, of a recording, or of a test: in their order. */
export function take(records: readonly (LabRecord | WelcomeRecord | NoteRecord)[]): void {
  let model = newest.value;
  for (const record of records) {
    if (record.k === 'y') welcome.value = record;
    else if (record.k === 'n') notes.value = [...notes.value, record].slice(-NOTES);
    else {
      keeper?.(record);
      model = apply(model, record);
      if (taker !== undefined) {
        newest.value = model;
        taker(record);
      }
    }
  }
  newest.value = model;
  if (taker === undefined && mode.value === 'live') shown.value = model;
}

export type Sender = (command: Command) => void;
let sender: Sender | undefined;

export function sendBy(next: Sender | undefined): void {
  sender = next;
}

/** Asks the hub for something. Without a connection, or if this viewer does not steer, a note says that it did not. */
export function send(command: Command): void {
  if (sender === undefined) say('No hub is connected, so this does nothing.');
  else if (steers.value || command.do === 'take-over') sender(command);
  else if (command.do === 'again' && mayStartAgain.value) sender(command);
  else if (welcome.value?.isReplay === true && mayStartAgain.value) {
    say('A recording plays: start mondo lab without --replay to have servers.');
  } else say('Another viewer steers: press “take over” first.');
}

/** Shows a note of the page itself. */
export function say(text: string, isFault = false): void {
  notes.value = [...notes.value, { k: 'n' as const, isFault, text }].slice(-NOTES);
}

let peopleOf: { readonly setup: Setup; readonly people: ReadonlyMap<number, Person> } | undefined;

/** The clients of the scene that is shown, by their number. */
export function people(): ReadonlyMap<number, Person> {
  const { setup } = shown.value;
  if (setup === undefined) return new Map();
  if (peopleOf?.setup !== setup) {
    const all = cast(setup.seed, setup.mix).map((person) => [person.id, person] as const);
    peopleOf = { setup, people: new Map(all) };
  }
  return peopleOf.people;
}
