/** Records of a lab, made by hand, for tests of its page: each architecture, with clients in each place. */
import { loops } from '../../src/instruments/lab/page/captions.ts';
import {
  type HeaderRecord,
  KERNEL,
  LANE,
  type LabRecord,
  PLACE,
  PROBE,
  type StageSetup,
} from '../../src/instruments/lab/shared/records.ts';
import type { WelcomeRecord } from '../../src/instruments/lab/shared/wire.ts';
import { labHeaderOf, labMix, labStage } from './lab-recording.ts';

export interface SceneWish {
  readonly clients: number;
  readonly silent: number;
  /** Of the last stage: clients that change their place with each frame. */
  readonly restless?: boolean;
}

const perClient = new Set(['socketserver', 'inetd']);
const pools = new Set(['threaded', 'queued', 'prefork']);

const stageSetup = (architecture: string, index: number): StageSetup =>
  labStage(architecture, {
    threads: pools.has(architecture) ? 4 : 1,
    queue: architecture === 'queued' ? 4 : 0,
    limit: 1025,
    pid: 5000 + 100 * index,
    port: 41_801 + index,
    command: `mondo serve ${architecture} --port ${41_801 + index} --think 200`,
  });

export const sceneHeader = (
  architectures: readonly string[],
  { clients, silent }: SceneWish,
): HeaderRecord =>
  labHeaderOf(architectures.map(stageSetup), { mix: { ...labMix, clients, silent } });

/** The frames of all stages at one moment; `turn` counts the moments of a scene from 0. */
export function sceneFrames(
  { setup: { mix, stages } }: HeaderRecord,
  t: number,
  turn: number,
  restless = false,
): readonly LabRecord[] {
  return stages.map(({ architecture, pid, threads, queue: places }, s) => {
    const isLoop = loops.has(architecture);
    const room = isLoop || perClient.has(architecture) ? Number.POSITIVE_INFINITY : threads;
    const [r, w, l]: [number[], number[], number[]] = [[], [], []];
    let [queued, waiting, served] = [0, 0, 0];
    for (let id = 1; id <= mix.clients; id++) {
      const age = Math.max(0, t * 1000 - id * 1000);
      const isSilent = id <= mix.silent;
      // An honest client asks for a third of the time; at a server that does not answer it goes on to ask.
      const asks = isSilent ? -1 : (t * 1000 + id * 377_000) % 900_000 < 300_000 ? 100_000 : -1;
      const isAway = restless && (id + turn) % 2 === 0;
      if (served < room && !isAway) {
        r.push(id, PLACE.served, isLoop ? 0 : served, age, asks, turn);
        if (!isLoop) {
          const own =
            architecture === 'prefork' || architecture === 'inetd' ? pid + 1 + served : pid + 1;
          const state = asks < 0 ? LANE.receiving : LANE.answering;
          l.push(served, pid + 50 + served, own, state, 90, 1, id, KERNEL.asleep);
        }
        served++;
      } else if (queued < places && !isAway) {
        r.push(id, PLACE.queue, -1, age, age, 0);
        queued++;
      } else {
        r.push(id, PLACE.kernel, -1, age, age > 1_000_000 ? age - 1_000_000 : -1, 0);
        if (age > 1_000_000 && w.length < 40) w.push(id, 22);
        waiting++;
      }
    }
    const asker = isLoop ? r.findIndex((value, at) => at % 6 === 4 && value >= 0) : -1;
    // The loop is in an answer for every second frame: no answer takes long.
    const client = asker < 0 || turn % 2 === 0 ? -1 : r[asker - 4]!;
    if (isLoop)
      l.push(
        0,
        pid + 50,
        pid + 1,
        client < 0 ? LANE.waiting : LANE.answering,
        80,
        served,
        client,
        KERNEL.asleep,
      );
    const isHeld = Number.isFinite(room) && mix.silent >= room;
    const answered = isHeld ? 0 : turn;
    return {
      k: 'f',
      s,
      t,
      q: [waiting, 1025, queued],
      c: [served, served, answered, 0, 0],
      u: [mix.clients, answered, answered, 0, 0, 0, 0],
      l,
      r,
      w,
      p: isHeld ? [PROBE.red, Math.round(t), -1] : [PROBE.green, 20, -1],
      m: [70, 5, 2, 3],
    };
  });
}

/** What a hub says to a viewer that steers; `single` has an attack that does not fit it. */
export const sceneAttacks: WelcomeRecord['attacks'] = [
  { name: 'idle-crowd', title: 'idle crowd', sentence: 'Connects, and says nothing.', unfit: {} },
  {
    name: 'burn',
    title: 'a question that burns',
    sentence: 'Asks what takes long.',
    unfit: { single: 'it has one thread' },
  },
];
