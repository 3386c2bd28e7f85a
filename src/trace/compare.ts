/**
 * The same scripted clients against one architecture after the other, the threads of each under those of
 * the one before, on one time axis: who waits for whom is to be seen at a glance.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServeOptions } from '../host/plan.ts';
import { type Bar, type Group, lanesOf, type Picture, type Row } from './picture.ts';
import { Summary } from './summary.ts';
import { duration } from './svg.ts';
import { Timeline } from './timeline.ts';
import { startTrace } from './tracer.ts';

/** One client. Times in ms: from the beginning until it connects, and from each answer on. */
interface Client {
  readonly name: string;
  readonly connectsAt: number;
  /** How long it is silent before each of its questions. */
  readonly silences: readonly number[];
}

/** The first keeps silent in the middle of its conversation; three others come meanwhile. */
const script: readonly Client[] = [
  { name: 'client 1, silent between questions', connectsAt: 0, silences: [0, 600] },
  { name: 'client 2', connectsAt: 100, silences: [0, 0, 0] },
  { name: 'client 3', connectsAt: 200, silences: [0, 0, 0] },
  { name: 'client 4', connectsAt: 300, silences: [0, 0, 0] },
];
const questions = [
  'Beautiful is better than?',
  'Explicit is better than?',
  'Simple is better than?',
];

/** A client gives up, in ms. */
const PATIENCE = 10_000;
/** The script begins so long after the server is there, in ms: its threads are all asleep by then. */
const CALM = 50;

export interface Compared {
  readonly architecture: string;
  /** What it did with its time. */
  readonly sentence: string;
  readonly clients: readonly {
    readonly name: string;
    /** How long it waited for all its answers together, and for the one that took longest, in ns. */
    readonly waited: number;
    readonly longest: number;
  }[];
}

/** @param told is called before each architecture begins */
export async function compareTraces(
  architectures: readonly string[],
  options: ServeOptions,
  told: (architecture: string) => void,
): Promise<{ readonly picture: Picture; readonly compared: readonly Compared[] }> {
  const groups: Group[] = [];
  const compared: Compared[] = [];
  let to = 0;
  for (const architecture of architectures) {
    told(architecture);
    const run = await traceOne({ ...options, architecture, port: 0, host: '127.0.0.1' });
    groups.push({ title: architecture, rows: run.rows });
    compared.push({ architecture, sentence: run.sentence, clients: run.clients });
    to = Math.max(to, run.length);
  }
  const title = `The same four clients with ${architectures.join(', ')}`;
  const notes = compared.map(
    ({ architecture, clients }) =>
      `${architecture}: ${clients.map(({ name, longest }) => `${name.replace(/,.*/, '')} waited ${duration(longest)} at most`).join('; ')}`,
  );
  return { picture: { title, notes, from: 0, to, groups }, compared };
}

async function traceOne(options: ServeOptions) {
  const timeline = new Timeline();
  const summary = new Summary();
  const tracer = await startTrace(
    options,
    { lines: false },
    {
      record(tid, record) {
        timeline.record(tid, record);
        summary.record(tid, record);
      },
      event: (t, event) => timeline.event(t, event),
    },
  );
  let begin = 0;
  let end = 0;
  let clients: Awaited<ReturnType<typeof play>>[];
  try {
    await sleep(CALM);
    begin = tracer.now();
    clients = await Promise.all(
      script.map((client) => play(client, tracer.server.port, () => tracer.now() - begin)),
    );
    end = tracer.now();
  } finally {
    await tracer.close();
  }
  const lanes = lanesOf(timeline).map((row) => moved(row, begin, end));
  return {
    rows: [...lanes, ...clients.map(({ row }) => row)],
    clients: clients.map(({ row, longest, waited }) => ({ name: row.label, longest, waited })),
    sentence: summary.sentence(),
    length: end - begin,
  };
}

/** What lies between begin and end, counted from there. */
function moved(row: Row, begin: number, end: number): Row {
  const bars = row.bars
    .filter(({ from, to }) => to > begin && from < end)
    .map((bar) => ({
      ...bar,
      from: Math.max(0, bar.from - begin),
      to: Math.min(end, bar.to) - begin,
    }));
  const marks = row.marks.map(({ at, title }) => ({ at: at - begin, title }));
  return { ...row, bars, marks };
}

async function play({ name, connectsAt, silences }: Client, port: number, now: () => number) {
  const bars: Bar[] = [];
  await sleep(connectsAt);
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  let waited = 0;
  let longest = 0;
  try {
    await once(socket, 'connect', { signal: AbortSignal.timeout(PATIENCE) });
    let free = now();
    for (const [index, silence] of silences.entries()) {
      if (silence > 0) await sleep(silence);
      const asked = now();
      if (asked > free)
        bars.push({ from: free, to: asked, kind: 'open', title: `${name} is silent` });
      const question = questions[index % questions.length]!;
      socket.write(question);
      const answer = await answerFrom(socket);
      free = now();
      waited += free - asked;
      longest = Math.max(longest, free - asked);
      bars.push({ from: asked, to: free, kind: 'asking', title: `${question} → ${answer}` });
    }
  } finally {
    socket.destroy();
  }
  const row: Row = { label: name.replace(/,.*/, ''), bars, marks: [], isThin: true };
  return { row, waited, longest };
}

async function answerFrom(socket: Socket): Promise<string> {
  const signal = AbortSignal.timeout(PATIENCE);
  let answer = '';
  while (!answer.endsWith('.')) {
    const [data] = await once(socket, 'data', { signal });
    answer += String(data);
  }
  return answer;
}
