/** Prints lines and calls as they happen, in the order of their times across all threads. */
import { eventText, type ServerEvent } from '../../host/server-event.ts';
import { nanoseconds } from '../report/figures.ts';
import type { TraceRecord } from './records.ts';
import { roleOf } from './role.ts';
import { fileName, shortPath, sourceLine } from './source-text.ts';
import { LOOP, reasonOf, waitName } from './waits.ts';

/** How long a record is kept before it is printed, in ms: an earlier one of another thread may come later. */
const SETTLING = 60;

export interface PrinterOptions {
  readonly lines: boolean;
  readonly calls: boolean;
  /** Whether each line starts with the number of its thread. */
  readonly tagged: boolean;
  readonly write: (text: string) => void;
  /** ns since the launch. */
  readonly now: () => number;
  /** The width of the terminal. Without a terminal, a printed line is never replaced. */
  readonly columns?: (() => number) | undefined;
  /** For Node's own loop, which does not report when it begins to wait: whether the kernel has put the thread to sleep. */
  readonly sleepsInLoop?: ((pid: number, tid: number) => boolean) | undefined;
}

type Call = Extract<TraceRecord, { kind: 'call' }>;
type Begin = Extract<TraceRecord, { kind: 'begin' }>;

interface Entry {
  /** When it happened. */
  readonly t: number;
  readonly text: string;
  /** The thread that waits, if this line says so … */
  readonly waits?: number;
  /** … or has waited. */
  readonly waited?: number;
}

/** A thread as the printer knows it. */
interface Thread {
  readonly pid: number;
  /** The call that it is in. */
  begun: Begin | undefined;
  /** Whether it was printed that the thread waits. */
  isPrinted: boolean;
  /** When it did anything last. */
  heard: number;
}

export class Printer {
  readonly #options: PrinterOptions;
  readonly #modules = new Map<string, string>();
  #settling: Entry[] = [];
  readonly #threads = new Map<number, Thread>();
  /** The last line on the screen, if it says that a thread waits. */
  #waiting: Entry | undefined;
  readonly #timer = setInterval(() => this.#print(false), SETTLING);

  constructor(options: PrinterOptions) {
    this.#options = options;
  }

