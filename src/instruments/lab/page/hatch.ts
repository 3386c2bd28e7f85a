/** The hatchings of what a lane does: those of the pictures of `mondo trace`. */

import type { Doing } from '../shared/words.ts';
import type { ColourName, Colours } from './theme.ts';

interface Hatch {
  readonly ground: ColourName;
  readonly line: ColourName;
  readonly is: 'solid' | 'diagonal' | 'dots' | 'waves' | 'upright' | 'cross';
}

const hatches: Readonly<Record<Doing, Hatch>> = {
  working: { ground: 'working', line: 'working', is: 'solid' },
  'asleep for one client': { ground: 'one-ground', line: 'one', is: 'diagonal' },
  'asleep for anyone': { ground: 'any-ground', line: 'any', is: 'dots' },
  'asleep in an answer': { ground: 'sleep-ground', line: 'sleep', is: 'waves' },
  asleep: { ground: 'sleep-ground', line: 'sleep', is: 'waves' },
  'wants a processor': { ground: 'any-ground', line: 'working', is: 'upright' },
  stopped: { ground: 'any-ground', line: 'red', is: 'cross' },
  stuck: { ground: 'any-ground', line: 'red', is: 'cross' },
  starting: { ground: 'lane', line: 'faint', is: 'dots' },
  ended: { ground: 'lane', line: 'lane', is: 'solid' },
};

/** The colour that stands for a state where there is no room for a hatching. */
export const lineOf = (doing: Doing): ColourName => hatches[doing].line;

const SIDE = 8;

export class Hatches {
  readonly #colours: Colours;
  readonly #scale: number;
  readonly #made = new Map<Doing, CanvasPattern | string>();

  constructor(colours: Colours, scale: number) {
    this.#colours = colours;
    this.#scale = scale;
  }

  of(context: CanvasRenderingContext2D, doing: Doing): CanvasPattern | string {
    const known = this.#made.get(doing);
    if (known !== undefined) return known;
    const made = this.#make(context, doing);
    this.#made.set(doing, made);
    return made;
  }

  #make(context: CanvasRenderingContext2D, doing: Doing): CanvasPattern | string {
    const { ground, line, is } = hatches[doing];
    if (is === 'solid') return this.#colours[ground];
    const tile = document.createElement('canvas');
    const side = Math.round(SIDE * this.#scale);
    tile.width = side;
    tile.height = side;
    const brush = tile.getContext('2d');
    if (brush === null) return this.#colours[ground];
    brush.scale(side / SIDE, side / SIDE);
    brush.fillStyle = this.#colours[ground];
    brush.fillRect(0, 0, SIDE, SIDE);
    brush.strokeStyle = this.#colours[line];
    brush.fillStyle = this.#colours[line];
    brush.lineWidth = 2;
    paths[is](brush);
    const pattern = context.createPattern(tile, 'repeat');
    if (pattern === null) return this.#colours[ground];
    pattern.setTransform(new DOMMatrix().scale(SIDE / side));
    return pattern;
  }
}

type Brush = CanvasRenderingContext2D;

function stroke(brush: Brush, lines: readonly (readonly [number, number, number, number])[]): void {
  brush.beginPath();
  for (const [x, y, toX, toY] of lines) {
    brush.moveTo(x, y);
    brush.lineTo(toX, toY);
  }
  brush.stroke();
}

const paths: Readonly<Record<Exclude<Hatch['is'], 'solid'>, (brush: Brush) => void>> = {
  diagonal: (brush) =>
    stroke(brush, [
      [-2, 2, 2, -2],
      [0, 8, 8, 0],
      [6, 10, 10, 6],
    ]),
  dots: (brush) => {
    brush.fillRect(1, 1, 2, 2);
    brush.fillRect(5, 5, 2, 2);
  },
  waves: (brush) => {
    brush.lineWidth = 1.5;
    stroke(brush, [
      [0, 6, 4, 2],
      [4, 2, 8, 6],
    ]);
  },
  upright: (brush) => stroke(brush, [[4, 0, 4, 8]]),
  cross: (brush) =>
    stroke(brush, [
      [0, 0, 8, 8],
      [8, 0, 0, 8],
    ]),
};
