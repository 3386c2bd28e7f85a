import { readdirSync } from 'node:fs';
import { expect, it } from 'vitest';
import type { TraceRecord as Report } from '../../trace/records.ts';
import type { LabRecord } from '../shared/records.ts';
import { addressOf } from '../shared/wire.ts';
import { TraceLines, type Waiting } from './trace-lines.ts';

const S = 2;
/** Two threads of this process: lines of threads that have ended go. */
const [TID, OTHER] = readdirSync('/proc/self/task').map(Number) as [number, number];
const peerOf = (id: number) => `${addressOf(S, id)}:4711`;

function watch(waiting: Waiting = 'blocking') {
  const records: LabRecord[] = [];
  const lines = new TraceLines({ s: S, waiting, record: (record) => records.push(record) });
  const take = (tid: number, ...reports: Report[]) => {
    for (const report of reports) lines.take(tid, report);
  };
  const rows = () =>
    records.flatMap((record) =>
      record.k !== 'x'
        ? []
        : Array.from({ length: record.x.length / 5 }, (_, i) => {
            const [after, tid, , line, client] = record.x.slice(i * 5) as [number, ...number[]];
            return { at: record.t + after / 1000, tid, line, client };
          }),
    );
  return { lines, records, take, rows };
}

const begun = (tid = TID, pid = process.pid): Report[] => [
  { kind: 'module', module: 0, path: import.meta.filename },
  { kind: 'thread', t: 0, pid, worker: 0, role: tid === TID ? 'main' : 'thread' },
];
const line = (t: number, number: number): Report => ({ kind: 'line', t, module: 0, line: number });
const sleep = (t: number, name: string, args: string): Report => ({ kind: 'begin', t, name, args });

it('sends a file once, before its first line, and times on the clock of the lab', () => {
  const { lines, records, take, rows } = watch();
  take(TID, ...begun());
  lines.flush(100, 40);
  expect(records).toEqual([]);
  take(TID, line(70e6, 3));
  lines.flush(112, 40);
  take(TID, line(71e6, 4));
  lines.flush(162, 40);
  expect(records.map(({ k }) => k)).toEqual(['d', 'x', 'x']);
  expect(records[0]).toMatchObject({
    s: S,
    file: 0,
    text: expect.stringContaining('sends a file'),
  });
  expect(rows()).toEqual([
    { at: 110, tid: TID, line: 3, client: -1 },
    { at: 111, tid: TID, line: 4, client: -1 },
  ]);
});

it('gives the lines of a blocking thread to its client, from the accept to the close', () => {
  const { lines, take, rows } = watch();
  take(TID, ...begun(), line(1e6, 1), sleep(2e6, 'accept4', '5<listener>, …, SOCK_CLOEXEC'));
  take(TID, { kind: 'opened', t: 3e6, peer: peerOf(4) }, line(4e6, 2));
  take(TID, sleep(5e6, 'recv', `6<${peerOf(4)}>, …, 4096, 0`), line(6e6, 3));
  take(TID, { kind: 'closed', t: 7e6, peer: peerOf(4) }, line(8e6, 1));
  lines.flush(10, 0);
  expect(rows().map(({ line, client }) => [line, client])).toEqual([
    [1, 4],
    [2, 4],
    [3, 4],
    [1, -1],
  ]);
});

it('knows the client of a thread that got its socket from another one, whose report comes later', () => {
  const { lines, take, rows } = watch();
  const called = (t: number, name: string, args: string, result: string): Report => ({
    ...{ kind: 'call', t, end: t, blocked: 0, name, args, result, begun: true },
  });
  take(TID, ...begun(), line(1e6, 1));
  take(OTHER, ...begun(OTHER), line(5e6, 2), sleep(6e6, 'recv', '6, …, 4096, 0'));
  lines.flush(10, 0);
  take(TID, { kind: 'opened', t: 3e6, peer: peerOf(4) });
  take(TID, called(2e6, 'accept4', '5<listener>, …', '6'), line(4e6, 3));
  take(OTHER, called(12e6, 'close', '6', '0'), line(13e6, 4));
  lines.flush(20, 0);
  const own = rows().filter(({ tid }) => tid === OTHER);
  expect(own.map(({ line, client }) => [line, client])).toEqual([
    [2, -1],
    [2, 4],
    [4, -1],
  ]);
});

