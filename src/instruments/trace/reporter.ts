/** Sends the records of a thread: every part of the probe uses it. */
import { RecordWriter, type TraceRecord } from './records.ts';

/** Longest time between two writes of a thread that computes, in ns. */
const LONGEST_SILENCE = 50e6;

export class Reporter {
  readonly #launched: bigint;
  #writer: RecordWriter | undefined;
  readonly #early: TraceRecord[] = [];
  #flushed = 0;
  /** True while the probe itself works: then its own calls are not reported. */
  isBusy = true;
  /**
   * True on Node's own loop. It gives no sign before it sleeps, but it runs microtasks after each
   * callback.
   */
  hasMicrotasks = false;

  /** @param launch `process.hrtime.bigint()` at the launch, as text */
  constructor(launch: string) {
    this.#launched = BigInt(launch);
  }

  now(): number {
    return Number(process.hrtime.bigint() - this.#launched);
  }

  /** Starts to write. Earlier records are kept until this call. */
  writeInto(fd: number, tid: number): void {
    this.#writer = new RecordWriter(fd, tid);
    for (const record of this.#early.splice(0)) this.report(record);
  }

  report(record: TraceRecord): void {
    if (this.#writer === undefined) {
      this.#early.push(record);
      return;
    }
    const isFirst = this.#writer.add(record);
    if (isFirst && this.hasMicrotasks) queueMicrotask(() => this.flush());
    else if (this.now() - this.#flushed > LONGEST_SILENCE) this.flush();
  }

  /** Call it before the thread may sleep. */
  flush(): void {
    this.#flushed = this.now();
    this.#writer?.flush();
  }
}
