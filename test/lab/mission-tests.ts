/**
 * Tests of a mission on the page of a running lab, from the list to the result sheet. test/long/lab-missions.test.ts
 * does all missions at real servers, missions.test.ts beside their source with invented ones.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import axe from 'axe-core';
import type { Page } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { pageFiles } from '../../src/instruments/lab/hub/page-files.ts';
import { staticPage } from '../../src/instruments/lab/hub/static.ts';
import { begin, finish, guess, observe } from '../../src/instruments/lab/shared/mission.ts';
import { missionOf } from '../../src/instruments/lab/shared/missions.ts';
import { nothing } from '../../src/instruments/lab/shared/model.ts';
import { isChoices } from '../../src/instruments/lab/shared/question.ts';
import { unpack } from '../../src/instruments/lab/shared/recording.ts';
import { apply } from '../../src/instruments/lab/shared/reducer.ts';
import { scenes } from '../../src/instruments/lab/shared/scenes.ts';
import type { Sheet } from '../../src/instruments/lab/shared/sheet.ts';
import { sheetIn } from '../../src/instruments/lab/shared/sheet-reader.ts';
import { votes } from '../../src/instruments/lab/shared/votes.ts';
import { CALM } from '../support/browser.ts';
import { LabViewer, startLab } from '../support/lab.ts';
import type { Place } from '../support/lab-page.ts';
import { presses } from '../support/lab-pupil.ts';
import { PATIENCE, until, untilShown } from '../support/until.ts';

/** What a program finds that looks for barriers. @param within selects the part of the page; default: all of it */
async function barriers(page: Page, within = 'html'): Promise<unknown> {
  const isThere = await page.evaluate<boolean>("typeof axe === 'object'");
  if (!isThere) await page.evaluate(axe.source);
  return await page.evaluate(`axe.run('${within}').then(({ violations }) => violations)`);
}

/** How a learner reaches what is on the page. */
interface Hand {
  readonly press: (page: Page, button: string) => Promise<void>;
  readonly choose: (page: Page, index: number) => Promise<void>;
  readonly write: (page: Page, field: string, text: string) => Promise<void>;
}

const mouse: Hand = {
  press: (page, name) => page.getByRole('button', { name, exact: true }).click(),
  choose: (page, index) => page.locator('.mission form').getByRole('radio').nth(index).check(),
  write: (page, field, text) => page.locator(field).fill(text),
};

/** Goes with the Tab key to what this expression of `at`, the element with the focus, is true for. */
async function tabTo(page: Page, isThere: string): Promise<void> {
  const look = `((at) => ${isThere})(document.activeElement)`;
  // Backwards: the panel is at the end of the page.
  await until(`the focus at ${isThere}`, async () => {
    if (await page.evaluate<boolean>(look)) return true;
    await page.keyboard.press('Shift+Tab');
    return false;
  });
}

const keyboard: Hand = {
  async press(page, name) {
    await tabTo(page, `at.matches('button') && at.textContent === ${JSON.stringify(name)}`);
    await page.keyboard.press('Enter');
  },
  async choose(page, index) {
    await tabTo(page, "at.matches('.mission [type=radio]')");
    await page.keyboard.press('Space');
    await until('the choice', async () => {
      if (await page.locator('.mission [type=radio]').nth(index).isChecked()) return true;
      await page.keyboard.press('ArrowDown');
      return false;
    });
  },
  async write(page, field, text) {
    await tabTo(page, `at.matches(${JSON.stringify(field)})`);
    await page.keyboard.press('Control+a');
    await page.keyboard.type(text);
  },
};

/** Answers the question that the page shows. */
async function answer(page: Page, hand: Hand, value: number, isChoice: boolean): Promise<void> {
  if (isChoice) await hand.choose(page, value);
  else await hand.write(page, '.mission form [name=answer]', String(value));
  await hand.press(page, 'that is my answer');
}

async function saved(page: Page, hand: Hand, name: string): Promise<Buffer> {
  const [download] = await Promise.all([page.waitForEvent('download'), hand.press(page, name)]);
  return readFileSync(await download.path());
}

/** The recordings of the missions that were done, by their keys. */
const recordings = new Map<string, Buffer>();

/** Does a mission on a page that plays its recording: the learner predicts, and watches. */
async function watched(page: Page, key: string, guess: number): Promise<Sheet> {
  const mission = missionOf(key)!;
  await page.locator('.stage').first().waitFor();
  await page.keyboard.press('m');
  await page.getByRole('button', { name: `${key} ${mission.title}` }).click();
  await answer(page, mouse, guess, isChoices(mission.question));
  await page.getByRole('heading', { name: 'Why' }).waitFor();
  return sheetIn(String(await saved(page, mouse, 'save the result sheet')));
}

/** The recording is the one that the sheet names, and its replay reaches the same goals in the same order. */
async function expectProof(sheet: Sheet, file: Buffer): Promise<void> {
  expect(createHash('sha256').update(file).digest('hex')).toBe(sheet.recording);
  const records = await unpack(new Uint8Array(file));
  let [model, progress] = [nothing, guess(begin(missionOf(sheet.mission)!), sheet.predicted)];
  for (const record of records) {
    model = apply(model, record);
    progress = observe(progress, model);
  }
  const { goals, measured } = finish(progress)!;
  expect(goals.map(({ id }) => id)).toEqual(sheet.goals.map(({ id }) => id));
  expect(measured).toBe(sheet.measured);
}

