// From measurements to tables: medians over the rounds, ratios taken pair by pair within a round,
// plain text out.

import { reference } from './contestants.ts';
import { type Goal, reaches } from './goals.ts';
import type { Measurement, Scenario } from './scenarios.ts';

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** The spread of the values, as a share of their median. */
function spread(values: readonly number[]): number {
  return (Math.max(...values) - Math.min(...values)) / median(values);
}

type Value = (measurement: Measurement) => number | undefined;

/**
 * The median of the ratios between two contestants. Each ratio is taken within one round, in which the machine
 * was in the same condition.
 */
function ratio(mine: readonly Measurement[], others: readonly Measurement[], value: Value) {
  const ratios = mine.flatMap((measurement) => {
    const other = others.find(({ round }) => round === measurement.round);
    const above = value(measurement);
    const below = other === undefined ? undefined : value(other);
    return above === undefined || below === undefined ? [] : [above / below];
  });
  return ratios.length === 0 ? undefined : median(ratios);
}

export function scenarioTable(scenario: Scenario, measurements: readonly Measurement[]): string {
  const here = measurements.filter((measurement) => measurement.scenario === scenario.name);
  const groups = Map.groupBy(here, ({ contestant }) => contestant);
  const base = groups.get(reference) ?? [];
  const talks = [
    ['contestant', 'questions/s', 'ratio', 'p50 µs', 'p99 µs', 'ratio', 'p99.9 µs'],
    ['CPU µs/q', 'ratio', 'spread', 'user', 'system', 'switches/q', 'busy: server', 'load'],
  ].flat();
  const head = scenario.idle === undefined ? talks : [...talks, 'KiB/idle', 'kept'];
  const rows = [...groups].map(([name, group]) => {
    const middle = (value: Value) => median(group.flatMap((each) => value(each) ?? []));
    const against = (value: Value) => fixed(ratio(group, base, value), 2);
    const split = userAndSystem(group);
    const row = [
      name,
      grouped(middle(({ rate }) => rate)),
      against(({ rate }) => rate),
      grouped(middle(({ p50 }) => p50)),
      grouped(middle(({ p99 }) => p99)),
      against(({ p99 }) => p99),
      grouped(middle(({ p999 }) => p999)),
      fixed(
        middle(({ cpu }) => cpu),
        2,
      ),
      against(({ cpu }) => cpu),
      percent(spread(group.map(({ cpu }) => cpu))),
      fixed(split.user, 2),
      fixed(split.system, 2),
      fixed(
        middle(({ switches }) => switches),
        3,
      ),
      percent(middle(({ serverBusy }) => serverBusy)),
      percent(middle(({ loadBusy }) => loadBusy)),
    ];
    if (scenario.idle === undefined) return row;
    const kept = middle((each) => each.kept);
    return [
      ...row,
      fixed(
        middle((each) => each.memory),
        2,
      ),
      fixed(kept, 2),
    ];
  });
  return [`${scenario.name}: ${scenario.title}`, ...table(head, rows)].join('\n');
}

export function startupTable(measurements: readonly Measurement[]): string {
  const groups = Map.groupBy(measurements, ({ contestant }) => contestant);
  const rows = [...groups].map(([name, group]) => {
    const seconds = group.map(({ startup }) => startup);
    return [name, fixed(median(seconds), 3), fixed(Math.min(...seconds), 3), String(group.length)];
  });
  const head = ['contestant', 'median s', 'least s', 'starts'];
  return ['startup: from launch to the first answer', ...table(head, rows)].join('\n');
}

/** The goals whose contestants took part; empty if there are none. */
export function goalTable(goals: readonly Goal[], measurements: readonly Measurement[]): string {
  const rows = goals.flatMap((goal) => {
    const value = figureOf(goal, measurements);
    if (value === undefined || Number.isNaN(value)) return [];
    let verdict = 'missed';
    if (reaches(goal.figure, value, goal.reach)) verdict = 'reached';
    if (goal.beyond !== undefined && reaches(goal.figure, value, goal.beyond)) verdict = 'beyond';
    const { contestant, scenario, figure, against } = goal;
    const what = isRatio(goal) ? `${figure} against ${against}` : (units.get(figure) ?? figure);
    const wanted = [fixed(goal.reach, 2), fixed(goal.beyond, 2)];
    return [[`${contestant}, ${scenario}`, what, fixed(value, 2), ...wanted, verdict]];
  });
  if (rows.length === 0) return '';
  const head = ['goal', 'figure', 'measured', 'to reach', 'beyond', ''];
  return ['goals', ...table(head, rows)].join('\n');
}

const units = new Map([
  ['user', 'user µs per question'],
  ['memory', 'KiB per idle connection'],
  ['kept', 'questions/s against without idle'],
  ['startup', 'seconds to the first answer'],
]);

function isRatio({ figure }: Goal): boolean {
  return figure === 'cpu' || figure === 'rate' || figure === 'p99';
}

function figureOf(goal: Goal, measurements: readonly Measurement[]): number | undefined {
  const of = (contestant: string) =>
    measurements.filter(
      (each) =>
        each.contestant === contestant &&
        (goal.figure === 'startup' || each.scenario === goal.scenario),
    );
  const mine = of(goal.contestant);
  if (mine.length === 0) return undefined;
  switch (goal.figure) {
    case 'cpu':
    case 'rate':
    case 'p99': {
      const { figure } = goal;
      return ratio(mine, of(goal.against), (each) => each[figure]);
    }
    case 'user':
      return userAndSystem(mine).user;
    case 'memory':
    case 'kept':
    case 'startup': {
      const { figure } = goal;
      return median(mine.flatMap((each) => each[figure] ?? []));
    }
  }
}

// Clock ticks are too coarse for one round, so all rounds are added up. They only divide the precise total,
// because a tick counts in full for the process that runs when it occurs.
function userAndSystem(group: readonly Measurement[]): { user: number; system: number } {
  const sum = (value: (each: Measurement) => number) =>
    group.reduce((total, each) => total + value(each), 0);
  const user = sum((each) => each.user);
  const system = sum((each) => each.system);
  const cpu = sum((each) => each.cpu * each.answers) / sum((each) => each.answers);
  return { user: (cpu * user) / (user + system), system: (cpu * system) / (user + system) };
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('  ')
      .trimEnd(),
  );
}

function fixed(value: number | undefined, digits: number): string {
  return value === undefined || Number.isNaN(value)
    ? '–'
    : value.toFixed(digits).replace(/^-(0\.0+)$/, '$1');
}

function grouped(value: number): string {
  return Number.isNaN(value) ? '–' : Math.round(value).toLocaleString('en-GB');
}

function percent(share: number): string {
  return Number.isNaN(share) ? '–' : `${Math.round(share * 100)} %`;
}
