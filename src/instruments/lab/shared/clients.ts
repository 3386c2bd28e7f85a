/** The clients of a stage, by its frames. No Node and no DOM in here. */

import { reasons } from '../../../worker/reasons.ts';
import type { Client, Ending, Stage } from './model.ts';
import {
  ENDS,
  EVENT,
  type EventKind,
  type FrameRecord,
  PLACE,
  type Place,
  WIDTH,
} from './records.ts';

/** Endings that a model keeps. */
const KEPT = 32;
/** The two ends of a connection report its end within this time, in ms. */
const SAME_ENDING = 1000;
/** A server's account of a visit is at most this much earlier than the client's, in ms. */
const SAME_VISIT = 20;

/** `offset` µs after `t`, in ms: the same number for the same µs, however a frame is cut. */
export const microsecond = (t: number, offset: number): number =>
  Math.round(t * 1000 + offset) / 1000;

/**
 * @param isThere whether a client is among those that frames name
 * @param answers gets, for each lane that has answered: when, for the last time
 */
export function applyClients(
  stage: Stage,
  frame: FrameRecord,
  isThere: (client: number) => boolean,
  answers: Map<number, number>,
): Pick<Stage, 'clients' | 'endings'> {
  const { r, v, e, w, t } = frame;
  if (r === undefined && e === undefined && w === undefined) return stage;
  const clients = r === undefined ? new Map(stage.clients) : new Map<number, Client>();
  const came = pairsOf(v);
  for (let at = 0; r !== undefined && at + WIDTH.r <= r.length; at += WIDTH.r) {
    const id = r[at]!;
    if (!isThere(id)) continue;
    const waits = r[at + 4]!;
    const ago = came.get(id);
    clients.set(id, {
      id,
      place: r[at + 1]! as Place,
      lane: r[at + 2]!,
      came: ago === undefined ? undefined : t - ago / 1000,
      since: t - r[at + 3]! / 1000,
      asked: waits < 0 ? undefined : t - waits / 1000,
      bytes: stage.clients.get(id)?.bytes ?? 0,
      answers: r[at + 5]!,
    });
  }
  let endings = stage.endings;
  for (let at = 0; e !== undefined && at + WIDTH.e <= e.length; at += WIDTH.e) {
    const id = e[at + 1]!;
    if (!isThere(id)) continue;
    const kind = e[at + 2]! as EventKind;
    const when = microsecond(t, e[at]!);
    const known = clients.get(id);
    // The lane may serve another client at the end of this frame.
    const lane = known?.lane ?? -1;
    if (kind === EVENT.answered) answers.set(lane, Math.max(when, answers.get(lane) ?? 0));
    const isLate = isOfEarlierVisit(id, when, known, endings);
    const next = isLate
      ? known
      : moved(known ?? newcomer(id, when), kind, when, e[at + 3]!, e[at + 4]!);
    if (next === undefined) clients.delete(id);
    else clients.set(id, next);
    if (!ENDS.has(kind)) continue;
    const reason = kind === EVENT.limited || kind === EVENT.refused ? reasons[e[at + 4]!] : '';
    const ending = { t: when, client: id, kind, reason: reason ?? '' };
    endings = withEnding(endings, ending, known !== undefined && !isLate);
  }
  if (w !== undefined) {
    const bytes = pairsOf(w);
    for (const [id, client] of clients) {
      const now = bytes.get(id) ?? 0;
      if (client.bytes !== now) clients.set(id, { ...client, bytes: now });
    }
  }
  return { clients, endings };
}

/** Rows of two numbers, as a map from the first to the second. */
export function pairsOf(rows: readonly number[] = []): Map<number, number> {
  const pairs = new Map<number, number>();
  for (let at = 0; at + 2 <= rows.length; at += 2) pairs.set(rows[at]!, rows[at + 1]!);
  return pairs;
}

/**
 * Whether an event belongs to a visit that is over: the account of a busy server may come after the client has left,
 * or even when it is back.
 */
const isOfEarlierVisit = (
  id: number,
  when: number,
  known: Client | undefined,
  endings: readonly Ending[],
): boolean =>
  known === undefined
    ? endings.some(({ client, t }) => client === id && t >= when)
    : known.came !== undefined && when < known.came - SAME_VISIT;

/**
 * Both ends of a connection may report its end, in any order. They are one ending, and the server's word on the
 * reason is the better one.
 */
function withEnding(
  endings: readonly Ending[],
  ending: Ending,
  wasThere: boolean,
): readonly Ending[] {
  const same = wasThere
    ? -1
    : endings.findLastIndex(
        ({ client, t }) => client === ending.client && Math.abs(ending.t - t) < SAME_ENDING,
      );
  if (same === -1) return [...endings, ending].slice(-KEPT);
  return ending.reason === '' ? endings : endings.with(same, { ...ending, t: endings[same]!.t });
}

const newcomer = (id: number, t: number): Client => ({
  id,
  place: PLACE.connecting,
  lane: -1,
  came: undefined,
  since: t,
  asked: undefined,
  bytes: 0,
  answers: 0,
});

/** The client after an event; undefined: its visit is over. */
function moved(
  client: Client,
  kind: EventKind,
  t: number,
  lane: number,
  extra: number,
): Client | undefined {
  switch (kind) {
    case EVENT.connecting:
      // The server's account of the same visit may come first, and its clock may be some ms behind.
      if (client.place !== PLACE.connecting && client.since > t - SAME_VISIT)
        return { ...client, came: t };
      return { ...newcomer(client.id, t), came: t, answers: client.answers };
    case EVENT.connected:
      // The server may have accepted before the client's process learned that it is connected.
      return client.place === PLACE.connecting
        ? { ...client, place: PLACE.kernel, since: t }
        : client;
    case EVENT.queued:
      return { ...client, place: PLACE.queue, since: t };
    case EVENT.accepted:
      return { ...client, place: PLACE.served, lane, since: t, bytes: 0 };
    case EVENT.asked:
      return {
        ...client,
        asked: client.asked ?? t,
        bytes: client.place === PLACE.served ? client.bytes : client.bytes + Math.max(0, extra),
      };
    case EVENT.answered:
      return { ...client, asked: undefined, answers: client.answers + 1 };
    case EVENT.wrong:
      return { ...client, asked: undefined };
    case EVENT.left:
    case EVENT.hungUp:
    case EVENT.limited:
    case EVENT.refused:
    case EVENT.reset:
    case EVENT.cut:
      return undefined;
    default:
      return client;
  }
}
