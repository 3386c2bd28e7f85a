/**
 * Runs the same scripted clients against one architecture after the other. One picture shows the
 * threads of all architectures on the same time axis, so that one can see which client waits for which.
 */
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ArchitectureName, loadArchitecture } from '../../architectures/catalogue.ts';
import type { ServeOptions } from '../../host/plan.ts';
import { nanoseconds } from '../report/figures.ts';
import {
  type Bar,
  type Group,
  lanesOf,
  type Mark,
  numbered,
  type Picture,
  type Row,
  sleepsOf,
} from './picture.ts';
import { sentenceOf } from './summary.ts';
import { Timeline } from './timeline.ts';
import { startTrace } from './tracer.ts';

/** How many clients play. */
interface Cast {
  /** Clients that keep silent in the middle of their conversation. Default 1. */
  readonly silent?: number;
  /** Clients that come during that silence. Default 3. */
  readonly clients?: number;
}

/** A client of the script. Times in ms. */
interface Client {
  readonly name: string;
  readonly connectsAt: number;
  /** Silence before each of its questions. */
  readonly silences: readonly number[];
}

const SILENCE = 600;
/** The other clients connect in this time, in ms, one after the other … */
const ARRIVALS = 400;
/** … and at most this far apart, in ms. */
const APART = 100;

function scriptOf({ silent, clients }: Required<Cast>): Client[] {
  const between = Math.min(APART, ARRIVALS / clients);
  return [
    ...Array.from({ length: silent }, (_, i) => ({
      name: `silent ${i + 1}`,
      connectsAt: 0,
      silences: [0, SILENCE],
    })),
    ...Array.from({ length: clients }, (_, i) => ({
      name: `client ${i + 1}`,
      connectsAt: between * (i + 1),
      silences: [0, 0, 0],
    })),
  ];
}

/** The script in words. */
function storyOf({ silent, clients }: Required<Cast>): string {
  const quiet = silent === 1 ? 'The silent client' : `Each of the ${silent} silent clients`;
  const others = clients === 1 ? 'The other client' : `Each of the ${clients} other clients`;
  const first = `${quiet} asks, says nothing for ${SILENCE} ms, and asks again. `;
  const then =
    silent === 0 ? 'asks three questions' : 'connects during that silence and asks three questions';
  return `${silent === 0 ? '' : first}${others} ${then}.`;
}

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
  readonly clients: readonly ComparedClient[];
}

export interface ComparedClient {
  readonly name: string;
  /** How long the client waited for each of its answers, in ns. */
  readonly waits: readonly number[];
  /** When the kernel had connected it, and when the server accepted it, in ns since the beginning; undefined if unknown. */
  readonly connected: number | undefined;
  readonly accepted: number | undefined;
  /** Whether the client got all its answers. */
  readonly ending: Ending;
}

type Ending = 'answered' | 'ended by the server' | 'gave up';

export interface CompareOptions extends Cast {
  /** Called before each architecture begins. */
  readonly onBegin?: (architecture: string) => void;
  /** Ends the comparison early and stops the server. The result has the complete architectures. */
  readonly signal?: AbortSignal;
}

export async function compareTraces(
  architectures: readonly string[],
  options: ServeOptions,
  {
    silent = 1,
    clients = 3,
    onBegin = () => {},
    signal = new AbortController().signal,
  }: CompareOptions = {},
): Promise<{
  readonly picture: Picture;
  readonly compared: readonly Compared[];
  readonly interrupted: boolean;
}> {
  const cast = { silent, clients };
  const groups: Group[] = [];
  const compared: Compared[] = [];
  let to = 0;
  for (const architecture of architectures) {
    if (signal.aborted) break;
    onBegin(architecture);
    const serving = { ...options, architecture, port: 0, host: '127.0.0.1' };
    const run = await traceOne(serving, cast, signal).catch((error) => {
      // An incomplete conversation cannot be compared.
      if (!signal.aborted) throw error;
    });
    if (run === undefined) break;
    groups.push({ title: architecture, note: run.sentence, rows: run.rows });
    compared.push({ architecture, sentence: run.sentence, clients: run.clients });
    to = Math.max(to, run.length);
  }
  const title = `The same ${silent + clients} clients with each`;
  const picture = { title, notes: [storyOf(cast)], from: 0, to, groups };
  return { picture, compared, interrupted: compared.length < architectures.length };
}

/** A client's waits, as in `510 ms, 1.2 ms, 900 µs`. */
export const waitsText = ({ waits, ending }: Pick<ComparedClient, 'waits' | 'ending'>): string =>
  [...waits.map((ns) => nanoseconds(ns)), ...(ending === 'answered' ? [] : [ending])].join(', ');

/** How long a client was in the accept queue, if the server has accepted it. */
export const queuedText = ({
  connected,
  accepted,
}: Pick<ComparedClient, 'connected' | 'accepted'>) =>
  connected === undefined || accepted === undefined
    ? ''
    : nanoseconds(Math.max(0, accepted - connected));

function noteOf(client: ComparedClient): string {
  const queued = queuedText(client);
  const before = queued === '' ? '' : `${queued} in the accept queue; `;
  return `${before}waited ${waitsText(client)}`;
}

