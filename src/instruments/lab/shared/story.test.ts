import { expect, test } from 'vitest';
import { labHeader, labRecording } from '../../../../test/support/lab-recording.ts';
import { reasons } from '../../../worker/reasons.ts';
import { EVENT, type LabRecord } from './records.ts';
import { storyOf } from './story.ts';

test('a story has the events of one client of one stage, in order', () => {
  expect(storyOf(labRecording(), 0, 1)).toEqual([
    { t: 10, text: 'connects' },
    { t: 11, text: 'is connected, and waits until the server accepts it' },
    { t: 12, text: 'is accepted, by the thread of row 0' },
  ]);
  expect(storyOf(labRecording(), 0, 2).map(({ text }) => text)).toHaveLength(2);
  const answered = storyOf(labRecording(), 1, 2);
  expect(answered.slice(3, 5).map(({ text }) => text)).toEqual([
    'has asked, with 22 bytes',
    'has its answer, after 50 ms',
  ]);
  expect(answered.at(-1)!.t).toBe(11_950);
});

test('each kind of event has words of its own, and a limit its name', () => {
  const frame = (kind: number, extra: number): LabRecord => ({
    ...{ k: 'f', s: 0, t: 1 },
    e: [0, 1, kind, -1, extra],
  });
  const texts = Object.values(EVENT).map((kind) => storyOf([frame(kind, 0)], 0, 1)[0]!.text);
  expect(new Set(texts).size).toBe(texts.length);
  const idle = reasons.indexOf('idle');
  expect(storyOf([frame(EVENT.limited, idle)], 0, 1)[0]!.text).toContain('limit idle');
});

test('another server begins the story anew, and other stages go on', () => {
  const again: LabRecord = { k: 's', t: 12_000, s: 0, setup: labHeader.setup };
  const records = [...labRecording(), again];
  expect(storyOf(records, 0, 1)).toEqual([]);
  expect(storyOf(records, 1, 1)).toHaveLength(3);
});
