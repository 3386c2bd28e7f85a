/** A small recording of a lab, made by hand: `single` and `poll`, one silent client, and one that asks. */
import type { Mix } from '../../src/instruments/lab/shared/plan.ts';
import {
  EVENT,
  FORMAT,
  type FrameRecord,
  type HeaderRecord,
  KERNEL,
  LANE,
  type LabRecord,
  type Setup,
  type StageSetup,
  VERSION,
} from '../../src/instruments/lab/shared/records.ts';

/** One server of a set-up, with one thread by default. */
export const labStage = (
  architecture = 'single',
  change: Partial<StageSetup> = {},
): StageSetup => ({
  architecture,
  plan: { architecture },
  threads: 1,
  processes: 1,
  queue: 0,
  limit: 9,
  think: 200,
  thinking: 'block',
  pid: 100,
  port: 1060,
  command: `mondo serve ${architecture}`,
  limits: [],
  dryRun: false,
  ...change,
});

/** One silent client and one that asks. */
export const labMix: Mix = {
  clients: 2,
  silent: 1,
  slow: 0,
  leaving: 0,
  pipelining: 0,
  pause: 400,
  questions: 0,
};

/** The first record of a recording with these servers. */
export const labHeaderOf = (
  stages: readonly StageSetup[],
  change: Partial<Setup> = {},
): HeaderRecord => ({
  k: 'h',
  format: FORMAT,
  version: VERSION,
  mondo: '0.1.0',
  at: Date.UTC(2026, 10, 27, 17, 20, 10),
  machine: { kernel: 'Linux 6.18', cpus: 2, node: 'v26.1.0' },
  setup: { scene: 'silent', title: 'One silent client', seed: 7, mix: labMix, stages, ...change },
});

/** `single` and `poll`. */
export const labHeader = labHeaderOf([labStage(), labStage('poll', { pid: 200, port: 1061 })]);

const frame = (t: number, s: number, rest: Partial<FrameRecord>): FrameRecord => ({
  k: 'f',
  t,
  s,
  ...rest,
});
const MS = 1000;

/** 12 s: `poll` answers client 2 five times a second, `single` sleeps for client 1. */
export function labRecording(): readonly LabRecord[] {
  const records: LabRecord[] = [labHeader];
  for (const s of [0, 1]) {
    const come = [
      ...[-40 * MS, 1, EVENT.connecting, -1, 0],
      ...[-39 * MS, 1, EVENT.connected, -1, 40_001],
      ...[-38 * MS, 1, EVENT.accepted, 0, 0],
      ...[-20 * MS, 2, EVENT.connecting, -1, 0],
      ...[-19 * MS, 2, EVENT.connected, -1, 40_002],
    ];
    const lane = s === 0 ? [LANE.receiving, 100, 1, 1] : [LANE.waiting, 100, 2, -1];
    records.push(
      frame(50, s, {
        q: [1 - s, 9, 0],
        e: come,
        l: [0, 100 * (s + 1), 100, ...lane, KERNEL.asleep],
      }),
    );
  }
  records.push(frame(60, 1, { e: [-5 * MS, 2, EVENT.accepted, 0, 0] }));
  for (let t = 200, answered = 1; t <= 12_000; t += 200, answered++) {
    const e = [...[-100 * MS, 2, EVENT.asked, 0, 22], ...[-50 * MS, 2, EVENT.answered, 0, 50 * MS]];
    records.push(
      frame(t, 1, {
        e,
        u: [2, answered, answered, 0, 0, 0, 0],
        h: [...new Array<number>(15).fill(0), answered],
      }),
    );
  }
  records.push({ k: 'c', t: 5000, s: 0, text: 'one more silent client' }, { k: 'end', t: 12_000 });
  return records;
}
/** Texts that would do harm if a page took them as markup. */
const HOSTILE =
  '</script></style><img src=x onerror="document.title=\'broken\'"><script>document.title="broken"</script>';

/** The same recording with hostile texts in each place that has a text. */
export function hostileRecording(): readonly LabRecord[] {
  const stages = labHeader.setup.stages.map((one) => ({
    ...one,
    architecture: HOSTILE,
    command: HOSTILE,
  }));
  const setup = { ...labHeader.setup, title: HOSTILE, scene: HOSTILE, stages };
  const machine = { ...labHeader.machine, kernel: HOSTILE, node: HOSTILE };
  return labRecording().map((record): LabRecord => {
    if (record.k === 'h') return { ...record, mondo: HOSTILE, machine, setup };
    return record.k === 'c' ? { ...record, text: HOSTILE } : record;
  });
}