/** Does a mission on the page, with this prediction. A second viewer knows when to press. */
async function learnt(
  page: Page,
  viewer: LabViewer,
  hand: Hand,
  key: string,
  guess: number,
): Promise<Sheet> {
  const mission = missionOf(key)!;
  await page.keyboard.press('m');
  await page.getByRole('button', { name: `${key} ${mission.title}` }).waitFor();
  await hand.press(page, `${key} ${mission.title}`);
  expect(await page.locator('.steps').count()).toBe(0);
  await answer(page, hand, guess, isChoices(mission.question));
  for (const [index, step] of mission.steps.entries()) {
    const current = page.locator('.steps > li').nth(index);
    const isDone = () => current.evaluate((item) => item.className === 'done');
    for (const [label, when] of presses[key]![index]!) {
      await until(`the time to press "${label}"`, () => when?.(viewer.model, () => false) ?? true);
      if (await isDone()) break;
      await hand.press(page, label as string);
    }
    await untilShown(`mission ${key}: ${step.text}`, isDone);
  }
  await page.getByRole('heading', { name: 'Why' }).waitFor();
  await answer(page, hand, mission.after.right, true);
  await page.getByText('Right: ').waitFor();
  // The rest of the page is the same for each mission.
  expect(await barriers(page, recordings.size === 0 ? 'html' : '.mission')).toEqual([]);
  await hand.write(page, '.mission .sheet input', 'Ada <b>');
  const paper = String(await saved(page, hand, 'save it for paper'));
  expect(paper).toContain('Ada &lt;b&gt;');
  expect(paper).toContain('This sheet is no proof.');
  const sheet = sheetIn(String(await saved(page, hand, 'save the result sheet')));
  const file = await saved(page, hand, 'save its recording');
  await expectProof(sheet, file);
  recordings.set(key, file);
  await hand.press(page, 'all missions');
  await page.keyboard.press('m');
  return sheet;
}

/** For a lab that has just started and has no other viewer; leaves it with its first scene. */
export function missionTests(place: () => Place): void {
  let page: Page;
  let viewer: LabViewer;
  const errors: string[] = [];

  beforeAll(async () => {
    const { browser, lab } = place();
    page = await browser.newPage({ ...CALM, acceptDownloads: true });
    page.setDefaultTimeout(PATIENCE);
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('console', (line) => {
      if (line.type() === 'error') errors.push(line.text());
    });
    await page.goto(lab.url);
    await page.locator('.stages').waitFor();
    viewer = await LabViewer.open(lab.port, `t.${lab.token}`);
  });
  afterAll(async () => {
    viewer?.[Symbol.dispose]();
    await page?.close();
    expect(errors).toEqual([]);
  });

  test('mission 1a, with the keyboard alone: client 2 waits for all of client 1; a wrong guess ends well', async () => {
    const sheet = await learnt(page, viewer, keyboard, '1a', 60);
    expect(sheet.predicted).toBe(60);
    // Three answers of 1 s, and its own.
    expect(sheet.measured).toBeGreaterThanOrEqual(4);
    expect(sheet.goals.map(({ id }) => id)).toEqual(['first-done', 'second-answered']);
    expect(sheet).toMatchObject({ name: 'Ada <b>', answered: 1, isReplay: false, seed: 7 });
  });

  test('the recording of mission 1a: its goals count at --replay, and in a file without a lab', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'mondo-mission-'));
    try {
      const [recording, file] = ['1a.mondolab', '1a.html'].map((name) => join(folder, name));
      writeFileSync(recording!, recordings.get('1a')!);
      const records = await unpack(new Uint8Array(recordings.get('1a')!));
      writeFileSync(file!, await staticPage(records, await pageFiles()));
      await using replay = await startLab('--replay', recording!);
      const play = async (url: string) => {
        const context = await place().browser.newContext({ ...CALM, acceptDownloads: true });
        const viewing = await context.newPage();
        viewing.setDefaultTimeout(PATIENCE);
        await viewing.goto(url);
        const sheet = await watched(viewing, '1a', 60);
        await context.close();
        return sheet;
      };
      const sheets = await Promise.all([replay.url, pathToFileURL(file!).href].map(play));
      for (const sheet of sheets) {
        expect(sheet).toMatchObject({ isReplay: true, recording: '', predicted: 60 });
        expect(sheet.goals.map(({ id }) => id)).toEqual(['first-done', 'second-answered']);
      }
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test('a vote counts hands with keys, and shows them only when it is revealed', async () => {
    await page.keyboard.press('1');
    await viewer.sees('the first scene', ({ setup }) => setup?.scene === scenes[0]!.name);
    const vote = votes.get(scenes[0]!.name)!;
    await page.getByRole('heading', { name: scenes[0]!.title }).waitFor();
    await page.keyboard.press('q');
    const dialog = page.getByRole('dialog', { name: vote.text });
    await dialog.waitFor();
    for (const key of ['b', 'b', 'a', 'b', 'Shift+B', 'c', 'Shift+C'])
      await page.keyboard.press(key);
    await dialog.getByText('3 hands, and the result is hidden').waitFor();
    expect(await dialog.locator('output').count()).toBe(0);
    expect(await barriers(page, 'dialog[open]')).toEqual([]);
    await page.keyboard.press('r');
    expect(await dialog.locator('output').allTextContents()).toEqual(['1', '2', '0', '0']);
    expect(await dialog.locator('li.right').textContent()).toContain(vote.choices[vote.right]);
    expect(await barriers(page, 'dialog[open]')).toEqual([]);
    await page.keyboard.press('q');
    await dialog.waitFor({ state: 'hidden' });
    expect(viewer.model.stages.every(({ attack }) => attack.name === '')).toBe(true);
  });
}
