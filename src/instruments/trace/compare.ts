/**
 * Runs the same scripted clients against one architecture after the other. One picture shows the
 * threads of all architectures on the same time axis, so that one can see which client waits for which.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ServeOptions } from '../../host/plan.ts';
import { nanoseconds } from '../report/figures.ts';
import { type Bar, type Group, lanesOf, numbered, type Picture, type Row } from './picture.ts';
import { Summary } from './summary.ts';
import { Timeline } from './timeline.ts';
import { startTrace } from './tracer.ts';

/** A client of the script. Times in ms. */
interface Client {
  readonly name: string;
  readonly connectsAt: number;
  /** Silence before each of its questions. */
  readonly silences: readonly number[];
}

/**
 * The first client is silent in the middle of its conversation. Three others connect during that
 * time.
 */
const script: readonly Client[] = [
  { name: 'client 1', connectsAt: 0, silences: [0, 600] },
  { name: 'client 2', connectsAt: 100, silences: [0, 0, 0] },
  { name: 'client 3', connectsAt: 200, silences: [0, 0, 0] },
  { name: 'client 4', connectsAt: 300, silences: [0, 0, 0] },
];
const story =
  'Client 1 asks, is silent for 600 ms, and asks again. The others connect during that silence, and ask three times each.';
const questions = [
  'Beautiful is better than?',
  'Explicit is better than?',
  'Simple is better than?',
];

/** Timeout of a client, in ms. */
const PATIENCE = 10_000;
/**
 * The script begins when no thread has reported for this time, in ms: then all threads have started
 * and sleep.
 */
const CALM = 100;
/** The script begins after this time, in ms, even if threads still report. */
const LONGEST_START = 5000;

export interface Compared {
  readonly architecture: string;
  /** How the server spent its time. */
  readonly sentence: string;
  readonly clients: readonly {
    readonly name: string;
    /** Total time that the client waited for answers, and its longest wait, in ns. */
    readonly waited: number;
    readonly longest: number;
    /** Whether the client got all its answers. */
    readonly ending: Ending;
  }[];
}

type Ending = 'answered' | 'ended by the server' | 'gave up';

/**
 * @param onBegin called before each architecture begins
 * @param signal ends the comparison early and stops the server; the result has the complete
 *   architectures
 */
export async function compareTraces(
  architectures: readonly string[],
  options: ServeOptions,
  onBegin: (architecture: string) => void,
  signal: AbortSignal = new AbortController().signal,
): Promise<{
  readonly picture: Picture;
  readonly compared: readonly Compared[];
  readonly interrupted: boolean;
}> {
  const groups: Group[] = [];
  const compared: Compared[] = [];
  let to = 0;
  for (const architecture of architectures) {
    if (signal.aborted) break;
    onBegin(architecture);
    const serving = { ...options, architecture, port: 0, host: '127.0.0.1' };
    const run = await traceOne(serving, signal).catch((error) => {
      // An incomplete conversation cannot be compared.
      if (!signal.aborted) throw error;
    });
    if (run === undefined) break;
    groups.push({ title: architecture, note: noteOf(run.clients), rows: run.rows });
    compared.push({ architecture, sentence: run.sentence, clients: run.clients });
    to = Math.max(to, run.length);
  }
  const title = 'The same four clients with each';
  const picture = { title, notes: [story], from: 0, to, groups };
  return { picture, compared, interrupted: compared.length < architectures.length };
}

const noteOf = (clients: Compared['clients']): string => {
  const waits = clients.map(({ name, longest, ending }) => {
    const end = ending === 'answered' ? '' : `, and ${ending}`;
    return `${name} ${nanoseconds(longest, 2)}${end}`;
  });
  return `longest wait of ${waits.join(', ')}`;
};

async function traceOne(options: ServeOptions, signal: AbortSignal) {
  const timeline = new Timeline();
  const summary = new Summary();
  let heardAt = performance.now();
  const tracer = await startTrace(
    options,
    { lines: false },
    {
      record(tid, record) {
        heardAt = performance.now();
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
    heardAt = performance.now();
    const deadline = heardAt + LONGEST_START;
    const isCalm = () => timeline.lanes.length > 0 && performance.now() > heardAt + CALM;
    while (!isCalm() && performance.now() < deadline) {
      await sleep(CALM / 4, undefined, { signal });
    }
    begin = tracer.now();
    clients = await Promise.all(
      script.map((client) => play(client, tracer.server.port, () => tracer.now() - begin, signal)),
    );
    end = tracer.now();
  } finally {
    await tracer.close();
  }
  const lanes = lanesOf(timeline, numbered).map((row) => moved(row, begin, end));
  return {
    rows: [...lanes, ...clients.map(({ row }) => row)],
    clients: clients.map(({ row, ...client }) => ({ name: row.label, ...client })),
    sentence: summary.sentence(),
    length: end - begin,
  };
}

/** Keeps what lies between begin and end, with times relative to begin. */
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

async function play(
  { name, connectsAt, silences }: Client,
  port: number,
  now: () => number,
  stopping: AbortSignal,
) {
  const bars: Bar[] = [];
  let waited = 0;
  let longest = 0;
  let ending: Ending = 'answered';
  await sleep(connectsAt, undefined, { signal: stopping });
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const answers = new Answers(socket);
  let free = now();
  try {
    for (const [index, silence] of silences.entries()) {
      if (silence > 0) await sleep(silence, undefined, { signal: stopping });
      const asked = now();
      if (asked > free) {
        bars.push({ from: free, to: asked, kind: 'open', title: `${name} is silent` });
      }
      const question = questions[index % questions.length]!;
      socket.write(question);
      const answer = await answers.next(stopping);
      free = now();
      waited += free - asked;
      longest = Math.max(longest, free - asked);
      bars.push({
        from: asked,
        to: free,
        kind: 'asking',
        title: `${question} → ${typeof answer === 'string' ? answer : answer.ending}`,
      });
      if (typeof answer !== 'string') {
        ending = answer.ending;
        break;
      }
    }
  } finally {
    socket.destroy();
  }
  return {
    row: { label: name, bars, marks: [], isThin: true } satisfies Row,
    waited,
    longest,
    ending,
  };
}

/** Splits what a server sends on one connection into answers: each ends with a full stop. */
class Answers {
  #received = '';
  #isOver = false;
  #look = () => {};

  constructor(socket: Socket) {
    socket.setEncoding('latin1');
    socket.on('data', (text) => {
      this.#received += text;
      this.#look();
    });
    // After an error, no more answers come; `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => {
      this.#isOver = true;
      this.#look();
    });
  }

  next(stopping: AbortSignal): Promise<string | { readonly ending: Ending }> {
    const patience = AbortSignal.timeout(PATIENCE);
    return new Promise((resolve, reject) => {
      patience.onabort = () => resolve({ ending: 'gave up' });
      stopping.addEventListener('abort', () => reject(stopping.reason), { once: true });
      this.#look = () => {
        const end = this.#received.indexOf('.') + 1;
        if (end > 0) {
          resolve(this.#received.slice(0, end));
          this.#received = this.#received.slice(end);
        } else if (this.#isOver) resolve({ ending: 'ended by the server' });
      };
      this.#look();
    });
  }
}
