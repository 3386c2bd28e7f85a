import { expect, test } from 'vitest';
import { labRecording } from '../../../../test/support/lab-recording.ts';
import { until } from '../../../../test/support/until.ts';
import { Replay } from './replay.ts';

test('a mission that began an hour after its lab is played at once', async () => {
  const hour = 3_600_000;
  const records = labRecording().map((record) =>
    record.k === 'h' ? record : { ...record, t: record.t + hour },
  );
  const told: string[] = [];
  const known = { architectures: [], attacks: [], stages: 2 };
  const listener = { lines: (lines: readonly string[]) => told.push(...lines), fault: () => {} };
  const replay = new Replay(records, known, listener);
  replay.watched(1);
  await until('the first frames', () => told.length > 3);
  // It keeps the pace of the rest.
  expect(told.length).toBeLessThan(records.length);
  await replay.close();
});
