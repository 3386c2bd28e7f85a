import { describe, expect, it } from 'vitest';
import { planWith } from '../../../test/support/comparison.ts';
import { type Made, runOf } from '../../../test/support/load-runs.ts';
import { measuredSeconds, warmUpSeconds } from '../load/plan.ts';
import { cellOf, loadPlanOf } from './measure.ts';
import type { Variant } from './plan.ts';

const variant: Variant = {
  architecture: 'epoll',
  connections: 8,
  think: 5,
  thinkHow: 'block',
  silent: 2,
};
const answers = [
  { connection: 0, second: 0, service: 1, response: 1 },
  { connection: 1, second: 1, service: 2, response: 2 },
];
const cell = (made: Made, held = 2, samples = answers) =>
  cellOf(variant, 1, runOf(samples, made).result, held);

describe('loadPlanOf', () => {
  it('is a closed loop on the started server, for the time of the comparison', () => {
    const plan = loadPlanOf(variant, planWith({ seconds: 2, warmUp: 0.5 }), 4711, 99);
    expect(plan).toMatchObject({ loop: 'closed', port: 4711, pid: 99, connections: 8, think: 0 });
    expect([warmUpSeconds(plan), measuredSeconds(plan)]).toEqual([0.5, 2]);
    expect(loadPlanOf(variant, planWith({ warmUp: 0 }), 1, 1).stages).toHaveLength(1);
  });
});

describe('cellOf', () => {
  it('copies the figures of the load', () => {
    const { state, reasons, figures } = cell({});
    expect([state, reasons]).toEqual(['good', []]);
    expect(figures).toMatchObject({ answers: 2, connections: 8 });
    expect(figures!.rate).toBeCloseTo(2 / 3, 5);
  });

  it('is doubtful if the load is not trusted, or if silent clients left', () => {
    const late = { trusted: false, reasons: ['Late'] };
    expect(cell({ validity: late })).toMatchObject({ state: 'doubtful', reasons: ['Late'] });
    expect(cell({}, 1)).toMatchObject({
      state: 'doubtful',
      reasons: ['Only 1 of 2 silent clients stayed connected to the end'],
    });
  });

  it('is wrong if answers were wrong', () => {
    expect(cell({ outcomes: { wrong: 2, extraBytes: 1 } })).toMatchObject({
      state: 'wrong',
      reasons: ['3 answers were not as expected'],
    });
  });

  it('is good if connections asked and got no answer', () => {
    const none = { trusted: false, reasons: ['There was not one right answer'] };
    const silenced = cell({ outcomes: { neverServed: 8 }, validity: none }, 2, []);
    expect(silenced.state).toBe('good');
    expect(silenced.figures).toMatchObject({ rate: 0, p50: null, p99: null });
    expect(cell({ outcomes: { refused: 8 }, validity: none }, 2, []).state).toBe('doubtful');
    const noPorts = { outcomes: { neverServed: 8, noPorts: 8 }, validity: none };
    expect(cell(noPorts, 2, []).state).toBe('doubtful');
    // Bytes that make no answer are not silence: the framing may be wrong.
    const { result } = runOf([], { outcomes: { timedOut: 8 }, validity: none });
    const noisy = { ...result, totals: { ...result.totals, bytesReceived: 80 } };
    expect(cellOf(variant, 1, noisy, 2).state).toBe('doubtful');
  });
});