  record(tid: number, record: TraceRecord): void {
    const { lines, calls } = this.#options;
    const thread = this.#threads.get(tid);
    if (thread !== undefined) heard(thread, record);
    switch (record.kind) {
      case 'module':
        this.#modules.set(`${tid}:${record.module}`, record.path);
        break;
      case 'thread':
        this.#threads.set(tid, {
          pid: record.pid,
          begun: undefined,
          isPrinted: false,
          heard: record.t,
        });
        if (this.#options.tagged && (lines || calls)) {
          this.#addBelow(record.t, tid, `--- worker ${record.worker}, ${roleOf(tid, record)}`);
        }
        break;
      case 'note':
        this.#settling.push({ t: record.t, text: `${stamp(record.t)} ${record.text}` });
        break;
      case 'enter':
        if (lines) {
          const path = shortPath(this.#pathOf(tid, record.module));
          this.#addBelow(record.t, tid, `--- ${path}, ${record.name}`);
        }
        break;
      case 'line':
        if (lines) this.#add(record.t, tid, this.#line(tid, record));
        break;
      case 'resume':
        if (lines) {
          const passed = nanoseconds(record.t - record.since);
          this.#add(record.t, tid, `${this.#line(tid, record)}   # resumed after ${passed}`);
        }
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
        } else this.#waited(tid, record.end, record.end - record.t, LOOP);
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
    const thread = this.#threads.get(tid);
    const begin = thread?.begun;
    const isPrinted = thread?.isPrinted === true;
    if (thread !== undefined) {
      thread.begun = undefined;
      thread.isPrinted = false;
    }
    if (!this.#options.calls) {
      this.#waited(tid, call.end, call.blocked, call.name);
      return;
    }
    const took = call.end - call.t;
    const times = call.begun
      ? `<${seconds(call.blocked)} asleep, ${seconds(took - call.blocked)} working>`
      : `<${seconds(took)}>`;
    const whole = `${call.name}(${call.args}) = ${call.result}  ${times}`;
    if (!isPrinted) this.#add(call.t, tid, whole);
    else {
      // The arguments of poll(2) are long, and stand in the line above.
      const isSame = begin?.args === call.args;
      const text = isSame ? `${call.name}(…) = ${call.result}  ${times}` : whole;
      this.#add(call.end, tid, `<… resumed> ${text}`);
    }
  }

  /** Among lines, a wait has a line of its own. */
  #waited(tid: number, end: number, blocked: number, call: string): void {
    const { lines, calls } = this.#options;
    if (!lines || calls || blocked === 0) return;
    const text = `… ${nanoseconds(blocked)} asleep in ${waitName(call)}`;
    this.#addBelow(end, tid, text, { waited: tid });
  }

  #add(t: number, tid: number, text: string): void {
    this.#settling.push({ t, text: `${stamp(t)} ${this.#tag(tid)}${text}` });
  }

  /** A line without a time. */
  #addBelow(t: number, tid: number, text: string, of: Pick<Entry, 'waits' | 'waited'> = {}): void {
    this.#settling.push({ t, text: `           ${this.#tag(tid)}${text}`, ...of });
  }

  #tag(tid: number): string {
    return this.#options.tagged ? `[${tid}] ` : '';
  }

  #print(all: boolean): void {
    const now = this.#options.now();
    const due = all ? Number.POSITIVE_INFINITY : now - SETTLING * 1e6;
    if (!all) this.#addWaiting(due);
    const ready = this.#settling.filter(({ t }) => t <= due);
    if (ready.length === 0) return;
    this.#settling = this.#settling.filter(({ t }) => t > due);
    // The sort is stable: what one thread did at one time stays in its order.
    ready.sort((a, b) => a.t - b.t);
    this.#options.write(ready.map((entry) => this.#printed(entry)).join(''));
  }

  /** On a terminal, the line that says how long a thread waited replaces the one that said that it waits. */
  #printed(entry: Entry): string {
    const { columns } = this.#options;
    const isOver = entry.waited !== undefined && entry.waited === this.#waiting?.waits;
    const replaces =
      columns !== undefined && isOver && this.#waiting!.text.length < columns()
        ? '\x1b[1A\x1b[2K'
        : '';
    this.#waiting = entry.waits === undefined ? undefined : entry;
    return `${replaces}${entry.text}\n`;
  }

  /** Says which threads wait: those whose call has not returned when it is due, and Node's own loop. */
  #addWaiting(due: number): void {
    const { lines, calls, sleepsInLoop } = this.#options;
    for (const [tid, thread] of this.#threads) {
      const { begun, isPrinted, pid, heard } = thread;
      if (isPrinted) continue;
      if (begun !== undefined) {
        if (begun.t > due) continue;
        if (calls) this.#add(begun.t, tid, `${begun.name}(${begun.args} <asleep …>`);
        else if (lines) this.#addWait(tid, begun.t, begun.name);
        thread.isPrinted = true;
      } else if (lines && !calls && heard <= due && sleepsInLoop?.(pid, tid) === true) {
        this.#addWait(tid, heard, LOOP);
        thread.isPrinted = true;
      }
    }
  }

  #addWait(tid: number, t: number, call: string): void {
    const text = `… asleep in ${waitName(call)}, ${reasonOf(call)}`;
    this.#addBelow(t, tid, text, { waits: tid });
  }
}

/** Notes what a record says about the thread itself. */
function heard(thread: Thread, record: TraceRecord): void {
  if (record.kind === 'module') return;
  thread.heard = 'end' in record ? record.end : record.t;
  // Some records come inside a call, and its end needs to know what was printed at its beginning.
  if (thread.begun === undefined) thread.isPrinted = false;
  if (record.kind === 'begin') thread.begun = record;
}

/** ns as s. */
const seconds = (ns: number): string => (ns / 1e9).toFixed(6);

const stamp = (t: number) => seconds(Math.max(0, t)).padStart(10);
