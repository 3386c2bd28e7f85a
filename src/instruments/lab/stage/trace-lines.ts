/** The lines of a traced server, made of the tracer's records: its files of code, and the line that each thread is on. */

import { existsSync, readFileSync } from 'node:fs';
import type { TraceRecord as Report } from '../../trace/records.ts';
import { shortPath } from '../../trace/source-text.ts';
import { type LabRecord, MOST } from '../shared/records.ts';
import { clientAt } from '../shared/wire.ts';
import { AcceptedSockets } from './accepted-sockets.ts';
import { Asides } from './asides.ts';

/** Most rows of one record. */
const MOST_ROWS = 400;
/** Interval between looks for threads that have ended, and between reports of lost lines, in ms. */
const LOOK = 1000;

/** How the pages of an architecture wait: it says to which client a line belongs. */
export type Waiting =
  /** A thread serves one client until it closes. */
  | 'blocking'
  /** A thread serves all clients, and a system call says which one. */
  | 'loop'
  /** Node's own loop: the event of a socket says which one. */
  | 'node';

interface Row {
  /** ns since the tracer's launch. */
  readonly t: number;
  readonly tid: number;
  readonly file: number;
  readonly line: number;
  client: number;
  isSent: boolean;
}

interface Place {
  readonly module: number;
  readonly line: number;
  readonly t: number;
}

interface Thread {
  pid: number;
  /** Paths, by the number that the thread has for a module. */
  readonly modules: Map<number, string>;
  /** The client that it serves, or -1. */
  client: number;
  /** The peer that it accepted last. */
  opened: string | undefined;
  /** The socket that it serves, if its calls name no peer; or -1. */
  socket: number;
  /** The line that runs, also after a function has returned to it. */
  place: Place | undefined;
  /** Its newest row. */
  row: Row | undefined;
  /** In a loop: the client that calls have named since a function was resumed, or -1. */
  served: number;
}

export interface TraceLinesParts {
  /** Index of the stage. */
  readonly s: number;
  readonly waiting: Waiting;
  readonly record: (record: LabRecord) => void;
}

export class TraceLines {
  readonly #parts: TraceLinesParts;
  readonly #threads = new Map<number, Thread>();
  readonly #sockets = new AcceptedSockets();
  /** Numbers of files, by path. */
  readonly #files = new Map<string, number>();
  #unsentFiles: string[] = [];
  readonly #asides: Asides;
  #rows: Row[] = [];
  #gone: number[] = [];
  #lost = 0;
  #lookDue = 0;

  constructor(parts: TraceLinesParts) {
    this.#parts = parts;
    this.#asides = new Asides(MOST_ROWS);
  }

  /** Takes a record of the tracer. */
  take(tid: number, report: Report): void {
    if (report.kind === 'module') {
      this.#threadOf(tid).modules.set(report.module, report.path);
      return;
    }
    const thread = this.#threadOf(tid);
    switch (report.kind) {
      case 'thread':
        thread.pid = report.pid;
        thread.client = -1;
        break;
      case 'aside':
        this.#setAside(tid, thread, report);
        break;
      case 'line':
      case 'resume':
        if (report.kind === 'resume') thread.served = this.#asides.resume(tid, report);
        thread.place = report;
        this.#begin(tid, thread, report);
        break;
      case 'back':
        if (report.module >= 0) thread.place = report;
        break;
      case 'begin':
        this.#sleep(tid, thread, report.name, report.args);
        break;
      case 'idle':
        thread.client = -1;
        break;
      case 'opened':
        thread.opened = report.peer;
        this.#serve(thread, report.peer);
        break;
      case 'closed':
        thread.client = -1;
        break;
      case 'question':
        if (report.peer !== '') this.#serve(thread, report.peer);
        break;
      case 'call':
        this.#called(thread, report);
        break;
      case 'operation':
      case 'socket':
        this.#serve(thread, peerIn(report.text));
        break;
      default:
    }
  }

  /**
   * Sends what has come since the last call.
   *
   * @param now ms since the lab's epoch
   * @param launch when the tracer was launched, on the same clock
   */
  flush(now: number, launch: number): void {
    const { s, record } = this.#parts;
    const t = Math.round(now * 1000) / 1000;
    for (const path of this.#unsentFiles.splice(0)) {
      const text = textOf(path).slice(0, MOST.code);
      record({ k: 'd', t, s, file: this.#files.get(path)!, name: shortPath(path), text });
    }
    const isDue = now >= this.#lookDue;
    if (isDue) {
      this.#lookDue = now + LOOK;
      this.#lookForEnded();
    }
    const x = [
      ...this.#take().flatMap(({ t: at, tid, file, line, client }) => [
        Math.round((launch + at / 1e6 - t) * 1000),
        tid,
        file,
        line,
        client,
      ]),
      ...this.#gone.splice(0).flatMap((tid) => [0, tid, 0, 0, -1]),
    ];
    const y = this.#asides.take((at) => Math.round((launch + at / 1e6 - t) * 1000));
    if (x.length > 0 || y.length > 0) record({ k: 'x', t, s, x, ...(y.length > 0 ? { y } : {}) });
    if (!isDue || this.#lost === 0) return;
    record({ k: 'gap', t, s, lost: this.#lost });
    this.#lost = 0;
  }

  #threadOf(tid: number): Thread {
    const known = this.#threads.get(tid);
    if (known !== undefined) return known;
    const thread: Thread = {
      ...{ pid: 0, modules: new Map(), client: -1, socket: -1, served: -1 },
      ...{ opened: undefined, place: undefined, row: undefined },
    };
    this.#threads.set(tid, thread);
    return thread;
  }

  #begin(tid: number, thread: Thread, { module, line, t }: Place): void {
    const path = thread.modules.get(module);
    const file = path === undefined ? undefined : this.#fileOf(path);
    if (file === undefined) return;
    const client = this.#parts.waiting === 'loop' ? -1 : thread.client;
    thread.row = { t, tid, file, line, client, isSent: false };
    this.#rows.push(thread.row);
  }

  /** The function belongs to the client that it, or the accept before its start, has served last. */
  #setAside(tid: number, thread: Thread, report: Extract<Report, { kind: 'aside' }>): void {
    const path = thread.modules.get(report.module);
    const file = path === undefined ? undefined : this.#fileOf(path);
    if (file === undefined) return;
    const client = this.#parts.waiting === 'node' ? thread.client : thread.served;
    this.#asides.set(tid, report, file, client);
    thread.served = -1;
  }

