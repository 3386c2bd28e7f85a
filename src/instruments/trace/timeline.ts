/** All records of a run, by thread and connection. Pictures and summaries are made from it. */
import { eventText, type ServerEvent } from '../../host/server-event.ts';
import type { TraceRecord } from './records.ts';

/** Times are in ns since the launch. */
interface Span {
  readonly from: number;
  readonly to: number;
}

type CallSpan = Extract<TraceRecord, { kind: 'call' }>;
type Question = Extract<TraceRecord, { kind: 'question' }>;
type Phase = Extract<TraceRecord, { kind: 'phase' }>;

/** A thread that serves. */
export interface Lane {
  readonly tid: number;
  readonly pid: number;
  /** Index of the worker process, from 0. */
  readonly worker: number;
  readonly role: 'main' | 'thread' | 'assistant';
  readonly from: number;
  readonly calls: CallSpan[];
  /** Sleeps of Node's own loop. */
  readonly idle: Span[];
  readonly questions: Question[];
  readonly phases: Phase[];
  /** Time of its last record. */
  to: number;
}

export interface Connection {
  readonly peer: string;
  readonly tid: number;
  /** When the server accepted it. */
  readonly from: number;
  /** How long it was in the accept queue before, in ns, if the kernel says so. */
  readonly queued: number | undefined;
  /** Undefined while it is open. */
  to: number | undefined;
  /** How it ended, as the server reported it. */
  how: string | undefined;
  /** When the server worked on its bytes. */
  readonly questions: Question[];
}

/** Limit for the records that are kept. A picture of more would not be readable. */
const MOST = 500_000;

export class Timeline {
  readonly lanes: Lane[] = [];
  readonly connections: Connection[] = [];
  /** Number of accepted sockets that wait for a worker, with the time of each change. */
  readonly queue: { readonly t: number; readonly depth: number }[] = [];
  /** When the server had stopped. */
  end = 0;
  /** Number of records beyond the limit, which are missing. */
  dropped = 0;
  #kept = 0;
  readonly #byTid = new Map<number, Lane>();
  readonly #open = new Map<string, Connection[]>();

  record(tid: number, record: TraceRecord): void {
    if (record.kind === 'thread') {
      this.#begin(tid, record);
      return;
    }
    const lane = this.#byTid.get(tid);
    if (lane === undefined) return;
    if (record.kind === 'opened') this.#opened(tid, record);
    else if (record.kind === 'closed') this.#closed(record);
    else if (this.#kept === MOST) this.dropped++;
    else this.#keep(lane, record);
  }

  event(t: number, event: ServerEvent): void {
    this.end = Math.max(this.end, t);
    if (!('peer' in event) || event.type === 'accepted') return;
    const [first] = this.#open.get(event.peer) ?? [];
    // The event may come before or after the socket is closed.
    const connection = first ?? this.connections.findLast(({ peer }) => peer === event.peer);
    if (connection !== undefined) connection.how ??= eventText(event);
    if (first !== undefined) first.to ??= Math.max(first.from, t);
  }

  #begin(tid: number, { t, pid, worker, role }: Extract<TraceRecord, { kind: 'thread' }>): void {
    const lane: Lane = {
      tid,
      pid,
      worker,
      role,
      from: t,
      calls: [],
      idle: [],
      questions: [],
      phases: [],
      to: t,
    };
    this.lanes.push(lane);
    this.#byTid.set(tid, lane);
  }

  #keep(lane: Lane, record: TraceRecord): void {
    if (!('end' in record)) {
      if (record.kind === 'queue') this.queue.push({ t: record.t, depth: record.depth });
      if ('t' in record) lane.to = Math.max(lane.to, record.t);
      return;
    }
    this.#kept++;
    lane.to = Math.max(lane.to, record.end);
    this.end = Math.max(this.end, record.end);
    if (record.kind === 'call') lane.calls.push(record);
    else if (record.kind === 'idle') lane.idle.push({ from: record.t, to: record.end });
    else if (record.kind === 'phase') lane.phases.push(record);
    else {
      lane.questions.push(record);
      this.#open.get(record.peer)?.at(-1)?.questions.push(record);
    }
  }

  #opened(tid: number, { t, peer, queued }: Extract<TraceRecord, { kind: 'opened' }>): void {
    const connection: Connection = {
      peer,
      tid,
      from: t,
      queued,
      to: undefined,
      how: undefined,
      questions: [],
    };
    this.connections.push(connection);
    const open = this.#open.get(peer);
    if (open === undefined) this.#open.set(peer, [connection]);
    else open.push(connection);
  }

  #closed({ t, peer }: Extract<TraceRecord, { kind: 'closed' }>): void {
    const open = this.#open.get(peer);
    const connection = open?.shift();
    if (connection !== undefined) connection.to = t;
    if (open?.length === 0) this.#open.delete(peer);
  }
}
