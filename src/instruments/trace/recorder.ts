/** What instrumented code calls: tells lines, and keeps which line of which function has the thread. */
import type { TraceRecord } from './records.ts';

/** A function that was entered and has not returned. */
interface Frame {
  module: number;
  /** The line of it that was reached last. */
  line: number;
  /** It runs another generator as a part of itself (`yield*`), and is suspended with it. */
  delegates: boolean;
  /** Those that were suspended with it, the outermost first, … */
  outer: readonly Frame[];
  /** … and when, in ns since the launch. */
  since: number;
}

/** A `yield` or `await`: where, and of which function; `undefined` for one that has no frame. */
interface Suspension {
  readonly frame: Frame | undefined;
  readonly module: number;
  readonly line: number;
  readonly since: number;
}

/** The methods of the global object that instrumented code knows. */
export interface Recorder {
  /** A line is about to be executed. Always true, so that it can stand in a condition. */
  line(module: number, line: number): true;
  /** A function was entered; no name, no heading. */
  enter(module: number, line: number, name: string): Frame;
  /** It is left for good, whichever way. */
  exit(frame: Frame): void;
  /** A `yield` or `await` begins; what it is to give away is computed after this … */
  hold(frame: Frame | undefined, module: number, line: number): Suspension;
  /** … and now the function gives up the thread, with that … */
  leave<T>(frame: Frame, value?: T): T;
  /** … and goes on with what it waited for. */
  goOn<T>(suspension: Suspension, value: T): T;
  /** `yield*` begins … */
  delegate(frame: Frame): Frame;
  /** … and has its result. */
  join<T>(frame: Frame, value: T): T;
}

interface Told {
  tell(record: TraceRecord): void;
  /** ns since the launch. */
  now(): number;
  /** While it is, nothing is told, and functions come and go all the same. */
  readonly isBusy: boolean;
}

/** No line has the thread. */
export const NOBODY = -1;

/** One for a thread. */
export function recorderInto(told: Told): Recorder {
  const stack: Frame[] = [];

  /** Whose line has the thread again. */
  function tellBack(): void {
    if (told.isBusy) return;
    const { module, line } = stack.at(-1) ?? { module: NOBODY, line: 0 };
    told.tell({ kind: 'back', t: told.now(), module, line });
  }

  return {
    line(module, line) {
      const top = stack.at(-1);
      if (top !== undefined) {
        top.module = module;
        top.line = line;
      }
      if (!told.isBusy) told.tell({ kind: 'line', t: told.now(), module, line });
      return true;
    },
    enter(module, line, name) {
      const frame: Frame = { module, line, delegates: false, outer: [], since: 0 };
      stack.push(frame);
      if (name !== '' && !told.isBusy) {
        told.tell({ kind: 'enter', t: told.now(), module, line, name });
      }
      return frame;
    },
    exit(frame) {
      const at = stack.lastIndexOf(frame);
      // A generator that is ended where it was suspended is not there.
      if (at < 0) return;
      stack.length = at;
      tellBack();
    },
    hold: (frame, module, line) => ({ frame, module, line, since: told.now() }),
    leave(frame, value) {
      const at = stack.lastIndexOf(frame);
      if (at >= 0) {
        let from = at;
        while (stack[from - 1]?.delegates === true) from--;
        frame.outer = stack.slice(from, at);
        frame.since = told.now();
        stack.length = from;
        tellBack();
      }
      return value!;
    },
    goOn({ frame, module, line, since }, value) {
      if (frame !== undefined) {
        stack.push(...frame.outer, frame);
        frame.outer = [];
        frame.module = module;
        frame.line = line;
      }
      if (!told.isBusy) {
        told.tell({ kind: 'goOn', t: told.now(), since: frame?.since ?? since, module, line });
      }
      return value;
    },
    delegate(frame) {
      frame.delegates = true;
      return frame;
    },
    join(frame, value) {
      frame.delegates = false;
      return value;
    },
  };
}
