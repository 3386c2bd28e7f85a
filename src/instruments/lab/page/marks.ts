/** The marks that a picture of a stage consists of, and the pen that makes them. No DOM in here. */

import type { Person } from '../shared/cast.ts';
import type { Client, Stage } from '../shared/model.ts';
import { PLACE } from '../shared/records.ts';
import { FIRST_NC, FIRST_PROBE, FIRST_STRANGER } from '../shared/wire.ts';
import type { Doing } from '../shared/words.ts';
import type { Box } from './layout.ts';

/** Waiting time by colour, and by a ring and a mark beside it. */
type Tone = 'plain' | 'amber' | 'red' | 'quiet';
export type Form = 'dot' | 'square' | 'triangle' | 'diamond';

export interface ClientMark {
  readonly is: 'client';
  readonly client: number;
  readonly form: Form;
  readonly tone: Tone;
  /** Part of the first 3 s that it has waited, from 0 to 1. */
  readonly wait: number;
  /** Its number, where there is room for one. */
  readonly label: string;
  /** Others wait for it, or it waits for others: as the sentence says. */
  readonly role: 'culprit' | 'victim' | '';
  /** Bytes of it that the server has not read. */
  readonly bytes: number;
  readonly answers: number;
  /** The centre. */
  readonly x: number;
  readonly y: number;
  readonly size: number;
}

export interface TextMark {
  readonly is: 'text';
  readonly look: 'title' | 'large' | 'plain' | 'faint' | 'figure' | 'warning';
  readonly anchor: 'start' | 'middle' | 'end';
  readonly text: string;
  readonly x: number;
  /** The base line. */
  readonly y: number;
}

export type Mark =
  | ClientMark
  | TextMark
  /** A strip, filled as far as the state was seen; `seat` is a place for one client, and `box` is a worker with its threads. */
  | {
      readonly is: 'lane' | 'seat' | 'box' | 'meter';
      readonly doing: Doing | undefined;
      /** From 0 to 1. */
      readonly share: number;
      readonly x: number;
      readonly y: number;
      readonly width: number;
      readonly height: number;
    }
  /** The rim of a loop: in four parts for Node's. The centre. */
  | {
      readonly is: 'ring';
      readonly doing: Doing;
      readonly parts: 1 | 4;
      readonly x: number;
      readonly y: number;
      readonly radius: number;
    }
  /** The one thread of a loop: at a client, or in the middle. The centre. */
  | {
      readonly is: 'runner';
      readonly lane: number;
      readonly doing: Doing;
      readonly x: number;
      readonly y: number;
      readonly size: number;
    }
  | {
      readonly is: 'line';
      readonly look: 'arrow' | 'limit';
      readonly x: number;
      readonly y: number;
      readonly toX: number;
      readonly toY: number;
    };

export interface View {
  /** The time of the model. */
  readonly t: number;
  /** In pixels, at least 280 × 400 or 540 × 240. A back end may enlarge all of it. */
  readonly width: number;
  readonly height: number;
  readonly people: ReadonlyMap<number, Person>;
  readonly culprits: readonly number[];
  readonly victims: readonly number[];
  readonly seed: number;
  /** Draw only 1 of this many clients: a power of two. Default 1. */
  readonly every?: number;
}

/** Where the picture shows a thread, with its words and its clients. */
interface LaneArea extends Box {
  readonly row: number;
}

export interface Drawing {
  readonly width: number;
  readonly height: number;
  readonly marks: readonly Mark[];
  readonly lanes: readonly LaneArea[];
  /** How many clients one dot stands for: a power of two. */
  readonly every: number;
  readonly entrance: { readonly x: number; readonly y: number };
  readonly exit: { readonly x: number; readonly y: number };
}

/** Text of this size is about this wide, per letter. */
const LETTER = 8;
/** A title is bold: it is as wide as a plain text of this size. */
export const TITLE_SIZE = 15.5;
export const isFitting = (text: string, width: number, size = 14): boolean =>
  (text.length * LETTER * size) / 14 <= width;

/** The first of the texts that has room; '': none has. */
export const fitting = (texts: readonly string[], width: number, size?: number): string =>
  texts.find((text) => isFitting(text, width, size)) ?? '';

export const numberText = (value: number): string => value.toLocaleString('en');

/** How long a client has waited for an answer, or for a server to accept it, in ms; undefined: it does not wait. */
export const waitOf = ({ asked, place, since }: Client, t: number): number | undefined =>
  asked === undefined && place === PLACE.served ? undefined : t - (asked ?? since);

function toneOf(client: Client, t: number): Tone {
  const wait = waitOf(client, t);
  if (wait === undefined) return 'quiet';
  return wait < 1000 ? 'plain' : wait < 3000 ? 'amber' : 'red';
}

export function formOf(id: number, people: View['people']): Form {
  if (id >= FIRST_STRANGER) return 'triangle';
  if (id >= FIRST_PROBE) return 'diamond';
  if (id >= FIRST_NC) return 'square';
  const temper = people.get(id)?.temper;
  return temper === undefined ? 'triangle' : temper === 'silent' ? 'square' : 'dot';
}

export const labelOf = (id: number): string =>
  id >= FIRST_PROBE ? '' : id >= FIRST_NC ? 'nc' : String(id);

/** What the parts of a stage draw with. */
export interface Pen {
  readonly stage: Stage;
  readonly view: View;
  readonly marks: Mark[];
  readonly lanes: LaneArea[];
  readonly client: (client: Client, x: number, y: number, pitch: number) => void;
  readonly text: (
    text: string,
    x: number,
    y: number,
    look?: TextMark['look'],
    anchor?: TextMark['anchor'],
  ) => void;
  readonly box: (
    is: 'lane' | 'seat' | 'box' | 'meter',
    box: Box,
    doing?: Doing,
    share?: number,
  ) => void;
}

export function penOf(stage: Stage, view: View): Pen {
  const marks: Mark[] = [];
  const culprits = new Set(view.culprits);
  const victims = new Set(view.victims);
  return {
    stage,
    view,
    marks,
    lanes: [],
    client: (client, x, y, pitch) => {
      const { id, bytes, answers } = client;
      marks.push({
        is: 'client',
        client: id,
        form: formOf(id, view.people),
        tone: toneOf(client, view.t),
        wait: Math.min(1, Math.max(0, (waitOf(client, view.t) ?? 0) / 3000)),
        label: pitch >= 22 ? labelOf(id) : '',
        role: culprits.has(id) ? 'culprit' : victims.has(id) ? 'victim' : '',
        bytes,
        answers,
        x,
        y,
        size: pitch >= 20 ? pitch - 7 : Math.max(3, pitch - 2),
      });
    },
    text: (text, x, y, look = 'plain', anchor = 'start') =>
      marks.push({ is: 'text', look, anchor, text, x, y }),
    box: (is, { x, y, width, height }, doing = undefined, share = 1) =>
      marks.push({ is, doing, share, x, y, width, height }),
  };
}
