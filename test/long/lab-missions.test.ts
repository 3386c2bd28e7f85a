/**
 * Each mission at a running lab, by script: its goals can be reached, and its numbers are what happens. It runs only
 * with MONDO_TEST_MISSIONS=1, until 20 runs on a busy machine have calibrated the goals.
 */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { finish } from '../../src/instruments/lab/shared/mission.ts';
import { missions } from '../../src/instruments/lab/shared/missions.ts';
import { isChoices } from '../../src/instruments/lab/shared/question.ts';
import { type Lab, LabViewer, startLab } from '../support/lab.ts';
import { Pupil } from '../support/lab-pupil.ts';
import { MS, PATIENCE } from '../support/until.ts';

let lab: Lab;
let viewer: LabViewer;
beforeAll(async () => {
  if (process.env.MONDO_TEST_MISSIONS !== '1') return;
  lab = await startLab();
  viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
});
afterAll(async () => {
  viewer?.[Symbol.dispose]();
  await lab?.[Symbol.asyncDispose]();
});

test.runIf(process.env.MONDO_TEST_MISSIONS === '1').each(missions)(
  'mission $key: a learner reaches all goals',
  {
    timeout: 8 * PATIENCE * MS,
  },
  async (mission) => {
    const pupil = new Pupil(viewer, mission);
    await pupil.learn(2 * PATIENCE);
    const { has, needed, measured } = finish(pupil.progress)!;
    expect(has).toBe(needed);
    if (isChoices(mission.question)) expect(measured).toBe(mission.question.right);
    else expect(measured).toBeGreaterThanOrEqual(0);
  },
);
