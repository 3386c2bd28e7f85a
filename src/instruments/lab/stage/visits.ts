/**
 * The visits of clients to one stage: its server's events, and its accept queue, as the events of frames. Clients of
 * the cast tell the rest themselves. For all others the server tells it: they have no other witness.
 */

import type { ServerEvent } from '../../../host/server-event.ts';
import { reasons } from '../../../worker/reasons.ts';
import { EVENT, type EventKind, MOST } from '../shared/records.ts';
import { clientAt, FIRST_NC, FIRST_PROBE, FIRST_STRANGER } from '../shared/wire.ts';
import { Handover } from './handover.ts';
import type { Waiting } from './kernel.ts';

type Accepted = Extract<ServerEvent, { readonly type: 'accepted' }>;

interface Visit {
  readonly id: number;
  readonly peer: string;
  /** True if no process of the lab tells what it does. */
  readonly isStrange: boolean;
  /** The process that has it; 0: it is in the accept queue. */
  pid: number;
  /** The thread that has it; 0: none yet. */
  tid: number;
}

interface Happening {
  /** ms since the epoch. */
  readonly t: number;
  readonly client: number;
  readonly kind: EventKind;
  readonly lane: number;
  readonly extra: number;
}

/** Greatest number of strangers that are shown at once. The server's counts still have all others. */
const MOST_STRANGERS = 256;
/** The most threads of which the kernel is asked at once. */
const MOST_CONFIRMED = 8;
/** Events of one frame after which no new stranger is shown. */
const MANY_EVENTS = 400;

export interface VisitsParts {
  /** Index of the stage. */
  readonly s: number;
  /** One thread accepts, and hands clients over to others. */
  readonly isHandedOver: boolean;
  /** The thread's row of the scoreboard; -1: it has none. */
  readonly rowOf: (tid: number) => number;
  /** The client that the kernel sees a thread sleep for. */
  readonly sleeper: (tid: number) => string | undefined;
}

export class Visits {
  readonly #parts: VisitsParts;
  readonly #visits = new Map<string, Visit>();
  /** The last accepted visit of each client of the cast: ends of earlier ones come late. */
  readonly #latest = new Map<number, string>();
  /** By thread: the visit that it took last. */
  readonly #served = new Map<number, Visit>();
  readonly #acceptors = new Set<number>();
  readonly #handover: Handover;
  /** Threads that may have another client than is shown. */
  readonly #unsure = new Set<number>();
  #happenings: Happening[] = [];
  #strangers = 0;
  #probes = 0;
  #strangersHere = 0;

  constructor(parts: VisitsParts) {
    this.#parts = parts;
    this.#handover = new Handover(parts.sleeper);
  }

  /** The client that a thread took last and that has not ended; -1: none. */
  servedBy(tid: number): number {
    return this.#served.get(tid)?.id ?? -1;
  }

  /** @param t the time of the event */
  hear(event: ServerEvent, t: number): void {
    switch (event.type) {
      case 'accepted':
        this.#accepted(event, t);
        break;
      case 'closed':
      case 'unsent':
        this.#ended(event, t, EVENT.left);
        break;
      case 'hungUp':
        this.#ended(event, t, EVENT.hungUp);
        break;
      case 'failed':
        this.#ended(event, t, EVENT.reset);
        break;
      case 'limited':
        this.#ended(event, t, EVENT.limited, reasons.indexOf(event.limit as never));
        break;
      case 'refused':
        this.#meet(event.peer, t);
        this.#ended(event, t, EVENT.refused, reasons.indexOf(event.reason as never));
        break;
      case 'cut':
      case 'threw':
        this.#ended(event, t, EVENT.cut);
        break;
      default:
    }
  }

