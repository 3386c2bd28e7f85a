/**
 * Each mission at a running lab, by script: its goals can be reached, and its numbers are what happens.
 * MONDO_TEST_MISSIONS sets the number of runs; default: 1.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finish } from '../../src/instruments/lab/shared/mission.ts';
import { missions } from '../../src/instruments/lab/shared/missions.ts';
import { isChoices } from '../../src/instruments/lab/shared/question.ts';
import { type Lab, LabViewer, startLab } from '../support/lab.ts';
import { Pupil } from '../support/lab-pupil.ts';
import { MS, PATIENCE } from '../support/until.ts';

const RUNS = Number(process.env.MONDO_TEST_MISSIONS ?? 1);
const runs = Array.from({ length: RUNS }, (_, index) => index + 1);

let lab: Lab;
let viewer: LabViewer;
beforeAll(async () => {
  lab = await startLab();
  viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
});
afterAll(async () => {
  viewer?.[Symbol.dispose]();
  await lab?.[Symbol.asyncDispose]();
});

test.each(
  runs.flatMap((run) => missions.map((mission) => ({ run, key: mission.key, mission }))),
)('run $run, mission $key: a learner reaches all goals', {
  timeout: 8 * PATIENCE * MS,
}, async ({ mission }) => {
  const pupil = new Pupil(viewer, mission);
  await pupil.learn(2 * PATIENCE);
  const { has, needed, measured } = finish(pupil.progress)!;
  expect(has).toBe(needed);
  if (isChoices(mission.question)) expect(measured).toBe(mission.question.right);
  else expect(measured).toBeGreaterThanOrEqual(0);
});
