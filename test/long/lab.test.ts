/**
 * A lab that goes on for thousands of frames, or hundreds of commands, holds no more than at its start.
 * MONDO_TEST_FRAMES and MONDO_TEST_ROUNDS set their numbers.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { scenes } from '../../src/instruments/lab/shared/scenes.ts';
import { type Lab, LabViewer, startLab } from '../support/lab.ts';
import { descendantsOf } from '../support/processes.ts';
import { until } from '../support/until.ts';

const FRAMES = Number(process.env.MONDO_TEST_FRAMES ?? 2000);
/** Of the second test; a round takes about 10 s, so 60 take ten minutes. */
const ROUNDS = Number(process.env.MONDO_TEST_ROUNDS ?? 4);
/** Of the lab with two stages, beside the workers of the scene: supervisors, clients and attackers. */
const MOST_PROCESSES = 12;
/** The ring keeps a minute, 16 MiB at most, and V8 leaves as much uncollected. */
const TOLERANCE = { share: 0.2, bytes: 32 * 2 ** 20 };

const memoryOf = (pid: number): number =>
  1024 * Number(/^RssAnon:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]);

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[numbers.length >> 1]!;

it(`memory of the hub and of each stage stays flat over ${FRAMES} frames`, {
  timeout: 0,
}, async () => {
  await using lab = await startLab('--scene', 'silent');
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  const model = await viewer.sees('the stages', ({ stages }) => stages.length === 2);
  viewer.send({ do: 'trace', s: 0, on: true });
  await viewer.sees('its code', ({ stages }) => stages[0]!.code.size > 0);
  const supervisors = viewer.model.stages.map(({ setup }) => setup.pid);
  expect(supervisors).not.toEqual(model.stages.map(({ setup }) => setup.pid));
  const processes = [lab.process.child.pid!, ...supervisors];
  // The viewer of the test keeps all records; a page does not.
  let frames = 0;
  /** The least memory of each process until this frame. Memory swings: the least is what a collection leaves. */
  const floorsUntil = async (frame: number): Promise<number[]> => {
    const floors = processes.map(() => Number.POSITIVE_INFINITY);
    await until(
      `frame ${frame}`,
      () => {
        frames += viewer.records.splice(0).filter(({ k }) => k === 'f').length;
        for (const [index, pid] of processes.entries()) {
          floors[index] = Math.min(floors[index]!, memoryOf(pid));
        }
        return frames >= frame;
      },
      FRAMES * 1000,
    );
    return floors;
  };
  // Until then much is allocated for the first time.
  await floorsUntil(FRAMES * 0.2);
  const early = await floorsUntil(FRAMES * 0.6);
  const late = await floorsUntil(FRAMES);
  const most = early.map((floor) => floor * (1 + TOLERANCE.share) + TOLERANCE.bytes);
  const both = `hub and stages: ${early} bytes, later ${late}`;
  expect(
    late.filter((floor, index) => floor > most[index]!),
    both,
  ).toEqual([]);
});

/** A viewer comes, does what changes most, and leaves: one round of 5 s or so. */
async function round(lab: Lab, number: number): Promise<void> {
  using viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  await viewer.sees('the stages', ({ stages }) => stages.length === 2);
  viewer.send({ do: 'take-over' });
  const { key: _key, name, sentence: _sentence, ...plan } = scenes[number % 2 === 0 ? 0 : 3]!;
  viewer.send({ do: 'plan', plan, scene: name });
  await viewer.sees('the other scene', ({ setup }) => setup?.scene === name);
  viewer.send({ do: 'probe', s: -1, on: true });
  viewer.send({ do: 'nc', s: -1 });
  viewer.send({ do: 'attack', s: 1, attack: 'idle-crowd', seconds: 1 });
  await viewer.sees('the attack', ({ stages }) => stages[1]!.attack.name !== '');
  await viewer.sees('its end', ({ stages }) => stages[1]!.attack.name === '');
  viewer.send({ do: 'signal', s: 1, pid: await workerOf(viewer), signal: 'SIGKILL' });
  viewer.send({ do: 'again' });
  await viewer.answered({ do: 'signal', s: 0, pid: 2, signal: 'SIGCONT' }, /is no worker/);
}

const workerOf = (viewer: LabViewer): Promise<number> =>
  until(
    'a worker',
    () => [...viewer.model.stages[1]!.lanes.values()].find(({ pid }) => pid > 0)?.pid,
  );

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;

it(`memory, descriptors and processes of the hub stay flat over ${ROUNDS} rounds of all that a viewer does`, {
  timeout: 0,
}, async () => {
  await using lab = await startLab('--scene', 'silent');
  const hub = lab.process.child.pid!;
  const memory: number[] = [];
  await round(lab, 1);
  await round(lab, 2);
  const atRest = () => [descriptorsOf(hub), descendantsOf(hub).length] as const;
  // Servers that were replaced still end.
  let [descriptors, processes] = atRest();
  await until('old servers to end', () => {
    const before = [descriptors, processes];
    [descriptors, processes] = atRest();
    return processes <= MOST_PROCESSES && before.join() === [descriptors, processes].join();
  });
  for (let number = 1; number <= ROUNDS; number++) {
    await round(lab, 2 * number - 1);
    await round(lab, 2 * number);
    await until(`the hub to have what it had, after round ${number}`, () => {
      const now = atRest();
      return now[0] <= descriptors && now[1] <= processes;
    });
    memory.push(memoryOf(hub));
  }
  const half = memory.length >> 1;
  const [early, late] = [median(memory.slice(0, half)), median(memory.slice(half))];
  expect(late).toBeLessThan(early * (1 + TOLERANCE.share) + TOLERANCE.bytes);
});
