import { describe, expect, it } from 'vitest';
import type { ServerEvent } from '../../../host/server-event.ts';
import { reasons } from '../../../worker/reasons.ts';
import { EVENT, WIDTH } from '../shared/records.ts';
import { addressOf, FIRST_NC, FIRST_PROBE, FIRST_STRANGER } from '../shared/wire.ts';
import { Visits } from './visits.ts';

const STAGE = 1;
const CAST = `${addressOf(STAGE, 7)}:50000`;

function visits(
  isHandedOver = false,
  sleeper: (tid: number) => string | undefined = () => undefined,
) {
  const rowOf = (tid: number) => tid - 100;
  const all = new Visits({ s: STAGE, isHandedOver, rowOf, sleeper });
  const hear = (type: string, peer: string, more: object = {}, t = 0) =>
    all.hear({ type, peer, at: 0, pid: 1, tid: 101, worker: 0, ...more } as ServerEvent, t);
  const frame = () => {
    const events = all.frame(0);
    const rows: number[][] = [];
    for (let at = 0; at < events.length; at += WIDTH.e) rows.push(events.slice(at, at + WIDTH.e));
    return rows;
  };
  /** Client, kind, lane and extra of each event since the last call. */
  const told = () => frame().map((row) => row.slice(1));
  return { all, hear, frame, told };
}

describe('the events of a stage', () => {
  it('say of the cast what the cast cannot know, and no more', () => {
    const { hear, told, frame } = visits();
    hear('accepted', CAST, {}, 12.5);
    expect(frame()).toEqual([[12_500, 7, EVENT.accepted, 1, -1]]);
    hear('closed', CAST);
    hear('accepted', CAST);
    hear('limited', CAST, { limit: 'idle' });
    hear('refused', CAST, { reason: 'connections' });
    expect(told()).toEqual([
      [7, EVENT.accepted, 1, -1],
      [7, EVENT.limited, 1, reasons.indexOf('idle')],
      [7, EVENT.refused, 1, reasons.indexOf('connections')],
    ]);
  });

  it('leave out the end of a visit if the client has been accepted again', () => {
    const { hear, told } = visits();
    const again = CAST.replace('50000', '50001');
    hear('accepted', CAST);
    hear('accepted', again);
    told();
    hear('cut', CAST, { why: 'restart' });
    expect(told()).toEqual([]);
    hear('cut', again, { why: 'stop' });
    expect(told()).toEqual([[7, EVENT.cut, 1, -1]]);
  });

  it('say the end of an added client, which does not come again', () => {
    const { hear, told } = visits();
    const added = `${addressOf(STAGE, FIRST_NC)}:50000`;
    // It has left while it was in the accept queue.
    hear('accepted', added);
    hear('closed', added);
    expect(told()).toEqual([
      [FIRST_NC, EVENT.accepted, 1, -1],
      [FIRST_NC, EVENT.left, 1, -1],
    ]);
  });

  it('say everything of strangers and of the probe, each with an id of its own', () => {
    const { all, hear, told } = visits();
    expect(all.waiting([{ peer: '127.0.0.1:4000', bytes: 3 }], 0)).toEqual([FIRST_STRANGER, 3]);
    hear('accepted', '127.0.0.1:4000');
    hear('accepted', '127.1.0.1:4000');
    hear('hungUp', '127.0.0.1:4000', { received: 'x' });
    hear('closed', '127.1.0.1:4000');
    hear('accepted', '127.0.0.1:4000');
    hear('failed', '127.0.0.1:4000', { error: 'recv: ECONNRESET' });
    expect(told()).toEqual([
      [FIRST_STRANGER, EVENT.connected, -1, 4000],
      [FIRST_STRANGER, EVENT.accepted, 1, -1],
      [FIRST_PROBE, EVENT.connected, -1, 4000],
      [FIRST_PROBE, EVENT.accepted, 1, -1],
      [FIRST_STRANGER, EVENT.hungUp, 1, -1],
      [FIRST_PROBE, EVENT.left, 1, -1],
      [FIRST_STRANGER + 1, EVENT.connected, -1, 4000],
      [FIRST_STRANGER + 1, EVENT.accepted, 1, -1],
      [FIRST_STRANGER + 1, EVENT.reset, 1, -1],
    ]);
  });

  it('report only whole visits of a crowd of strangers', () => {
    const { hear, told } = visits();
    const kinds = new Map<number, number[]>();
    const note = () => {
      for (const [client, kind] of told()) {
        kinds.set(client!, [...(kinds.get(client!) ?? []), kind!]);
      }
    };
    const port = Array.from({ length: 1000 }, (_, i) => `127.0.0.2:${1000 + i}`);
    for (const peer of port) hear('accepted', peer);
    note();
    for (const peer of port) hear('closed', peer);
    note();
    expect(kinds.size).toBeGreaterThan(100);
    expect(kinds.size).toBeLessThan(1000);
    expect(new Set([...kinds.values()].map(String))).toEqual(
      new Set([String([EVENT.connected, EVENT.accepted, EVENT.left])]),
    );
    hear('accepted', '127.0.0.2:9');
    expect(told()).toHaveLength(2);
  });

  it('say that a client was handed over, and cut when its process ended', () => {
    const { all, hear, told } = visits(true);
    hear('accepted', CAST, { queued: 2 });
    all.rose(101, 1);
    all.rose(103, 1);
    all.handOver(1, () => true);
    expect(all.servedBy(103)).toBe(7);
    expect(told()).toEqual([
      [7, EVENT.queued, -1, 2],
      [7, EVENT.accepted, 3, -1],
    ]);
    all.lost(2, 2);
    expect(told()).toEqual([]);
    all.lost(1, 2);
    expect(told()).toEqual([[7, EVENT.cut, -1, -1]]);
  });

  it('put right which thread has which client when one of them ends', () => {
    const { all, hear, told } = visits(true);
    const other = `${addressOf(STAGE, 8)}:50000`;
    hear('accepted', CAST);
    hear('accepted', other);
    all.rose(103, 1);
    all.rose(104, 1);
    all.handOver(1, () => true);
    expect([all.servedBy(103), all.servedBy(104)]).toEqual([7, 8]);
    told();
    // The thread that closed it had the other one, as it seemed.
    hear('closed', CAST, { tid: 104 });
    expect([all.servedBy(103), all.servedBy(104)]).toEqual([8, -1]);
    expect(told()).toEqual([[8, EVENT.accepted, 3, -1]]);
    hear('limited', other, { tid: 103, limit: 'idle' });
    expect([all.servedBy(103), all.servedBy(104)]).toEqual([-1, -1]);
  });

  it('end with the server: those that it had are cut, those that waited are reset', () => {
    const { all, hear, told } = visits();
    hear('accepted', CAST);
    all.waiting([{ peer: '127.0.0.1:4000', bytes: 0 }], 0);
    told();
    all.over(5);
    expect(told()).toEqual([
      [7, EVENT.cut, -1, -1],
      [FIRST_STRANGER, EVENT.reset, -1, -1],
    ]);
  });
});

