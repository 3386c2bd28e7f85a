/**
 * What a traced thread tells whoever watches it, and how: records as lines of JSON, many in one write
 * that is no longer than a pipe takes in one piece, so that threads and processes can share one.
 */
import { writeSync } from 'node:fs';
import type { WorkerEvent } from '../../worker/contract.ts';

/** All times are ns since the launch, by the clock that all processes of a machine share. */
export type TraceRecord =
  /** The first of each thread. */
  | {
      readonly kind: 'thread';
      readonly t: number;
      readonly pid: number;
      /** Which worker process, from 0. */
      readonly worker: number;
      /** What it does there: its main thread, one of several, or started for one task. */
      readonly role: 'main' | 'thread' | 'assistant';
    }
  /** A module was loaded whose lines will be told, by this number. */
  | { readonly kind: 'module'; readonly module: number; readonly path: string }
  | { readonly kind: 'line'; readonly t: number; readonly module: number; readonly line: number }
  | {
      readonly kind: 'enter';
      readonly t: number;
      readonly module: number;
      readonly line: number;
      readonly name: string;
    }
  /** A `yield` or `await` of this line goes on that was left at `since`. */
  | {
      readonly kind: 'goOn';
      readonly t: number;
      readonly since: number;
      readonly module: number;
      readonly line: number;
    }
  /** A function is over, or gave up the thread: this line, which had called it, has the thread again; or none (-1). */
  | { readonly kind: 'back'; readonly t: number; readonly module: number; readonly line: number }
  /** A system call that may sleep begins. */
  | { readonly kind: 'begin'; readonly t: number; readonly name: string; readonly args: string }
  /** A system call is over: from `t` to `end`, of which it slept `blocked` ns. */
  | {
      readonly kind: 'call';
      readonly t: number;
      readonly end: number;
      readonly blocked: number;
      readonly name: string;
      readonly args: string;
      readonly result: string;
      /** Whether it had a `begin`. */
      readonly begun: boolean;
    }
  /** io_uring: an operation that was handed over, or that is done; it belongs to the call before. */
  | { readonly kind: 'operation'; readonly t: number; readonly text: string }
  /** A peer was accepted, or its socket closed. */
  | { readonly kind: 'opened' | 'closed'; readonly t: number; readonly peer: string }
  /** Bytes of a peer were worked on: from `t` to `end`. */
  | {
      readonly kind: 'question';
      readonly t: number;
      readonly end: number;
      readonly peer: string;
      readonly question: string;
      readonly answer: string;
    }
  /** Node's own loop: a callback ran from `t` to `end`, in that phase. */
  | {
      readonly kind: 'phase';
      readonly t: number;
      readonly end: number;
      readonly phase: string;
      readonly text: string;
    }
  /** … what happened to a socket in it … */
  | { readonly kind: 'socket'; readonly t: number; readonly text: string }
  /** … and it slept. */
  | { readonly kind: 'idle'; readonly t: number; readonly end: number }
  /** What the thread put into its journal: the server's own account is a ms or two late. */
  | { readonly kind: 'event'; readonly t: number; readonly event: WorkerEvent }
  /** Something about the trace itself. */
  | { readonly kind: 'note'; readonly t: number; readonly text: string }
  /** So many accepted sockets wait for a worker. */
  | { readonly kind: 'queue'; readonly t: number; readonly depth: number };

/** PIPE_BUF: what write(2) puts into a pipe in one piece, whoever else writes. pipe(7) */
const ATOMIC = 4096;
/** Text of peers and services is cut to so many characters: any record fits, however it is escaped. */
const LONGEST_TEXT = 160;

/** What a traced thread is told, in its environment. */
export interface ProbeConfig {
  /** The pipe. */
  readonly pipe: string;
  /** `process.hrtime.bigint()` at the launch. */
  readonly launch: string;
  /** Whether lines are told, and not only calls. */
  readonly lines: boolean;
  /** Paths (files or folders, absolute) whose lines are told … */
  readonly include: readonly string[];
  /** … unless they are in one of these, and not in a longer one of those. */
  readonly ignore: readonly string[];
}

export const PROBE = 'MONDO_TRACE';

export function cut(text: string, longest = LONGEST_TEXT): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/** Collects records and writes them: to be flushed before the thread sleeps, for it has no later. */
export class RecordWriter {
  readonly #fd: number;
  readonly #head: string;
  #text = '';
  #isBroken = false;

  constructor(fd: number, tid: number) {
    this.#fd = fd;
    this.#head = `${tid}\n`;
  }

  /** True where it is the first since the last flush. */
  add(record: TraceRecord): boolean {
    const line = `${JSON.stringify(record)}\n`;
    const size = this.#head.length + this.#text.length + line.length;
    // Text is Latin-1 but for the ellipsis; three bytes for each character would be the worst.
    if (size > ATOMIC / 2) this.flush();
    const isFirst = this.#text === '';
    this.#text += line;
    return isFirst;
  }

  flush(): void {
    if (this.#text === '' || this.#isBroken) return;
    const bytes = Buffer.from(this.#head + this.#text);
    this.#text = '';
    try {
      writeSync(this.#fd, bytes);
    } catch (error) {
      // Nobody watches any more; the server is to serve on.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      this.#isBroken = true;
    }
  }
}

/** Splits what comes out of the pipe into records again, each with the thread that told it. */
export function recordReader(deliver: (tid: number, record: TraceRecord) => void) {
  let rest = '';
  let tid = 0;
  return (chunk: string): void => {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop()!;
    for (const line of lines) {
      if (line.startsWith('{')) deliver(tid, JSON.parse(line));
      else tid = Number(line);
    }
  };
}