  /**
   * A function may have returned to a line on which the thread now sleeps. A return alone begins no line: the last
   * line of a callback, and not that of its caller, is where Node's own loop took the thread back.
   */
  #sleep(tid: number, thread: Thread, call: string, args: string): void {
    const { place, row } = thread;
    if (place !== undefined && row !== undefined && place.t > row.t) {
      this.#begin(tid, thread, place);
      // A later call on this line is no return to it.
      thread.place = { ...place, t: row.t };
    }
    const peer = this.#peerOf(thread, call, args);
    // With a time limit, a blocking thread polls the socket of its client.
    if (peer !== undefined && (this.#parts.waiting === 'blocking' || !waitsForAny.has(call))) {
      this.#serve(thread, peer);
    } else if (waitsForAny.has(call)) this.#name(thread, -1);
  }

  #called(thread: Thread, { name, args, result, t }: Extract<Report, { kind: 'call' }>): void {
    if (name === 'close') {
      const fd = Number.parseInt(args, 10);
      this.#sockets.closed(thread.pid, fd, t);
      if (fd === thread.socket) [thread.socket, thread.client] = [-1, -1];
    }
    const fd = name === 'accept4' ? Number(result) : Number.NaN;
    if (thread.opened !== undefined && fd >= 0) this.#accepted(thread.pid, fd, thread.opened, t);
    if (!waitsForAny.has(name)) this.#serve(thread, this.#peerOf(thread, name, args));
  }

  /** A thread that got the socket may sleep in its first recv already. */
  #accepted(pid: number, fd: number, peer: string, t: number): void {
    this.#sockets.accepted(pid, fd, peer, t);
    for (const thread of this.#threads.values()) {
      if (thread.pid === pid && thread.socket === fd) this.#serve(thread, peer);
    }
  }

  #peerOf(thread: Thread, call: string, args: string): string | undefined {
    const peer = peerIn(args);
    if (peer !== undefined || (call !== 'recv' && call !== 'send')) return peer;
    thread.socket = Number.parseInt(args, 10);
    return this.#sockets.peerOf(thread.pid, thread.socket);
  }

  #serve(thread: Thread, peer: string | undefined): void {
    if (peer === undefined) return;
    const client = clientAt(this.#parts.s, peer.split(':', 1)[0]!) ?? -1;
    if (this.#parts.waiting !== 'loop') thread.client = client;
    thread.served = client;
    this.#name(thread, client);
  }

  /** The line that the thread is on belongs to a client. The row may have been sent already: then it goes again. */
  #name(thread: Thread, client: number): void {
    const { row } = thread;
    if (row === undefined || row.client === client) return;
    row.client = client;
    if (!row.isSent) return;
    row.isSent = false;
    this.#rows.push(row);
  }

  #fileOf(path: string): number | undefined {
    const known = this.#files.get(path);
    if (known !== undefined || this.#files.size >= MOST.files) return known;
    const file = this.#files.size;
    this.#files.set(path, file);
    this.#unsentFiles.push(path);
    return file;
  }

  /** The rows to send now. The newest of a thread is never dropped: it may stay there for hours. */
  #take(): Row[] {
    const isNewest = (row: Row) => this.#threads.get(row.tid)?.row === row;
    const surplus = Math.max(0, this.#rows.length - MOST_ROWS);
    const dropped = new Set(this.#rows.filter((row) => !isNewest(row)).slice(0, surplus));
    const kept = this.#rows.filter((row) => !dropped.has(row));
    this.#lost += dropped.size;
    this.#rows = kept.splice(MOST_ROWS);
    for (const row of kept) row.isSent = true;
    return kept;
  }

  #lookForEnded(): void {
    for (const [tid, { pid, row }] of this.#threads) {
      if (pid === 0 || existsSync(`/proc/${pid}/task/${tid}`)) continue;
      this.#threads.delete(tid);
      this.#asides.forget(tid);
      this.#rows = this.#rows.filter((one) => one.tid !== tid);
      if (row !== undefined) this.#gone.push(tid);
    }
  }
}

/** Calls in which a thread sleeps for all clients. */
const waitsForAny = new Set(['accept4', 'select', 'poll', 'epoll_wait', 'io_uring_enter']);

/** The only peer that a text names, as `7<127.2.0.1:40112>, "…`. The quotation is the peer's own words. */
function peerIn(text: string): string | undefined {
  const found = [...text.split('"', 1)[0]!.matchAll(/<(\d[^<>]*:\d+)>/g)];
  return found.length === 1 ? found[0]![1] : undefined;
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    // The service's module was removed after it was loaded.
    return '';
  }
}
