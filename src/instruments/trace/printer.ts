/**
 * Prints lines and calls during the run, in the order of their times, even if a thread reports
 * late.
 */
import { eventText, type ServerEvent } from '../../host/server-event.ts';
import type { TraceRecord } from './records.ts';
import { roleOf } from './role.ts';
import { fileName, shortPath, sourceLine } from './source-text.ts';

/** Delay of the output, in ms. Records of another thread with an earlier time may still arrive. */
const SETTLING = 60;

export interface PrinterOptions {
  readonly lines: boolean;
  readonly calls: boolean;
  /** True to print the thread of each line. */
  readonly tagged: boolean;
  readonly write: (text: string) => void;
  /** ns since the launch. */
  readonly now: () => number;
}

type Call = Extract<TraceRecord, { kind: 'call' }>;
type Begin = Extract<TraceRecord, { kind: 'begin' }>;

export class Printer {
  readonly #options: PrinterOptions;
  readonly #modules = new Map<string, string>();
  /** Texts to print, with their times. */
  #settling: { readonly t: number; readonly text: string }[] = [];
  /** By thread: its current call. */
  readonly #begun = new Map<number, { readonly begin: Begin; isPrinted: boolean }>();
  readonly #timer = setInterval(() => this.#print(false), SETTLING);

  constructor(options: PrinterOptions) {
    this.#options = options;
  }

  record(tid: number, record: TraceRecord): void {
    const { lines, calls } = this.#options;
    switch (record.kind) {
      case 'module':
        this.#modules.set(`${tid}:${record.module}`, record.path);
        break;
      case 'thread':
        if (this.#options.tagged && (lines || calls)) {
          this.#add(record.t, tid, `--- worker ${record.worker}, ${roleOf(tid, record)}`, '');
        }
        break;
      case 'note':
        this.#settling.push({ t: record.t, text: `${stamp(record.t)} ${record.text}` });
        break;
      case 'enter':
        if (lines) {
          const path = shortPath(this.#pathOf(tid, record.module));
          this.#add(record.t, tid, `--- ${path}, ${record.name}`, '');
        }
        break;
      case 'line':
        if (lines) this.#add(record.t, tid, this.#line(tid, record));
        break;
      case 'goOn':
        if (lines) {
          const left = `   # goes on, ${seconds(record.t - record.since)} s later`;
          this.#add(record.t, tid, this.#line(tid, record) + left);
        }
        break;
      case 'begin':
        this.#begun.set(tid, { begin: record, isPrinted: false });
        break;
      case 'call':
        this.#call(tid, record);
        break;
      case 'operation':
        if (calls) this.#add(record.t, tid, `  ${record.text}`);
        break;
      case 'socket':
        if (calls) this.#add(record.t, tid, `  ${record.text}`);
        break;
      case 'phase':
        if (calls) {
          const took = seconds(record.end - record.t);
          this.#add(record.t, tid, `${record.phase}: ${record.text}  <${took}>`);
        }
        break;
      case 'idle':
        if (calls) {
          const slept = seconds(record.end - record.t);
          this.#add(record.t, tid, `poll: nothing to do  <${slept} asleep>`);
        }
        break;
    }
  }

  event(t: number, event: ServerEvent): void {
    this.#settling.push({ t, text: `${stamp(t)} ${eventText(event)}` });
  }

  /** Prints the rest. */
  close(): void {
    clearInterval(this.#timer);
    this.#print(true);
  }

  #pathOf(tid: number, module: number): string {
    return this.#modules.get(`${tid}:${module}`) ?? '';
  }

  #line(tid: number, { module, line }: { readonly module: number; readonly line: number }): string {
    const path = this.#pathOf(tid, module);
    return `${fileName(path)}(${line}): ${sourceLine(path, line)}`;
  }

  #call(tid: number, call: Call): void {
    const begun = this.#begun.get(tid);
    this.#begun.delete(tid);
    if (!this.#options.calls) return;
    const took = call.end - call.t;
    const times = call.begun
      ? `<${seconds(call.blocked)} asleep, ${seconds(took - call.blocked)} working>`
      : `<${seconds(took)}>`;
    const whole = `${call.name}(${call.args}) = ${call.result}  ${times}`;
    if (begun?.isPrinted !== true) this.#add(call.t, tid, whole);
    else {
      // The arguments of poll(2) are long, and were printed before.
      const isSame = begun.begin.args === call.args;
      const text = isSame ? `${call.name}(…) = ${call.result}  ${times}` : whole;
      this.#add(call.end, tid, `<… resumed> ${text}`);
    }
  }

  #add(t: number, tid: number, text: string, space = ' '): void {
    const tag = this.#options.tagged ? `[${tid}] ` : '';
    this.#settling.push({ t, text: `${space === '' ? '          ' : stamp(t)} ${tag}${text}` });
  }

  #print(all: boolean): void {
    const now = this.#options.now();
    const due = all ? Number.POSITIVE_INFINITY : now - SETTLING * 1e6;
    if (this.#options.calls) this.#printSleeping(due);
    const ready = this.#settling.filter(({ t }) => t <= due);
    if (ready.length === 0) return;
    this.#settling = this.#settling.filter(({ t }) => t > due);
    // The sort is stable: records of one thread with equal times keep their order.
    ready.sort((a, b) => a.t - b.t);
    this.#options.write(ready.map(({ text }) => `${text}\n`).join(''));
  }

  /** Prints each call that is still running when its start is due. */
  #printSleeping(due: number): void {
    for (const [tid, begun] of this.#begun) {
      const { begin, isPrinted } = begun;
      if (isPrinted || begin.t > due) continue;
      begun.isPrinted = true;
      this.#add(begin.t, tid, `${begin.name}(${begin.args} <asleep …>`);
    }
  }
}

/** Converts ns to s. */
export const seconds = (ns: number): string => (ns / 1e9).toFixed(6);

const stamp = (t: number) => seconds(Math.max(0, t)).padStart(10);