  #accepted(event: Accepted, t: number): void {
    const { peer, pid, tid } = event;
    const visit = this.#meet(peer, t);
    if (visit !== undefined) {
      visit.pid = pid;
      if (!visit.isStrange) this.#latest.set(visit.id, peer);
    }
    if (!this.#parts.isHandedOver) {
      if (visit !== undefined) this.#serve(visit, tid, t);
      return;
    }
    this.#acceptors.add(tid);
    this.#handover.came(peer);
    if (visit !== undefined)
      this.#push(t, visit, EVENT.queued, -1, 'queued' in event ? (event.queued ?? 1) : 1);
  }

  #serve(visit: Visit, tid: number, t: number): void {
    visit.tid = tid;
    this.#served.set(tid, visit);
    this.#push(t, visit, EVENT.accepted, this.#parts.rowOf(tid));
  }

  #ended(
    { peer, tid }: { readonly peer: string; readonly tid: number },
    t: number,
    kind: EventKind,
    extra = -1,
  ): void {
    const visit = this.#visits.get(peer);
    const wasHanded = this.#handover.left(peer, tid) && !this.#acceptors.has(tid);
    if (visit === undefined) return;
    if (wasHanded) this.#serve(visit, tid, t);
    const other = this.#served.get(tid);
    // They were taken at the same moment, and the wrong way round.
    const isWrong = this.#parts.isHandedOver && other !== undefined && other !== visit;
    if (isWrong && visit.tid > 0 && visit.tid !== tid) {
      this.#served.delete(tid);
      this.#serve(other, visit.tid, t);
    }
    this.#end(visit, t, kind, this.#parts.rowOf(tid), extra);
  }

  #end(visit: Visit, t: number, kind: EventKind, lane = -1, extra = -1): void {
    const { id, peer, isStrange, tid } = visit;
    this.#visits.delete(peer);
    if (this.#served.get(tid) === visit) this.#served.delete(tid);
    if (isStrange) {
      this.#strangersHere--;
    } else {
      // The server may accept an added client that has left: no next visit takes it off the picture.
      const isTold =
        kind === EVENT.limited || kind === EVENT.refused || kind === EVENT.cut || id >= FIRST_NC;
      const isLatest = (this.#latest.get(id) ?? peer) === peer;
      if (!isTold || !isLatest) return;
    }
    this.#push(t, visit, kind, lane, extra);
  }

  /** Threads have taken clients that another thread had accepted. */
  rose(tid: number, count: number): void {
    if (!this.#parts.isHandedOver || this.#acceptors.has(tid)) return;
    for (let i = 0; i < count; i++) this.#handover.rose(tid);
  }

  /**
   * Notes which thread has taken which client. Call it after each sample.
   *
   * @param isThere true if a thread still has a row
   */
  handOver(t: number, isThere: (tid: number) => boolean): void {
    if (!this.#parts.isHandedOver) return;
    this.#handover.keep(isThere);
    for (const { peer, tid, isSure } of this.#handover.taken()) {
      const visit = this.#visits.get(peer);
      if (visit !== undefined) this.#serve(visit, tid, t);
      if (isSure) this.#unsure.delete(tid);
      else this.#unsure.add(tid);
    }
  }

  /**
   * Asks the kernel which client a thread sleeps for, if it may be another one than is shown, and then shows that one.
   * It costs a read of the table of sockets for each such thread.
   */
  confirm(t: number): void {
    let asked = 0;
    for (const tid of this.#unsure) {
      if (asked++ === MOST_CONFIRMED) break;
      const shown = this.#served.get(tid);
      const peer = shown && this.#parts.sleeper(tid);
      if (shown !== undefined && peer === undefined) continue;
      this.#unsure.delete(tid);
      const found = peer === undefined ? undefined : this.#visits.get(peer);
      if (shown === undefined || found === undefined || found === shown) continue;
      const other = found.tid;
      if (other > 0) {
        this.#serve(shown, other, t);
        this.#unsure.add(other);
      } else {
        shown.tid = 0;
        this.#handover.exchange(found.peer, shown.peer);
        this.#push(t, shown, EVENT.queued, -1, 1);
      }
      this.#serve(found, tid, t);
    }
  }

  /** The clients in the accept queue: see `FrameRecord.w`. */
  waiting(queue: readonly Waiting[], t: number): number[] {
    const w: number[] = [];
    for (const { peer, bytes } of queue.slice(0, MOST.clients)) {
      const visit = this.#visits.get(peer) ?? this.#meet(peer, t);
      if (visit !== undefined) w.push(visit.id, bytes);
    }
    return w;
  }

  /** A process has ended: its clients are lost. */
  lost(pid: number, t: number): void {
    for (const visit of [...this.#visits.values()]) {
      if (visit.pid === pid) this.#end(visit, t, EVENT.cut);
    }
  }

  /** The server has ended: connections that it had are lost, and those that it did not accept are reset. */
  over(t: number): void {
    for (const visit of [...this.#visits.values()]) {
      this.#end(visit, t, visit.pid > 0 ? EVENT.cut : EVENT.reset);
    }
  }

  /** The events since the last call, as `FrameRecord.e`. @param t time of the frame */
  frame(t: number): number[] {
    const happenings = this.#happenings.splice(0, MOST.events);
    return happenings.flatMap(({ t: at, client, kind, lane, extra }) => [
      Math.round((at - t) * 1000),
      client,
      kind,
      lane,
      extra,
    ]);
  }

  /** The visit at this address; a new one if it is not known. Undefined: a stranger that is not shown. */
  #meet(peer: string, t: number): Visit | undefined {
    const known = this.#visits.get(peer);
    if (known !== undefined) return known;
    const [host = '', port = '0'] = peer.split(':');
    const id = clientAt(this.#parts.s, host);
    if (id === undefined && !this.#hasRoom) return undefined;
    const isStrange = id === undefined;
    const visit = { id: id ?? this.#nextId(host), peer, isStrange, pid: 0, tid: 0 };
    this.#visits.set(peer, visit);
    if (!isStrange) return visit;
    this.#strangersHere++;
    this.#push(t, visit, EVENT.connected, -1, Number(port));
    return visit;
  }

  get #hasRoom(): boolean {
    return this.#strangersHere < MOST_STRANGERS && this.#happenings.length < MANY_EVENTS;
  }

  #nextId(host: string): number {
    if (!host.startsWith('127.1.')) return FIRST_STRANGER + this.#strangers++;
    return FIRST_PROBE + (this.#probes++ % (FIRST_STRANGER - FIRST_PROBE));
  }

  #push(t: number, { id: client }: Visit, kind: EventKind, lane: number, extra = -1): void {
    this.#happenings.push({ t, client, kind, lane, extra });
  }
}
