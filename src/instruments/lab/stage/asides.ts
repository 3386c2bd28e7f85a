/** The functions of a traced server that wait at a `yield` or an `await`, and keep no thread. */

import type { TraceRecord as Report } from '../../trace/records.ts';

interface Aside {
  readonly tid: number;
  /** Its number among all threads. */
  readonly number: number;
  /** ns since the tracer's launch. */
  readonly t: number;
  readonly file: number;
  /** 0: it goes on, or has ended. */
  readonly line: number;
  readonly client: number;
}

const keyOf = (tid: number, frame: number) => `${tid}:${frame}`;

export class Asides {
  /** Most rows at once. */
  readonly #most: number;
  readonly #all = new Map<string, Aside>();
  /** Keys of those that have changed since the last rows. */
  readonly #changed = new Set<string>();
  #numbers = 0;

  constructor(most: number) {
    this.#most = most;
  }

  set(tid: number, report: Extract<Report, { kind: 'aside' }>, file: number, client: number): void {
    const key = keyOf(tid, report.frame);
    const before = this.#all.get(key);
    if (before === undefined && report.line === 0) return;
    const { t, line } = report;
    const number = before?.number ?? ++this.#numbers;
    this.#change(key, { tid, number, t, file, line, client: line === 0 ? -1 : client });
  }

  /** @returns the client that it waited for, or -1 */
  resume(tid: number, { frame, t }: Extract<Report, { kind: 'resume' }>): number {
    const key = keyOf(tid, frame ?? 0);
    const before = this.#all.get(key);
    if (before === undefined) return -1;
    this.#change(key, { ...before, t, line: 0 });
    return before.client;
  }

  /** The thread has ended. */
  forget(tid: number): void {
    for (const [key, aside] of this.#all) {
      if (aside.tid === tid) this.#change(key, { ...aside, line: 0 });
    }
  }

  /** The rows of what has changed; what has no room comes with the next ones. See `TraceRecord.y`. */
  take(offsetOf: (t: number) => number): number[] {
    const rows: number[] = [];
    for (const key of [...this.#changed].slice(0, this.#most)) {
      const { number, t, file, line, client } = this.#all.get(key)!;
      rows.push(offsetOf(t), number, file, line, line === 0 ? -1 : client);
      this.#changed.delete(key);
      if (line === 0) this.#all.delete(key);
    }
    return rows;
  }

  #change(key: string, aside: Aside): void {
    this.#all.set(key, aside);
    this.#changed.add(key);
  }
}
