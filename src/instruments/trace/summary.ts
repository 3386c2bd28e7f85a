/**
 * Counts how often each line was executed, and adds up where the time went. Each moment of a thread belongs to the
 * line that is being executed. If that line calls a function whose lines are traced, the moment belongs to a line of
 * that function. It counts as waiting while the thread sleeps in a call, and as working otherwise.
 */
import { nanoseconds } from '../report/figures.ts';
import { NO_LINE } from './recorder.ts';
import type { TraceRecord } from './records.ts';
import { LOOP, reasonOf, waitName } from './waits.ts';

/** Times in ns. */
export interface LineSum {
  readonly path: string;
  readonly line: number;
  times: number;
  /** How long threads slept in calls that this line made. */
  waiting: number;
  /** The same for each call. */
  readonly waits: Map<string, number>;
  working: number;
  /** How long functions were suspended at a `yield` or `await` of this line. Several may be at once. */
  suspended: number;
}

interface Thread {
  readonly modules: Map<number, string>;
  readonly from: number;
  /** When its last line was reached. */
  last: number;
  current: LineSum | undefined;
  /** How long it has slept since then, by call. */
  readonly slept: Map<string, number>;
  heard: number;
}

export class Summary {
  readonly #threads = new Map<number, Thread>();
  /** By thread: its modules, which it loads before it serves. */
  readonly #modules = new Map<number, Map<number, string>>();
  readonly #lines = new Map<string, LineSum>();
  readonly #waits = new Map<string, number>();

  record(tid: number, record: TraceRecord): void {
    if (record.kind === 'module') {
      this.#modulesOf(tid).set(record.module, record.path);
      return;
    }
    if (record.kind === 'thread') {
      this.#threads.set(tid, {
        modules: this.#modulesOf(tid),
        from: record.t,
        last: record.t,
        current: undefined,
        slept: new Map(),
        heard: record.t,
      });
      return;
    }
    const thread = this.#threads.get(tid);
    if (thread === undefined) return;
    thread.heard = 'end' in record ? record.end : record.t;
    switch (record.kind) {
      case 'line':
      case 'enter':
        this.#reach(thread, record.t, record.module, record.line).times +=
          record.kind === 'line' ? 1 : 0;
        break;
      case 'back':
        if (record.module === NO_LINE) {
          this.#charge(thread, record.t);
          thread.current = undefined;
        } else this.#reach(thread, record.t, record.module, record.line);
        break;
      case 'resume':
        this.#reach(thread, record.t, record.module, record.line).suspended +=
          record.t - record.since;
        break;
      case 'call':
        this.#sleep(thread, record.name, record.blocked);
        break;
      case 'idle':
        // The loop sleeps between callbacks, so this time belongs to no line.
        add(this.#waits, LOOP, record.end - record.t);
        thread.last += record.end - record.t;
        break;
    }
  }

  /** The lines that were executed. Those that waited longest come first, then those that worked longest. */
  lines(): readonly LineSum[] {
    for (const thread of this.#threads.values()) this.#charge(thread, thread.heard);
    return [...this.#lines.values()]
      .filter(({ times }) => times > 0)
      .sort((a, b) => b.waiting - a.waiting || b.working - a.working);
  }

  /** Time of all threads that serve, in ns. */
  get total(): number {
    let total = 0;
    for (const { from, heard } of this.#threads.values()) total += heard - from;
    return total;
  }

  /** How long threads slept, by call; longest first. */
  get waits(): readonly (readonly [call: string, ns: number])[] {
    return [...this.#waits].sort(([, a], [, b]) => b - a);
  }

  /** What the server did with its time, in one sentence. */
  sentence(): string {
    return sentenceOf(this.total, this.#threads.size, this.waits);
  }

  #modulesOf(tid: number): Map<number, string> {
    let modules = this.#modules.get(tid);
    if (modules === undefined) {
      modules = new Map();
      this.#modules.set(tid, modules);
    }
    return modules;
  }

  #reach(thread: Thread, t: number, module: number, line: number): LineSum {
    this.#charge(thread, t);
    const path = thread.modules.get(module) ?? `module ${module}`;
    const key = `${path}:${line}`;
    let sum = this.#lines.get(key);
    if (sum === undefined) {
      sum = { path, line, times: 0, waiting: 0, waits: new Map(), working: 0, suspended: 0 };
      this.#lines.set(key, sum);
    }
    thread.current = sum;
    return sum;
  }

  #charge(thread: Thread, t: number): void {
    const { current, slept, last } = thread;
    if (current !== undefined) {
      let waited = 0;
      for (const [call, ns] of slept) {
        waited += ns;
        add(current.waits, call, ns);
      }
      current.waiting += waited;
      current.working += Math.max(0, t - last - waited);
    }
    slept.clear();
    thread.last = t;
  }

  #sleep(thread: Thread, call: string, ns: number): void {
    if (ns === 0) return;
    add(thread.slept, call, ns);
    add(this.#waits, call, ns);
  }
}

const add = (sums: Map<string, number>, name: string, ns: number) =>
  void sums.set(name, (sums.get(name) ?? 0) + ns);

/**
 * @param total time of all threads together, in ns
 * @param waits how much of it they slept, by call; longest first
 */
export function sentenceOf(
  total: number,
  threads: number,
  waits: readonly (readonly [call: string, ns: number])[],
): string {
  if (total === 0) return 'No thread served.';
  const share = (ns: number) => `${((ns / total) * 100).toFixed(1)} %`;
  const slept = waits.reduce((sum, [, ns]) => sum + ns, 0);
  const parts = waits
    .filter(([, ns]) => ns / total >= 0.0005)
    .map(([call, ns]) => `${share(ns)} asleep in ${waitName(call)}, ${reasonOf(call)}`);
  parts.push(`${share(Math.max(0, total - slept))} working`);
  const whose = threads === 1 ? '' : ` of ${threads} threads`;
  return `${nanoseconds(total)}${whose}: ${parts.join('; ')}.`;
}
