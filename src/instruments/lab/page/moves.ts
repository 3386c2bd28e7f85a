/** How things of a picture go from where they were to where they are: all that changes between two models. */

import type { Ending } from '../shared/model.ts';
import { EVENT } from '../shared/records.ts';
import type { ClientMark, Drawing, Mark } from './marks.ts';

type Runner = Extract<Mark, { is: 'runner' }>;

export interface Moving<T> {
  mark: T;
  x: number;
  y: number;
}

/** A client that has left, or an answer on its way: it vanishes. */
export interface Passing {
  /** The client; undefined: an answer. */
  readonly mark: ClientMark | undefined;
  /** Beside it: how it ended. */
  readonly glyph: string;
  x: number;
  y: number;
  readonly toX: number;
  readonly toY: number;
  /** From 1 to 0. */
  left: number;
}

/** Time in which a distance shrinks to a third, in ms. */
const SLOWNESS = 110;
/** Life of a passing thing, in ms. */
const LIFE = 900;
const MOST_PASSING = 60;

const glyphOf = (ending: Ending | undefined): string => {
  switch (ending?.kind) {
    case EVENT.limited:
      return '◔';
    case EVENT.refused:
      return '✗';
    case EVENT.reset:
      return '⚡';
    case EVENT.cut:
      return '✂';
    default:
      return '';
  }
};

export class Moves {
  readonly clients = new Map<number, Moving<ClientMark>>();
  readonly runners = new Map<number, Moving<Runner>>();
  passing: Passing[] = [];

  /** Takes the next picture. Without tweens, each thing is at once where it goes. */
  set(drawing: Drawing, endings: readonly Ending[], isAtOnce: boolean): void {
    const seen = new Set<number>();
    const lanes = new Set<number>();
    for (const mark of drawing.marks) {
      if (mark.is === 'client') {
        seen.add(mark.client);
        this.#place(mark, drawing, isAtOnce);
      } else if (mark.is === 'runner') {
        lanes.add(mark.lane);
        const before = this.runners.get(mark.lane);
        if (before === undefined || isAtOnce) {
          this.runners.set(mark.lane, { mark, x: mark.x, y: mark.y });
        } else before.mark = mark;
      }
    }
    for (const [id, moving] of this.clients) {
      if (seen.has(id)) continue;
      this.clients.delete(id);
      if (!isAtOnce) this.#leave(moving, endings, drawing);
    }
    for (const row of this.runners.keys()) if (!lanes.has(row)) this.runners.delete(row);
    if (isAtOnce) this.passing = [];
  }

  #place(mark: ClientMark, { entrance, exit }: Drawing, isAtOnce: boolean): void {
    const before = this.clients.get(mark.client);
    if (before === undefined) {
      const { x, y } = isAtOnce ? mark : entrance;
      this.clients.set(mark.client, { mark, x, y });
      return;
    }
    const isAnswered = mark.answers > before.mark.answers;
    if (isAnswered && !isAtOnce && this.passing.length < MOST_PASSING) {
      const { x, y } = before;
      const to = { toX: exit.x, toY: exit.y };
      this.passing.push({ mark: undefined, glyph: '✓', x, y, ...to, left: 1 });
    }
    before.mark = mark;
    if (isAtOnce) {
      before.x = mark.x;
      before.y = mark.y;
    }
  }

  #leave({ mark, x, y }: Moving<ClientMark>, endings: readonly Ending[], { exit }: Drawing): void {
    if (this.passing.length >= MOST_PASSING) return;
    const glyph = glyphOf(endings.findLast(({ client }) => client === mark.client));
    // In order to the exit; a client that the server ended goes back to where it came from.
    const [toX, toY] = glyph === '' ? [exit.x, exit.y] : [x, y - 40];
    this.passing.push({ mark, glyph, x, y, toX, toY, left: 1 });
  }

  /** @param ms since the last step @returns whether something still moves */
  step(ms: number): boolean {
    const part = 1 - Math.exp(-ms / SLOWNESS);
    let isMoving = this.passing.length > 0;
    for (const all of [this.clients, this.runners]) {
      for (const moving of all.values()) {
        const dx = moving.mark.x - moving.x;
        const dy = moving.mark.y - moving.y;
        if (dx === 0 && dy === 0) continue;
        isMoving = true;
        const isThere = Math.abs(dx) + Math.abs(dy) < 0.5;
        moving.x = isThere ? moving.mark.x : moving.x + dx * part;
        moving.y = isThere ? moving.mark.y : moving.y + dy * part;
      }
    }
    for (const one of this.passing) {
      one.left -= ms / LIFE;
      one.x += (one.toX - one.x) * part * 0.35;
      one.y += (one.toY - one.y) * part * 0.35;
    }
    if (this.passing.length > 0) this.passing = this.passing.filter(({ left }) => left > 0);
    return isMoving;
  }
}
