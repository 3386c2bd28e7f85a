import { expect, test } from 'vitest';
import { reasons } from '../../../worker/scoreboard.ts';
import { REASONS } from '../shared/records.ts';

test('records name the reasons that servers count', () => {
  expect(REASONS).toEqual(reasons);
});