it('names the client of a line in a loop only by a call on that very line', () => {
  const { lines, take, rows } = watch('loop');
  take(TID, ...begun(), line(1e6, 1), sleep(2e6, 'recv', `6<${peerOf(9)}>, …, 4096, 0`));
  take(TID, line(3e6, 2));
  lines.flush(10, 0);
  // Its call comes after the line was sent.
  take(TID, sleep(12e6, 'recv', `8<${peerOf(8)}>, "<${peerOf(1)}>", 4096, 0`));
  lines.flush(20, 0);
  take(TID, line(21e6, 1), sleep(22e6, 'epoll_wait', '4, …, 64, -1'));
  lines.flush(30, 0);
  expect(rows().map(({ at, line, client }) => [at, line, client])).toEqual([
    [1, 1, 9],
    [3, 2, -1],
    [3, 2, 8],
    [21, 1, -1],
  ]);
});

it('shows the line to which a function has returned, if the thread sleeps there', () => {
  const { lines, take, rows } = watch('loop');
  const back = (t: number, module: number): Report => ({ kind: 'back', t, module, line: 5 });
  take(TID, ...begun(), line(1e6, 5), line(2e6, 9), back(3e6, 0));
  take(TID, sleep(4e6, 'epoll_wait', '4, …, 64, -1'), sleep(5e6, 'epoll_wait', '4, …, 64, -1'));
  take(TID, line(6e6, 9), back(7e6, 0), back(8e6, -1));
  lines.flush(10, 0);
  expect(rows().map(({ at, line }) => [at, line])).toEqual([
    [1, 5],
    [2, 9],
    [3, 5],
    [6, 9],
  ]);
});

const aside = (t: number, frame: number, line: number): Report => ({
  ...{ kind: 'aside', t, frame, module: 0, line },
});
const resumed = (t: number, frame: number): Report => ({
  ...{ kind: 'resume', t, frame, since: 0, module: 0, line: 5 },
});
const asidesOf = (records: readonly LabRecord[]) =>
  records.flatMap((record) => {
    if (record.k !== 'x') return [];
    const { y = [], t } = record;
    return Array.from({ length: y.length / 5 }, (_, i) => {
      const [after, number, , line, client] = y.slice(i * 5) as [number, ...number[]];
      return { at: t + after / 1000, number, line, client };
    });
  });

it('says where each function waits that keeps no thread, and for which client', () => {
  const { lines, records, take } = watch('loop');
  // The function that accepts starts one for each client, and then waits itself.
  take(TID, ...begun(), line(1e6, 1));
  take(TID, { kind: 'opened', t: 2e6, peer: peerOf(4) }, aside(3e6, 1, 5));
  take(TID, { kind: 'opened', t: 4e6, peer: peerOf(6) }, aside(5e6, 2, 5), aside(6e6, 3, 9));
  lines.flush(10, 0);
  expect(asidesOf(records)).toEqual([
    { at: 3, number: 1, line: 5, client: 4 },
    { at: 5, number: 2, line: 5, client: 6 },
    { at: 6, number: 3, line: 9, client: -1 },
  ]);
  // One goes on and waits again: only where it waits now is sent. Another one has ended.
  records.length = 0;
  take(TID, resumed(11e6, 1), aside(12e6, 1, 7), aside(13e6, 2, 0));
  lines.flush(20, 0);
  expect(asidesOf(records)).toEqual([
    { at: 12, number: 1, line: 7, client: 4 },
    { at: 13, number: 2, line: 0, client: -1 },
  ]);
  records.length = 0;
  take(TID, resumed(21e6, 1));
  lines.flush(30, 0);
  expect(asidesOf(records)).toEqual([{ at: 21, number: 1, line: 0, client: -1 }]);
});

it('drops old lines of a quick server, counts them, and never the newest of a thread', () => {
  const { lines, records, take, rows } = watch('loop');
  take(TID, ...begun(), line(1, 1));
  take(OTHER, ...begun(OTHER));
  take(OTHER, ...Array.from({ length: 1000 }, (_, i) => line(2 + i, 2 + i)));
  lines.flush(2000, 0);
  expect(rows()).toHaveLength(400);
  expect(rows()[0]).toMatchObject({ tid: TID, line: 1 });
  expect(rows().at(-1)).toMatchObject({ tid: OTHER, line: 1001 });
  expect(records.at(-1)).toEqual({ k: 'gap', t: 2000, s: S, lost: 601 });
  lines.flush(4000, 0);
  expect(records.at(-1)).toMatchObject({ lost: 601 });
});

it('says that a thread has ended', () => {
  const { lines, take, rows } = watch();
  take(TID, ...begun(TID, 2 ** 22), line(1, 1));
  lines.flush(10, 0);
  expect(rows().at(-1)).toEqual({ at: 10, tid: TID, line: 0, client: -1 });
  lines.flush(2000, 0);
  expect(rows().filter((row) => row.line === 0)).toHaveLength(1);
});
