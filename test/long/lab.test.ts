/** A lab that goes on for thousands of frames holds no more memory than at its start; MONDO_TEST_FRAMES sets the number. */
import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { LabViewer, startLab } from '../support/lab.ts';
import { until } from '../support/until.ts';

const FRAMES = Number(process.env.MONDO_TEST_FRAMES ?? 2000);
const PARTS = 10;
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
  const curves = processes.map((): number[] => []);
  for (let part = 1; part <= PARTS; part++) {
    const looks = processes.map((): number[] => []);
    await until(
      `frame ${(FRAMES * part) / PARTS}`,
      () => {
        frames += viewer.records.splice(0).filter(({ k }) => k === 'f').length;
        for (const [index, pid] of processes.entries()) looks[index]!.push(memoryOf(pid));
        return frames >= (FRAMES * part) / PARTS;
      },
      FRAMES * 1000,
    );
    for (const [index, look] of looks.entries()) curves[index]!.push(median(look));
  }
  const grown = curves.filter((curve) => {
    const [second, last] = [curve[1]!, curve[PARTS - 1]!];
    return last > second * (1 + TOLERANCE.share) + TOLERANCE.bytes;
  });
  expect(grown).toEqual([]);
});
