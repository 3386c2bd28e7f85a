/** The progress of a load run: one line that is redrawn in a terminal, plain lines elsewhere. */
import type { Progress } from '../instruments/load/result.ts';
import { count, timeOr } from '../instruments/report/figures.ts';

const BARS = '▁▂▃▄▅▆▇█';
/** The most rates in the sparkline. */
const REMEMBERED = 24;
/** The most plain lines of a run; a short run has one per second. */
const LINES = 120;

/** The last values as bars; the highest value has the largest bar. */
export function sparkline(values: readonly number[]): string {
  const most = Math.max(...values, 0);
  return values
    .map((value) => BARS[most === 0 ? 0 : Math.round((value / most) * (BARS.length - 1))])
    .join('');
}

/** One line, without a line end, of at most `width` characters. */
export function progressLine(progress: Progress, rates: readonly number[], width?: number): string {
  const { phase, elapsed, total, rate, wantedRate, p50, p99, errors, open } = progress;
  const left = `${Math.max(0, Math.ceil(total - elapsed))} s left`;
  const parts =
    phase === 'waiting' || phase === 'connecting'
      ? [phase, `${count(open)} connections`]
      : [
          phase,
          `${count(Math.round(rate))}/s${wantedRate === null ? '' : ` of ${count(Math.round(wantedRate))}`}`,
          `p50 ${timeOr(p50)}`,
          `p99 ${timeOr(p99)}`,
          `errors ${count(errors)}`,
          left,
          sparkline(rates),
        ];
  const line = parts.filter((part) => part !== '').join('  ');
  return width === undefined || line.length <= width ? line : line.slice(0, Math.max(0, width));
}

interface Screen {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

export class ProgressReport {
  readonly #screen: Screen;
  readonly #prefix: string;
  readonly #rates: number[] = [];
  #second = -1;
  #isDrawn = false;

  /** @param prefix of every line */
  constructor(screen: Screen, prefix = '') {
    this.#screen = screen;
    this.#prefix = prefix;
  }

  show(progress: Progress): void {
    const { elapsed, total, phase, rate } = progress;
    const second = Math.floor(elapsed);
    const isNew = second !== this.#second;
    if (isNew && (phase === 'measuring' || phase === 'warm-up')) {
      this.#rates.push(rate);
      if (this.#rates.length > REMEMBERED) this.#rates.shift();
    }
    if (this.#screen.isTTY === true) {
      const width = Math.max(20, (this.#screen.columns || 80) - 1 - this.#prefix.length);
      this.#screen.write(`\r${this.#prefix}${progressLine(progress, this.#rates, width)}\x1b[K`);
      this.#isDrawn = true;
    } else if (isNew && second % Math.max(1, Math.ceil(total / LINES)) === 0 && elapsed > 0) {
      this.#screen.write(`${this.#prefix}${progressLine(progress, this.#rates)}\n`);
    }
    this.#second = second;
  }

  /** Removes the line, because other text will be printed. */
  clear(): void {
    if (this.#isDrawn) this.#screen.write('\r\x1b[K');
    this.#isDrawn = false;
  }
}
