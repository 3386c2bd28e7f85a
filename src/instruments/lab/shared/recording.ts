/**
 * The file of a recording: gzip of one JSON record a line. Everything that is read here may come from a stranger: a
 * reader makes new records of the fields that it knows, with numbers in their ranges, or refuses the file.
 */

import { Field, type Range } from './fields.ts';
import { type Mix, type StagePlan, sizes } from './plan.ts';
import {
  FORMAT,
  type FrameRecord,
  type LabRecord,
  MOST,
  type Setup,
  type StageSetup,
  VERSION,
  type WIDTH,
} from './records.ts';

/** Most bytes of a recording, unpacked. */
export const MOST_BYTES = 20 * 2 ** 20;

/** A recording cannot be read. The message is for a person and has one line. */
export class RecordingError extends Error {
  override name = 'RecordingError';
}

export const lineOf = (record: LabRecord): string => `${JSON.stringify(record)}\n`;

export const pack = (records: Iterable<LabRecord>): Promise<Uint8Array<ArrayBuffer>> =>
  packLines(Array.from(records, lineOf));

/** The file of lines that `lineOf` made. */
export async function packLines(lines: readonly string[]): Promise<Uint8Array<ArrayBuffer>> {
  const packed = new Blob([...lines]).stream().pipeThrough(new CompressionStream('gzip'));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

/**
 * The records of a recording, gzipped or not. A file that was cut gives the records up to its last whole line.
 * Records of unknown kinds are left out.
 * @throws RecordingError: not a recording, of another version, too large, or with a wrong record
 */
export async function unpack(bytes: Uint8Array<ArrayBuffer>): Promise<readonly LabRecord[]> {
  const isPacked = bytes[0] === 0x1f && bytes[1] === 0x8b;
  return recordsOf(isPacked ? await inflated(bytes) : new TextDecoder().decode(bytes));
}

/** What can be unpacked of the bytes; a bomb is refused while it is unpacked. */
async function inflated(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const reader = new Blob([bytes])
    .stream()
    .pipeThrough(new DecompressionStream('gzip'))
    .getReader();
  const decoder = new TextDecoder();
  const parts: string[] = [];
  let size = 0;
  for (;;) {
    // A file that was cut, or is broken in the middle, ends here with an error: what came before is whole.
    const { done, value } = await reader.read().catch(() => ({ done: true, value: undefined }));
    if (done || value === undefined) break;
    size += value.byteLength;
    if (size > MOST_BYTES) {
      await reader.cancel().catch(() => {});
      throw tooLarge();
    }
    parts.push(decoder.decode(value, { stream: true }));
  }
  return parts.join('');
}

const tooLarge = () =>
  new RecordingError(
    `Cannot read the recording: it unpacks to more than ${MOST_BYTES / 2 ** 20} MiB; record a shorter time`,
  );

/** @throws RecordingError */
export function recordsOf(text: string): readonly LabRecord[] {
  if (text.length > MOST_BYTES) throw tooLarge();
  const lines = text.split('\n');
  // Without its newline the last line was cut.
  lines.pop();
  const records: LabRecord[] = [];
  for (const [index, line] of lines.entries()) {
    if (line === '') continue;
    const record = recordOf(parsed(line, index + 1), index + 1);
    if (records.length === 0 ? record?.k !== 'h' : record?.k === 'h') {
      throw new RecordingError(
        records.length === 0
          ? 'Cannot read the recording: its first line is no header; choose a file that mondo lab --record wrote'
          : `Cannot read the recording: line ${index + 1} is a second header`,
      );
    }
    if (record !== undefined) records.push(record);
  }
  if (records.length === 0) {
    throw new RecordingError(
      'Cannot read the recording: it has no whole line; choose a file that mondo lab --record wrote',
    );
  }
  return records;
}

function parsed(line: string, number: number): unknown {
  try {
    return JSON.parse(line);
  } catch {
    throw new RecordingError(`Cannot read the recording: line ${number} is no JSON`);
  }
}

const COUNT: Range = [0, Number.MAX_SAFE_INTEGER];
const LANES: Range = [0, 8191];
const LANE_OR_NONE: Range = [-1, 8191];
const CLIENT: Range = [0, 2 ** 31];
const CLIENT_OR_NONE: Range = [-1, 2 ** 31];
const PID: Range = [0, 2 ** 31];
/** Most ms of a recording: a day. */
const DAY = 86_400_000;
const MICROSECONDS: Range = [-DAY * 1000, DAY * 1000];

/** Most of `FrameRecord.every`. */
const EVERY = 2 ** 20;

/** Of each array of a frame: its most rows, and the range of each column. */
const arrays = {
  q: [1, [COUNT, COUNT, COUNT]],
  c: [1, [COUNT, COUNT, COUNT, COUNT, COUNT]],
  u: [1, [COUNT, COUNT, COUNT, COUNT, COUNT, COUNT, COUNT]],
  l: [MOST.lanes, [LANES, PID, PID, [0, 9], [0, 100], COUNT, CLIENT_OR_NONE, [0, 5]]],
  e: [MOST.events, [MICROSECONDS, CLIENT, [0, 12], LANE_OR_NONE, [-1, COUNT[1]]]],
  w: [MOST.clients, [CLIENT, COUNT]],
  r: [MOST.clients, [CLIENT, [0, 3], LANE_OR_NONE, [0, DAY * 1000], [-1, DAY * 1000], COUNT]],
  v: [MOST.clients, [CLIENT, [0, DAY * 1000]]],
  h: [MOST.buckets, [COUNT]],
  p: [1, [[0, 2], COUNT, [-1, DAY]]],
  m: [1, [COUNT, COUNT, COUNT, COUNT]],
  n: [MOST.lanes, [PID, COUNT]],
} as const satisfies Record<string, readonly [most: number, ranges: readonly Range[]]>;
arrays.l[1].length satisfies typeof WIDTH.l;
arrays.e[1].length satisfies typeof WIDTH.e;
arrays.w[1].length satisfies typeof WIDTH.w;
arrays.r[1].length satisfies typeof WIDTH.r;
arrays.v[1].length satisfies typeof WIDTH.v;
arrays.n[1].length satisfies typeof WIDTH.n;

/** Of a line of a thread, and of a function that is set aside: the number of either. */
const trace: readonly Range[] = [
  MICROSECONDS,
  PID,
  [0, MOST.files - 1],
  [0, MOST.code],
  CLIENT_OR_NONE,
];

const faultAt = (line: number) => (value: string, name: string, wanted: string) =>
  new RecordingError(
    `Cannot read the recording: line ${line} has ${value} as ${name === '' ? 'record' : name}; it must be ${wanted}`,
  );

/**
 * A record made of a parsed line, with nothing in it that the format does not name; undefined: of an unknown kind.
 * @throws RecordingError
 */
export function recordOf(value: unknown, line = 1): LabRecord | undefined {
  const record = new Field(value, '', faultAt(line));
  const k = record.of('k').value;
  const t = () => record.of('t').number(0, DAY);
  const stage = (least: number) => record.of('s').integer(least, MOST.stages - 1);
  switch (k) {
    case 'h':
      return headerOf(record);
    case 'f': {
      const frame: Record<string, unknown> = { k, s: stage(0), t: t() };
      const every = record.of('every');
      if (every.value !== undefined) frame.every = every.integer(1, EVERY);
      for (const [key, [most, ranges]] of Object.entries(arrays)) {
        const field = record.of(key);
        if (field.value !== undefined) {
          const row = field.rows(most, ranges);
          if (most === 1 && row.length === 0) throw field.fault(`a row of ${ranges.length}`);
          frame[key] = row;
        }
      }
      return frame as unknown as FrameRecord;
    }
    case 's':
      return {
        k,
        t: t(),
        s: record.of('s').integer(-2, MOST.stages - 1),
        setup: setupOf(record.of('setup')),
      };
    case 'c':
      return { k, t: t(), s: stage(-1), text: record.of('text').text() };
    case 'gap':
      return { k, t: t(), s: stage(-1), lost: record.of('lost').integer(...COUNT) };
    case 'o': {
      const share = (name: string) => record.of(name).number(0, 1e6);
      return { k, t: t(), servers: share('servers'), clients: share('clients'), lab: share('lab') };
    }
    case 'a': {
      const [attack, reached] = [
        record.of('attack').text(),
        record.of('reached').integer(-1, 1000),
      ];
      return { k, t: t(), s: stage(0), attack, reached };
    }
    case 'd':
      return {
        k,
        t: t(),
        s: stage(0),
        file: record.of('file').integer(0, MOST.files - 1),
        name: record.of('name').text(),
        text: record.of('text').text(MOST.code),
      };
    case 'x':
      return {
        ...{ k, t: t(), s: stage(0), x: record.of('x').rows(MOST.events, trace) },
        ...(record.of('y').value === undefined
          ? {}
          : { y: record.of('y').rows(MOST.aside, trace) }),
      };
    case 'z': {
      const channels = record
        .of('channels')
        .list(MOST.threads)
        .map((name) => name.text());
      const z = record.of('z').rows(MOST.threads, [PID, COUNT, [-1, channels.length - 1]]);
      return { k, t: t(), s: stage(0), z, channels };
    }
    case 'end':
      return { k, t: t() };
    default:
      return undefined;
  }
}

function headerOf(record: Field): LabRecord {
  if (record.of('format').value !== FORMAT) throw record.of('format').fault(`"${FORMAT}"`);
  const version = record.of('version').integer(...COUNT);
  if (version !== VERSION) {
    throw new RecordingError(
      `Cannot read the recording: it has version ${version} of the format, and this Mondo reads version ${VERSION}; play it with the Mondo that recorded it`,
    );
  }
  const machine = record.of('machine');
  return {
    k: 'h',
    format: FORMAT,
    version,
    mondo: record.of('mondo').text(),
    at: record.of('at').number(...COUNT),
    machine: {
      kernel: machine.of('kernel').text(),
      cpus: machine.of('cpus').integer(1, 100_000),
      node: machine.of('node').text(),
    },
    setup: setupOf(record.of('setup')),
  };
}

function setupOf(setup: Field): Setup {
  const stages = setup.of('stages');
  return {
    scene: setup.of('scene').text(),
    title: setup.of('title').text(),
    seed: setup.of('seed').integer(0, 2 ** 32 - 1),
    mix: mixOf(setup.of('mix')),
    stages: stages.list(MOST.stages).map(stageOf),
  };
}

function mixOf(mix: Field): Mix {
  const clients = (name: string) => mix.of(name).integer(0, MOST.clients);
  return {
    clients: clients('clients'),
    silent: clients('silent'),
    slow: clients('slow'),
    leaving: clients('leaving'),
    pipelining: clients('pipelining'),
    pause: mix.of('pause').number(0, DAY),
    questions: mix.of('questions').integer(...COUNT),
  };
}

function stageOf(stage: Field): StageSetup {
  const count = (name: string) => stage.of(name).integer(...COUNT);
  const thinking = stage.of('thinking');
  if (thinking.value !== 'block' && thinking.value !== 'defer') {
    throw thinking.fault('"block" or "defer"');
  }
  return {
    architecture: stage.of('architecture').text(),
    plan: planOf(stage),
    threads: count('threads'),
    processes: count('processes'),
    queue: count('queue'),
    limit: count('limit'),
    think: stage.of('think').number(0, DAY),
    thinking: thinking.value,
    pid: count('pid'),
    port: stage.of('port').integer(0, 65_535),
    command: stage.of('command').text(),
    limits: stage
      .of('limits')
      .list(MOST.buckets)
      .map((pair) => {
        const [name, value] = pair.list(2);
        if (name === undefined || value === undefined) throw pair.fault('a name and a number');
        return [name.text(), value.number(...COUNT)] as const;
      }),
    dryRun: stage.of('dryRun').value === undefined ? false : stage.of('dryRun').truth(),
  };
}

/** Recordings of earlier versions have no plan: the sizes with which the server ran make one. */
function planOf(stage: Field): StagePlan {
  const plan = stage.of('plan');
  const isOld = plan.value === undefined;
  const from = isOld ? stage : plan;
  const given = sizes.flatMap((size) => {
    const field = from.of(size);
    if (field.value === undefined) return [];
    const value = field.integer(...COUNT);
    return isOld && value <= 1 ? [] : [[size, value] as const];
  });
  return { architecture: from.of('architecture').text(), ...Object.fromEntries(given) };
}
