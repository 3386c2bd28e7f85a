/** What each part of the probe tells through: one for a thread. */
import { RecordWriter, type TraceRecord } from './records.ts';

/** A thread that computes for longer than that tells meanwhile what it did so far, in ns. */
const LONGEST_SILENCE = 50e6;

export class Teller {
  readonly #launched: bigint;
  #writer: RecordWriter | undefined;
  readonly #early: TraceRecord[] = [];
  #flushed = 0;
  /** Set while the probe itself is at work: what it calls, it does not tell. */
  isBusy = true;
  /** Node's own loop tells no one that it is about to sleep; behind each of its callbacks come the microtasks. */
  hasMicrotasks = false;

  /** @param launch `process.hrtime.bigint()` of that moment, as text */
  constructor(launch: string) {
    this.#launched = BigInt(launch);
  }

  now(): number {
    return Number(process.hrtime.bigint() - this.#launched);
  }

  /** From here on what is told is written. */
  writeInto(fd: number, tid: number): void {
    this.#writer = new RecordWriter(fd, tid);
    for (const record of this.#early.splice(0)) this.tell(record);
  }

  tell(record: TraceRecord): void {
    if (this.#writer === undefined) {
      this.#early.push(record);
      return;
    }
    const isFirst = this.#writer.add(record);
    if (isFirst && this.hasMicrotasks) queueMicrotask(() => this.flush());
    else if (this.now() - this.#flushed > LONGEST_SILENCE) this.flush();
  }

  /** To be called before the thread may sleep. */
  flush(): void {
    this.#flushed = this.now();
    this.#writer?.flush();
  }
}
