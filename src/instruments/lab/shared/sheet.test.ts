import fc from 'fast-check';
import { expect, test } from 'vitest';
import { labHeader } from '../../../../test/support/lab-recording.ts';
import { idleLanes, LabRun, served } from '../../../../test/support/lab-run.ts';
import { answer } from './mission.ts';
import { missionOf } from './missions.ts';
import { type Sheet, sheetOf, sheetPage, sheetText } from './sheet.ts';
import { SheetError, sheetIn } from './sheet-reader.ts';

const ids = Array.from({ length: 54 }, (_, index) => index + 1);
const about = { name: 'Ada', started: 1_800_000_000_000, isReplay: false, recording: '' };

/** The sheet of mission 7, played to its end. */
function playedSheet(over: Partial<typeof about> = {}): Sheet {
  const run = new LabRun(missionOf('7')!, 200);
  const stage = { light: 'green', clients: served(ids), lanes: idleLanes(1) } as const;
  run.show(3500, stage, stage);
  return sheetOf(answer(run.progress, 2), { ...about, ...over })!;
}
const sheet = playedSheet();
const changed = (changes: Record<string, unknown>) => JSON.stringify({ ...sheet, ...changes });

test('a sheet has the prediction, what was measured, and when each goal was reached', () => {
  expect(sheet).toMatchObject({
    mission: '7',
    seed: 7,
    predicted: 200,
    measured: 55,
    answered: 2,
    machine: labHeader.machine,
  });
  expect(sheet.goals.map(({ id }) => id)).toEqual(['all-asked', 'both-stand']);
  expect(sheet.took).toBe(sheet.goals.at(-1)!.at);
  expect(sheet.link).toMatch(/^#\/s\?a=asyncore,poll&/);
});

test('without a prediction there is no sheet', () => {
  expect(sheetOf(new LabRun(missionOf('7')!, Number.NaN).progress, about)).toBeUndefined();
});

test('a sheet that is written and read is the same', () => {
  expect(sheetIn(sheetText(sheet))).toEqual(sheet);
  const left = new LabRun(missionOf('1b')!, 0);
  left.show(300, {});
  const early = sheetOf(left.progress, { ...about, isReplay: true, recording: 'a'.repeat(64) })!;
  expect(early).toMatchObject({ measured: -1, answered: -1, goals: [], took: 0 });
  expect(sheetIn(sheetText(early))).toEqual(early);
});

test('what a sheet has besides is left out', () => {
  const read = sheetIn(changed({ grade: 'A', __proto__: { a: 1 } }));
  expect(read).toEqual(sheet);
  const machine = { ...sheet.machine, toString: 'x' };
  expect(sheetIn(changed({ machine }))).toEqual(sheet);
});

test.each<[string, string]>([
  ['', 'no JSON'],
  ['[]', 'an object'],
  ['null', 'an object'],
  [changed({ format: 'mondolab' }), 'format is "mondolab"'],
  [changed({ version: 2 }), 'version is 2; it must be 1'],
  [changed({ mission: '__proto__' }), 'a mission of this Mondo'],
  [changed({ mission: '1b' }), 'must be'],
  [changed({ predicted: -1 }), 'predicted is -1'],
  [changed({ predicted: 10_001 }), 'an answer to the question'],
  [changed({ predicted: null }), 'predicted is null'],
  [changed({ measured: '55' }), 'measured is "55"'],
  [changed({ answered: 4 }), 'an answer to the question'],
  [changed({ answered: 0.5 }), 'an answer to the question'],
  [changed({ name: 'x'.repeat(121) }), 'at most 120 characters'],
  [changed({ link: 'javascript:alert(1)' }), 'the link of its mission'],
  [changed({ recording: '../../etc/passwd' }), 'a SHA-256'],
  [changed({ goals: [{ id: 'forty-threads', at: 1 }] }), 'a goal of its mission'],
  [changed({ goals: [...sheet.goals, sheet.goals[0]] }), 'at most 2'],
  [changed({ goals: [sheet.goals[0], sheet.goals[0]] }), 'once'],
  [changed({ goals: sheet.goals.toReversed() }), 'goals[1].at'],
  [changed({ goals: [{ id: 'both-stand', at: -1 }] }), 'goals[0].at'],
  [changed({ took: 1e12 }), 'took'],
  [changed({ machine: { kernel: 'x', cpus: 0, node: 'y' } }), 'machine.cpus'],
  [changed({ isReplay: 1 }), 'true or false'],
  [' '.repeat(70_000), 'too long'],
])('the sheet %.60j is refused', (text, message) => {
  expect(() => sheetIn(text)).toThrow(SheetError);
  expect(() => sheetIn(text)).toThrow(message);
});

test('any text is a sheet or refused in one line', () => {
  const parts = fc.dictionary(fc.constantFrom(...Object.keys(sheet)), fc.jsonValue());
  fc.assert(
    fc.property(parts, (changes) => {
      try {
        const read = sheetIn(changed(changes));
        sheetPage(read, missionOf(read.mission)!);
      } catch (error) {
        expect(error).toBeInstanceOf(SheetError);
        expect((error as Error).message).not.toContain('\n');
      }
    }),
  );
});

test('the page for paper has all of it, loads nothing, and says that it is no proof', () => {
  const hostile = '</td><script>alert(1)</script>\u001b[2J';
  const page = sheetPage(
    { ...sheet, name: hostile, mondo: '<img onerror=x>' },
    missionOf(sheet.mission)!,
  ).text;
  expect(page).toContain('&lt;/td&gt;&lt;script&gt;');
  expect(page).not.toMatch(/<script|<img|<link|src=|href=/);
  expect(page).not.toContain('\u001b');
  expect(page).toContain('200 sockets');
  expect(page).toContain('55 sockets (the prediction was not close)');
  expect(page).toContain('C: wait for one client (right)');
  expect(page).toContain('2 of 2');
  expect(page).toContain('This sheet is no proof.');
});
