/**
 * The records that a traced thread reports, and their format: lines of JSON, many in one write. A
 * write is never longer than a pipe takes atomically. So threads and processes can share one pipe.
 */
import { writeSync } from 'node:fs';
import type { WorkerEvent } from '../../worker/contract.ts';

/** All times are in ns since the launch, from a clock that all processes of a machine share. */
export type TraceRecord =
  /** The first record of each thread. */
  | {
      readonly kind: 'thread';
      readonly t: number;
      readonly pid: number;
      /** Index of the worker process, from 0. */
      readonly worker: number;
      /** Role of the thread: the main thread, one of several, or started for one task. */
      readonly role: 'main' | 'thread' | 'assistant';
    }
  /** A module with traced lines was loaded. Later records use this number. */
  | { readonly kind: 'module'; readonly module: number; readonly path: string }
  | { readonly kind: 'line'; readonly t: number; readonly module: number; readonly line: number }
  | {
      readonly kind: 'enter';
      readonly t: number;
      readonly module: number;
      readonly line: number;
      readonly name: string;
    }
  /**
   * A function gives up the thread at a `yield` or `await` on this line, and waits. Line 0: it was closed while it
   * waited, and does not resume.
   */
  | {
      readonly kind: 'aside';
      readonly t: number;
      /** The function's number in its thread, from 1. */
      readonly frame: number;
      readonly module: number;
      readonly line: number;
    }
  /** A `yield` or `await` on this line resumes. It was left at `since`. */
  | {
      readonly kind: 'resume';
      /** Its number in the `aside` before; undefined: it has none. */
      readonly frame?: number | undefined;
      readonly t: number;
      readonly since: number;
      readonly module: number;
      readonly line: number;
    }
  /**
   * A function returned or gave up the thread. Its caller runs again at this line; module -1: none
   * does.
   */
  | { readonly kind: 'back'; readonly t: number; readonly module: number; readonly line: number }
  /** A system call begins in which the thread may sleep. */
  | { readonly kind: 'begin'; readonly t: number; readonly name: string; readonly args: string }
  /** A system call took from `t` to `end`, and the thread slept for `blocked` ns of it. */
  | {
      readonly kind: 'call';
      readonly t: number;
      readonly end: number;
      readonly blocked: number;
      readonly name: string;
      readonly args: string;
      readonly result: string;
      /** True if a `begin` came before. */
      readonly begun: boolean;
    }
  /** An operation of io_uring was submitted or completed. It belongs to the previous call. */
  | { readonly kind: 'operation'; readonly t: number; readonly text: string }
  /** A connection was accepted. */
  | {
      readonly kind: 'opened';
      readonly t: number;
      readonly peer: string;
      /** Time in the accept queue, in ns, give or take a tick of the kernel; undefined if it does not say. */
      readonly queued?: number | undefined;
    }
  /** The socket of a connection was closed. */
  | { readonly kind: 'closed'; readonly t: number; readonly peer: string }
  /** The conversation worked on bytes of a peer from `t` to `end`. */
  | {
      readonly kind: 'question';
      readonly t: number;
      readonly end: number;
      readonly peer: string;
      readonly question: string;
      readonly answer: string;
    }
  /** A callback of Node's own loop ran from `t` to `end`, in that phase. */
  | {
      readonly kind: 'phase';
      readonly t: number;
      readonly end: number;
      readonly phase: string;
      readonly text: string;
    }
  /** An event of a socket in that callback. */
  | { readonly kind: 'socket'; readonly t: number; readonly text: string }
  /** Node's own loop slept. */
  | { readonly kind: 'idle'; readonly t: number; readonly end: number }
  /**
   * An event that the thread wrote to its journal. The server's own report comes 1 or 2 ms later.
   */
  | { readonly kind: 'event'; readonly t: number; readonly event: WorkerEvent }
  /** A remark about the trace itself. */
  | { readonly kind: 'note'; readonly t: number; readonly text: string }
  /** Number of accepted sockets that wait for a worker. */
  | { readonly kind: 'queue'; readonly t: number; readonly depth: number };

/** PIPE_BUF: the size up to which a write(2) to a pipe is atomic. pipe(7) */
const ATOMIC = 4096;
/**
 * Limit for the characters of peers' and services' text, so that any record fits, whatever its
 * escapes.
 */
const LONGEST_TEXT = 160;

/** Configuration of a traced thread, in its environment. */
export interface ProbeConfig {
  /** Path of the pipe. */
  readonly pipe: string;
  /** `process.hrtime.bigint()` at the launch. */
  readonly launch: string;
  /** True to report lines too, not only calls. */
  readonly lines: boolean;
  /** Absolute paths of files and folders whose lines are reported. */
  readonly include: readonly string[];
  /** Paths to exclude. The longest path that contains a file decides. */
  readonly ignore: readonly string[];
}

export const PROBE = 'MONDO_TRACE';

export function cut(text: string, longest = LONGEST_TEXT): string {
  return text.length > longest ? `${text.slice(0, longest)}…` : text;
}

/**
 * Collects and writes records. Call `flush` before the thread sleeps: it may never get another
 * chance.
 */
export class RecordWriter {
  readonly #fd: number;
  readonly #head: string;
  #text = '';
  #isBroken = false;

  constructor(fd: number, tid: number) {
    this.#fd = fd;
    this.#head = `${tid}\n`;
  }

  /** Returns true for the first record since the last flush. */
  add(record: TraceRecord): boolean {
    const line = `${JSON.stringify(record)}\n`;
    const size = this.#head.length + this.#text.length + line.length;
    // The limit is half of PIPE_BUF, because the ellipsis takes three bytes. All other text is
    // Latin-1.
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
      // The tracing process has ended, but the server must go on.
      if ((error as NodeJS.ErrnoException).code !== 'EPIPE') throw error;
      this.#isBroken = true;
    }
  }
}

/** Splits the output of the pipe into records, each with its thread. */
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
