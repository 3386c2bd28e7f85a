/** Invented runs of a comparison, with figures from the test. */

import type { Comparison } from '../../src/instruments/compare/compare.ts';
import { findingsOf } from '../../src/instruments/compare/findings.ts';
import { orderOf } from '../../src/instruments/compare/order.ts';
import {
  type ComparePlan,
  type Condition,
  conditionsOf,
  defaultPlan,
  type Variant,
  variantsOf,
} from '../../src/instruments/compare/plan.ts';
import { recommendationOf } from '../../src/instruments/compare/recommend.ts';
import type { Cell, Figures } from '../../src/instruments/compare/result.ts';
import { randomOf } from '../../src/instruments/load/random.ts';
import type { Environment } from '../../src/instruments/load/result.ts';

const environment: Environment = {
  platform: 'linux x64',
  kernel: '6.18.0',
  cpu: 'a processor',
  cores: 2,
  node: 'v26.0.0',
  mondo: '0.1.0',
  engine: 'uring',
  descriptorLimit: 4096,
  somaxconn: 4096,
};

export const calm = (...connections: number[]): Condition[] =>
  conditionsOf({ connections, think: [0], thinkHow: ['block'], silent: [0] });

export const planWith = (given: Partial<ComparePlan>): ComparePlan => ({
  ...defaultPlan,
  architectures: ['epoll', 'uring'],
  conditions: calm(64),
  ...given,
});

const ordinary: Figures = {
  rate: 100_000,
  p50: 0.5,
  p99: 1,
  cpu: 7,
  switches: 0.01,
  memory: 100 * 2 ** 20,
  connections: 64,
  neverAnswered: 0,
  mostAnswers: 2000,
  fairness: 1,
  answers: 100_000,
  troubles: {},
  serverCores: 0.9,
  loadCpu: 0.7,
  othersCpu: 0.02,
};

/** Differences from the usual figures of a variant, or why a cell is not good. */
export type Said = (
  variant: Variant,
  round: number,
) => Partial<Figures> | Pick<Cell, 'state' | 'reasons' | 'figures'>;

/** @param noise variation of the figures between rounds: 0.02 is about 2 % */
export function madeUp(
  given: Partial<ComparePlan>,
  said: Said = () => ({}),
  noise = 0.02,
): Comparison {
  const plan = planWith(given);
  const random = randomOf(99);
  const shaken = (value: number | null) =>
    value === null ? null : value * Math.exp(noise * (2 * random() - 1));
  const cells: Cell[] = [];
  for (let round = 1; round <= plan.rounds; round++) {
    for (const variant of orderOf(variantsOf(plan), round, plan.seed)) {
      const what = said(variant, round);
      if ('state' in what) {
        cells.push({ variant, round, ...what });
        continue;
      }
      const figures = { ...ordinary, connections: variant.connections, ...what };
      cells.push({
        variant,
        round,
        state: 'good',
        reasons: [],
        figures: {
          ...figures,
          rate: shaken(figures.rate)!,
          p50: shaken(figures.p50),
          p99: shaken(figures.p99),
          cpu: shaken(figures.cpu),
          switches: shaken(figures.switches),
          memory: shaken(figures.memory),
        },
      });
    }
  }
  const run = {
    startedAt: Date.UTC(2026, 0, 2, 3, 4, 5),
    seconds: 120,
    plan,
    environment,
    cores: { server: [0], load: [1] },
    load: [0.1, 1.2] as const,
    end: 'done' as const,
    planned: cells.length,
    cells,
    left: [],
  };
  const findings = findingsOf(run);
  return {
    schema: 'mondo-compare-1',
    ...run,
    findings,
    recommendation: recommendationOf(run, findings),
  };
}

/** Four architectures as in `--quick`: one client at a time, a pool of four, and two loops. */
export const aWorld: Said = ({ architecture, connections, silent }) => {
  const served = { single: 1, threaded: 4 }[architecture];
  const scale = connections === 1 ? 0.2 : 1;
  if (served === undefined) {
    const isUring = architecture === 'uring';
    return { rate: scale * (isUring ? 130_000 : 100_000), cpu: isUring ? 6 : 7.5 };
  }
  if (silent >= served) {
    return {
      rate: 0,
      p50: null,
      p99: null,
      cpu: null,
      switches: null,
      neverAnswered: connections,
      fairness: null,
      answers: 0,
    };
  }
  return {
    rate: architecture === 'single' ? 20_000 : scale * 80_000,
    cpu: 11,
    switches: 1,
    neverAnswered: Math.max(0, connections - served),
    fairness: Math.min(1, served / connections),
  };
};
