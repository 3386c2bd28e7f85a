/**
 * The functions that instrumented code calls. They report lines, and track which line of which
 * function runs.
 */
import type { TraceRecord } from './records.ts';

/** A function that was entered and has not returned. */
interface Frame {
  module: number;
  /** Its line that was reached last. */
  line: number;
  /** True while it runs another generator with `yield*`, and is suspended with it. */
  delegates: boolean;
  /** The frames that were suspended with it, outermost first. */
  outer: readonly Frame[];
  /** When it was suspended, in ns since the launch. */
  since: number;
  /** Its number, from its first suspension on; undefined: it was never suspended. */
  number: number | undefined;
  isAside: boolean;
}

/** A `yield` or `await` and its place. `frame` is undefined in a function without a frame. */
interface Suspension {
  readonly frame: Frame | undefined;
  readonly module: number;
  readonly line: number;
  readonly since: number;
}

/** The methods of the global object that instrumented code calls. */
export interface Recorder {
  /** A line is about to run. Always returns true, so that it can stand in a condition. */
  line(module: number, line: number): true;
  /** A function was entered. Without a name, no heading is reported. */
  enter(module: number, line: number, name: string): Frame;
  /** The function has returned or thrown. */
  exit(frame: Frame): void;
  /** A `yield` or `await` begins. Its operand is computed after this call. */
  hold(frame: Frame | undefined, module: number, line: number): Suspension;
  /** The function gives up the thread with `value`. */
  leave<T>(frame: Frame, value?: T): T;
  /** The function resumes with `value`. */
  resume<T>(suspension: Suspension, value: T): T;
  /** `yield*` begins. */
  delegate(frame: Frame): Frame;
  /** `yield*` has its result. */
  join<T>(frame: Frame, value: T): T;
}

interface Sink {
  report(record: TraceRecord): void;
  /** ns since the launch. */
  now(): number;
  /** If true, nothing is reported, but entered and left functions are still tracked. */
  readonly isBusy: boolean;
}

/** Module number in a `back` record if no line runs. */
export const NO_LINE = -1;

/** Makes the recorder of a thread. */
export function recorderInto(sink: Sink): Recorder {
  const stack: Frame[] = [];
  let numbers = 0;

  /** Reports which line runs now, after a function was left. */
  function reportBack(): void {
    if (sink.isBusy) return;
    const { module, line } = stack.at(-1) ?? { module: NO_LINE, line: 0 };
    sink.report({ kind: 'back', t: sink.now(), module, line });
  }

  function reportAside(frame: Frame, line: number): void {
    frame.number ??= ++numbers;
    frame.isAside = line > 0;
    if (sink.isBusy) return;
    const { number, module } = frame;
    sink.report({ kind: 'aside', t: sink.now(), frame: number, module, line });
  }

  return {
    line(module, line) {
      const top = stack.at(-1);
      if (top !== undefined) {
        top.module = module;
        top.line = line;
      }
      if (!sink.isBusy) sink.report({ kind: 'line', t: sink.now(), module, line });
      return true;
    },
    enter(module, line, name) {
      const frame: Frame = {
        ...{ module, line, delegates: false, outer: [], since: 0 },
        ...{ number: undefined, isAside: false },
      };
      stack.push(frame);
      if (name !== '' && !sink.isBusy) {
        sink.report({ kind: 'enter', t: sink.now(), module, line, name });
      }
      return frame;
    },
    exit(frame) {
      const at = stack.lastIndexOf(frame);
      // A generator that was closed while it was suspended is not on the stack.
      if (at < 0) {
        if (frame.isAside) reportAside(frame, 0);
        frame.isAside = false;
        return;
      }
      stack.length = at;
      reportBack();
    },
    hold: (frame, module, line) => ({ frame, module, line, since: sink.now() }),
    leave(frame, value) {
      const at = stack.lastIndexOf(frame);
      if (at >= 0) {
        let from = at;
        while (stack[from - 1]?.delegates === true) from--;
        frame.outer = stack.slice(from, at);
        frame.since = sink.now();
        stack.length = from;
        reportAside(frame, frame.line);
        reportBack();
      }
      return value!;
    },
    resume({ frame, module, line, since }, value) {
      if (frame !== undefined) {
        stack.push(...frame.outer, frame);
        frame.outer = [];
        frame.isAside = false;
        frame.module = module;
        frame.line = line;
      }
      if (!sink.isBusy) {
        const number = frame?.number;
        const left = frame?.since ?? since;
        sink.report({ kind: 'resume', t: sink.now(), frame: number, since: left, module, line });
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
