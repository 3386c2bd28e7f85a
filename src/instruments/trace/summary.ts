/**
 * Counts how many times each line ran, and where the time went. At each moment, the time of a
 * thread goes to its running line. If that line calls a function with traced lines, the time goes
 * to those. It counts as waiting while the thread sleeps in a call, and otherwise as working.
 */
import { NO_LINE } from './recorder.ts';
import type { TraceRecord } from './records.ts';
import { LOOP, reasonOf, waitName } from './waits.ts';

/** Times in ns. */
export interface LineSum {
  readonly path: string;
  readonly line: number;
  times: number;
  /** Time that threads slept in calls of this line. */
  waiting: number;
  working: number;
  /**
   * Time that a `yield` or `await` of this line was suspended. Several may be suspended at the same
   * time.
   */
  suspended: number;
}

interface Thread {
  readonly modules: Map<number, string>;
  readonly from: number;
  /** When its last line was reached. */
  last: number;
  current: LineSum | undefined;
  /** Time slept since then. */
  slept: number;
  heard: number;
}

export class Summary {
  readonly #threads = new Map<number, Thread>();
  /** Kept separately, because modules are loaded before the thread's first record. */
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
        slept: 0,
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
      case 'goOn':
        this.#reach(thread, record.t, record.module, record.line).suspended +=
          record.t - record.since;
        break;
      case 'call':
        this.#sleep(thread, record.name, record.blocked);
        break;
      case 'idle':
        this.#sleep(thread, LOOP, record.end - record.t);
        // The loop sleeps between callbacks, so this time belongs to no line.
        thread.last += record.end - record.t;
        thread.slept -= record.end - record.t;
        break;
    }
  }

  /** All lines that ran, sorted by waiting time, then by working time, longest first. */
  lines(): readonly LineSum[] {
    for (const thread of this.#threads.values()) this.#charge(thread, thread.heard);
    return [...this.#lines.values()]
      .filter(({ times }) => times > 0)
      .sort((a, b) => b.waiting - a.waiting || b.working - a.working);
  }

  /** Total time of all serving threads, in ns. */
  get total(): number {
    let total = 0;
    for (const { from, heard } of this.#threads.values()) total += heard - from;
    return total;
  }

  /** Time that threads slept, by call, longest first. */
  get waits(): readonly (readonly [call: string, ns: number])[] {
    return [...this.#waits].sort(([, a], [, b]) => b - a);
  }

  /** How the server spent its time, in one sentence. */
  sentence(): string {
    const { total } = this;
    if (total === 0) return 'No thread served.';
    const share = (ns: number) => `${((ns / total) * 100).toFixed(1)} %`;
    const waits = this.waits.filter(([, ns]) => ns / total >= 0.0005);
    const slept = this.waits.reduce((sum, [, ns]) => sum + ns, 0);
    const parts = waits.map(([call, ns]) => `${share(ns)} in ${waitName(call)}, ${reasonOf(call)}`);
    parts.push(`${share(Math.max(0, total - slept))} working`);
    const threads = this.#threads.size;
    const whose = threads === 1 ? '' : ` of ${threads} threads`;
    return `${(total / 1e9).toFixed(3)} s${whose}: ${parts.join('; ')}.`;
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
      sum = { path, line, times: 0, waiting: 0, working: 0, suspended: 0 };
      this.#lines.set(key, sum);
    }
    thread.current = sum;
    return sum;
  }

  #charge(thread: Thread, t: number): void {
    if (thread.current !== undefined) {
      thread.current.waiting += thread.slept;
      thread.current.working += Math.max(0, t - thread.last - thread.slept);
    }
    thread.slept = 0;
    thread.last = t;
  }

  #sleep(thread: Thread, call: string, ns: number): void {
    thread.slept += ns;
    if (ns > 0) this.#waits.set(call, (this.#waits.get(call) ?? 0) + ns);
  }
}