describe('threads that have taken clients at the same moment', () => {
  const [one, two, three] = [1, 2, 3].map((id) => `${addressOf(STAGE, id)}:50000`);

  function taken(sleepers: Record<number, string | undefined>) {
    const { all, hear, told } = visits(true, (tid) => sleepers[tid]);
    for (const peer of [one, two, three]) hear('accepted', peer!, { tid: 100 });
    for (const tid of [111, 112]) all.rose(tid, 1);
    all.handOver(0, () => true);
    told();
    const shown = () => [all.servedBy(111), all.servedBy(112)];
    return { all, told, shown };
  }

  it('have the clients that the kernel says once they sleep', () => {
    const sleepers: Record<number, string | undefined> = {};
    const { all, told, shown } = taken(sleepers);
    expect(shown()).toEqual([1, 2]);
    all.confirm(0);
    expect(shown()).toEqual([1, 2]);
    Object.assign(sleepers, { 111: two, 112: one });
    all.confirm(0);
    expect(shown()).toEqual([2, 1]);
    expect(told()).toEqual([
      [1, EVENT.accepted, 12, -1],
      [2, EVENT.accepted, 11, -1],
    ]);
    all.confirm(0);
    expect(told()).toEqual([]);
  });

  it('also if one of them has a client that was shown in the queue', () => {
    const sleepers: Record<number, string | undefined> = {};
    const { all, told, shown } = taken(sleepers);
    Object.assign(sleepers, { 111: three, 112: two });
    all.confirm(0);
    expect(shown()).toEqual([3, 2]);
    expect(told()).toEqual([
      [1, EVENT.queued, -1, 1],
      [3, EVENT.accepted, 11, -1],
    ]);
    all.rose(113, 1);
    all.handOver(0, () => true);
    expect(all.servedBy(113)).toBe(1);
  });
});