async function traceOne(options: ServeOptions, cast: Required<Cast>, signal: AbortSignal) {
  const timeline = new Timeline();
  let heardAt = performance.now();
  const tracer = await startTrace(
    options,
    { lines: false },
    {
      record(tid, record) {
        heardAt = performance.now();
        timeline.record(tid, record);
      },
      event: (t, event) => timeline.event(t, event),
    },
  );
  const { port } = tracer.server;
  async function untilCalm(): Promise<void> {
    heardAt = performance.now();
    const deadline = heardAt + LONGEST_START;
    const isCalm = () => timeline.lanes.length > 0 && performance.now() > heardAt + CALM;
    while (!isCalm() && performance.now() < deadline) {
      await sleep(CALM / 4, undefined, { signal });
    }
  }
  let begin = 0;
  let end = 0;
  let played: Awaited<ReturnType<typeof play>>[];
  try {
    await untilCalm();
    // What starts a thread or a process for each client starts them now, and keeps them.
    await warmUp(Math.min(cast.silent + cast.clients, await capacityOf(options)), port, signal);
    await untilCalm();
    begin = tracer.now();
    const now = () => tracer.now() - begin;
    played = await Promise.all(scriptOf(cast).map((client) => play(client, port, now, signal)));
    end = tracer.now();
  } finally {
    await tracer.close();
  }
  const clients = played.map(({ bars, port: own, ...client }) => {
    const accepted = timeline.connections.findLast(({ peer }) => peer === `127.0.0.1:${own}`)?.from;
    const since = accepted && accepted - begin;
    // Node reports the connection a little late, and the server may be quicker.
    const connected =
      since === undefined ? client.connected : Math.min(client.connected ?? since, since);
    return { bars, client: { ...client, connected, accepted: since } };
  });
  // A thread that ended before the script, or started after it, has no row.
  const present = timeline.lanes.filter(({ from, to }) => to > begin && from < end);
  const lanes = lanesOf(present, numbered).map((row) => moved(row, begin, end));
  return {
    rows: [...lanes, ...clients.map(({ bars, client }) => clientRow(bars, client))],
    clients: clients.map(({ client }) => client),
    sentence: sentenceBetween(timeline, begin, end),
    length: end - begin,
  };
}

/** How many clients the server serves at once, as far as its architecture says. */
async function capacityOf(options: ServeOptions): Promise<number> {
  const { capacity, threads, processes } = await loadArchitecture(
    options.architecture as ArchitectureName,
  );
  if (capacity === 'one' || options.inetd === 'wait') return 1;
  if (capacity === 'unbounded') return options.maxThreads || Number.POSITIVE_INFINITY;
  return (options.threads ?? threads.default) * (options.processes ?? processes.default);
}

/** Asks with `n` clients at once. They stay until each has an answer, so that each has a thread or a process. */
async function warmUp(n: number, port: number, signal: AbortSignal): Promise<void> {
  const sockets = Array.from({ length: n }, () => connect({ host: '127.0.0.1', port }));
  try {
    await Promise.all(
      sockets.map((socket) => {
        const answers = new Answers(socket);
        socket.write(questions[0]!);
        return answers.next(signal);
      }),
    );
  } finally {
    for (const socket of sockets) socket.destroy();
  }
}

/** How the server spent its time between two moments. */
function sentenceBetween({ lanes }: Timeline, begin: number, end: number): string {
  const lengthOf = ({ from, to }: { readonly from: number; readonly to: number }) =>
    Math.max(0, Math.min(to, end) - Math.max(from, begin));
  const present = lanes.filter((lane) => lengthOf(lane) > 0);
  const waits = new Map<string, number>();
  for (const sleep of present.flatMap(sleepsOf)) {
    waits.set(sleep.name, (waits.get(sleep.name) ?? 0) + lengthOf(sleep));
  }
  const total = present.reduce((sum, lane) => sum + lengthOf(lane), 0);
  const longestFirst = [...waits].sort(([, a], [, b]) => b - a);
  return sentenceOf(total, present.length, longestFirst);
}

function clientRow(bars: readonly Bar[], client: ComparedClient): Row {
  const { name, connected, accepted } = client;
  const marks: Mark[] = [];
  if (connected !== undefined) {
    const title = `the kernel has connected ${name}`;
    marks.push({ at: connected, kind: 'connected', title });
  }
  if (accepted !== undefined) {
    marks.push({ at: accepted, kind: 'accepted', title: `the server accepts ${name}` });
  }
  return { label: name, note: noteOf(client), bars, marks, isThin: true, isSeparate: true };
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
  const marks = row.marks.map((mark) => ({ ...mark, at: mark.at - begin }));
  return { ...row, bars, marks };
}

async function play(
  { name, connectsAt, silences }: Client,
  port: number,
  now: () => number,
  stopping: AbortSignal,
) {
  const bars: Bar[] = [];
  const waits: number[] = [];
  let connected: number | undefined;
  let ending: Ending = 'answered';
  await sleep(connectsAt, undefined, { signal: stopping });
  const socket = connect({ host: '127.0.0.1', port, noDelay: true });
  const answers = new Answers(socket);
  socket.once('connect', () => {
    connected = now();
  });
  let free = now();
  let own = 0;
  try {
    for (const [index, silence] of silences.entries()) {
      if (silence > 0) await sleep(silence, undefined, { signal: stopping });
      const asked = now();
      if (silence > 0) {
        bars.push({ from: free, to: asked, kind: 'open', title: `${name} is silent` });
      }
      const question = questions[index % questions.length]!;
      socket.write(question);
      const answer = await answers.next(stopping);
      own = socket.localPort ?? own;
      free = now();
      waits.push(free - asked);
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
  return { name, port: own, bars, waits, connected, ending };
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
