/** The findings as tables, one for each condition, for the terminal and the report. */

import { outcomeWords } from '../load/words.ts';
import { several } from '../report/figures.ts';
import type { Table } from '../report/table.ts';
import type { Against } from './against.ts';
import type { Difference, FigureName, Findings, Row } from './findings.ts';
import { type Condition, conditionKey, variantKey } from './plan.ts';
import type { Recommendation } from './recommend.ts';
import type { Run } from './result.ts';
import { isDisturbed } from './verdict.ts';
import {
  conditionText,
  intervalText,
  listed,
  medianText,
  unansweredText,
  verdictText,
} from './words.ts';

type Found = Pick<Run, 'plan' | 'cells' | 'left' | 'end'> & { readonly findings: Findings };

/** One table for each condition. */
export function tablesOf(found: Found): Table[] {
  const { plan, findings } = found;
  const differences = new Map(
    findings.differences.map((one) => [`${one.figure} ${variantKey(one.of)}`, one]),
  );
  return plan.conditions.flatMap((condition) => {
    const rows = findings.rows.filter(
      ({ variant }) => conditionKey(variant) === conditionKey(condition),
    );
    if (rows.length === 0) return [];
    const against = (row: Row, figure: FigureName) => {
      const isReference = row.variant.architecture === plan.reference;
      const difference = differences.get(`${figure} ${variantKey(row.variant)}`);
      return isReference ? '1' : differenceText(difference);
    };
    const head = headOf(plan.reference);
    return [
      {
        caption: conditionText(condition),
        align: 'lrllrrrrlrr',
        head,
        rows: rows.map((row) => [
          row.variant.architecture + markOf(row),
          rateText(row),
          against(row, 'rate'),
          unansweredText(row),
          row.fairness === null ? '–' : row.fairness.median.toFixed(2),
          medianText('p50', row.levels.p50),
          medianText('p99', row.levels.p99),
          medianText('cpu', row.levels.cpu),
          against(row, 'cpu'),
          medianText('switches', row.levels.switches),
          medianText('memory', row.levels.memory),
        ]),
      },
    ];
  });
}

const headOf = (reference: string): string[] => [
  'architecture',
  'answers/s',
  `times ${reference}`,
  'unanswered',
  'fairness',
  'p50 ms',
  'p99 ms',
  'CPU µs',
  `times ${reference}`,
  'switches',
  'MiB',
];

const rateText = (row: Row) => `${medianText('rate', row.levels.rate)}${row.loadBound ? '+' : ''}`;

/** `1.31 [1.22, 1.40] faster` */
function differenceText(difference: Difference | undefined): string {
  if (difference === undefined || difference.interval === null) return '–';
  const { interval } = difference;
  if (interval.ratio === 0) return verdictText(difference);
  return `${intervalText(interval)} ${verdictText(difference)}`.trimEnd();
}

/** Marks a variant if its figures leave out some rounds. */
const markOf = ({ rounds, measured }: Row): string => (rounds < measured ? '!' : '');

/**
 * Tables for the recommendation: the reasons, and when one may choose another architecture. Empty
 * ones are omitted.
 */
export function recommendationTables({ because, unless }: Recommendation): Table[] {
  return [
    {
      caption:
        'Why: the best of those that left no connection unanswered, and the next ones in ratio to it',
      head: ['condition', 'figure', 'best', 'value', 'others, times the best'],
      align: 'lllrl',
      rows: because.map(({ condition, figure, best, value, others }) => [
        ...[condition, figure, best, value, others],
      ]),
    },
    {
      caption: 'Choose another only if these conditions always hold',
      head: ['architecture', 'only with', 'never answered otherwise', 'faster then'],
      rows: unless.map(({ architecture, onlyIf, unanswered, faster }) => [
        ...[architecture, onlyIf, unanswered, faster],
      ]),
    },
  ].filter(({ rows }) => rows.length > 0);
}

/**
 * The effect of silent clients on each architecture, one table for each condition with silent
 * clients.
 */
export function silenceTables({ plan, findings }: Found): Table[] {
  return plan.conditions.flatMap((condition) => {
    const key = conditionKey(condition);
    const rows = findings.rows.filter(({ variant }) => conditionKey(variant) === key);
    const effectOf = (row: Row, figure: FigureName) =>
      findings.silence.find(
        (one) => one.figure === figure && variantKey(one.of) === variantKey(row.variant),
      );
    const known = rows.filter((row) => effectOf(row, 'rate') !== undefined);
    if (known.length === 0) return [];
    return [
      {
        caption: `${conditionText(condition)}: times the same load without silent clients`,
        head: ['architecture', 'unanswered', 'answers/s', 'p99', 'CPU'],
        rows: known.map((row) => [
          `${row.variant.architecture}${markOf(row)}`,
          unansweredText(row),
          ...(['rate', 'p99', 'cpu'] as const).map((figure) =>
            differenceText(effectOf(row, figure)),
          ),
        ]),
      },
    ];
  });
}

/** Notes on the signs that occur in the tables, and on variants that did not run. */
export function notesOf(found: Found): string[] {
  const { findings, left, cells } = found;
  const has = (test: (row: Row) => boolean) => findings.rows.some(test);
  const bad = cells.filter(({ state }) => state !== 'good');
  const reasons = Map.groupBy(
    bad.flatMap(({ reasons: own, variant }) => own.map((reason) => ({ reason, variant }))),
    ({ reason }) => reason,
  );
  return [
    `Figures are medians of ${several(roundsOf(cells), 'round')}${found.end === 'out of time' ? `, as many as there was time for` : ''}; ratios have their 95 % interval, from one pair for each round. faster, costlier: the whole interval lies 5 % or more beyond 1, and the ratio 10 % or more and far from 1 compared with the spread of the rounds; no difference: the whole interval is within 10 %; unclear: neither`,
    'unanswered: connections that asked and were never answered; fairness: 1 all connections alike, 1/n one of n has all (Jain); CPU µs: on a processor per answer, of all of the server; switches: context switches per answer; MiB: memory of all its processes (PSS: shared pages count once)',
    ...disturbedNote(cells, [...findings.differences, ...findings.silence]),
    ...(has(({ loadBound }) => loadBound)
      ? [
          '+ the load used its core to the full: the server may be faster than that; its CPU µs say more',
        ]
      : []),
    ...(has(({ neverAnswered, starves }) => (neverAnswered?.median ?? 0) > 0 && !starves)
      ? [
          '? the time was too short for every connection to have its turn: give more --seconds to see whether it comes',
        ]
      : []),
    ...(has(({ rounds, measured }) => rounds < measured)
      ? ['! some rounds are not in these figures, as they are not to be trusted:']
      : []),
    ...[...reasons].map(
      ([reason, own]) =>
        `! ${own.length} times, such as ${variantText(own[0]!.variant)}: ${reason}`,
    ),
    ...troubleText(findings),
    ...leftText(left),
  ];
}

/** Why differences are not claimed, or which rounds do not count for them. */
function disturbedNote(cells: Run['cells'], all: readonly Difference[]): string[] {
  const figures = cells.flatMap(({ figures: own }) => (own === null ? [] : [own]));
  const bad = figures.filter(isDisturbed);
  if (bad.length === 0) return [];
  const many = `Other programs used a quarter or more of the processors during ${bad.length} of ${several(figures.length, 'measurement')}`;
  return [
    all.some(({ verdict }) => verdict === 'disturbed')
      ? `machine busy: ${many}, and too few others are left to claim a difference from; end those programs and measure again`
      : `${many}; no difference is claimed from these`,
  ];
}

/**
 * Outcomes that are normal in a closed loop: the end of the run cuts off the last questions, and a
 * late answer is an answer.
 */
const ORDINARY = ['neverServed', 'late'];

function troubleText({ rows }: Findings): string[] {
  return rows.flatMap(({ variant, troubles }) => {
    const told = outcomeWords
      .filter(([name]) => !ORDINARY.includes(name) && (troubles[name] ?? 0) > 0)
      .map(([name, , meaning]) => `${meaning}, ${troubles[name]} times`);
    return told.length > 0 ? [`${variantText(variant)}: ${told.join('; ')}`] : [];
  });
}

const variantText = (variant: Condition & { readonly architecture: string }) =>
  `${variant.architecture} at ${conditionText(variant)}`;

/** Number of rounds that were begun. */
export const roundsOf = (cells: Run['cells']): number =>
  cells.reduce((most, { round }) => Math.max(most, round), 0);

/** Each reason once, with its architectures and the first condition. */
function leftText(left: Run['left']): string[] {
  const groups = Map.groupBy(left, ({ why }) => why);
  return [...groups].map(([why, own]) => {
    const names = [...new Set(own.map(({ variant }) => variant.architecture))];
    const places = new Set(own.map(({ variant }) => conditionKey(variant)));
    const more =
      places.size > 1
        ? ` and under ${several(places.size - 1, 'more condition', 'more conditions')}`
        : '';
    return `Not run: ${listed(names)} at ${conditionText(own[0]!.variant)}${more}: ${why}`;
  });
}

/** Notes on the comparison with a stored run, besides its table. */
export const againstNotes = ({ changes, starving, notes, unmatched }: Against): string[] => [
  ...starving.map(
    (variant) => `REGRESSION: ${variantText(variant)} now leaves connections unanswered`,
  ),
  ...(unmatched > 0
    ? [
        `${several(unmatched, 'variant')} of the two runs ${unmatched === 1 ? 'has' : 'have'} no counterpart in the other`,
      ]
    : []),
  ...unclearNote(changes),
  ...notes,
];

/** Says that a figure that is unclear, or was disturbed, may hide a change. */
function unclearNote(changes: Against['changes']): string[] {
  const notes = [
    ['unclear', 'are unclear: a change of 10 % or more may be in them; more --rounds would tell'],
    [
      'disturbed',
      'were measured on a busy machine and are not judged; end other programs and measure again',
    ],
  ] as const;
  return notes.flatMap(([kind, text]) => {
    const open = changes.filter(({ verdict, interval }) => verdict === kind && interval !== null);
    return open.length === 0
      ? []
      : [`${open.length} of ${several(changes.length, 'figure')} ${text}`];
  });
}

/** The ratios of this run to a stored one. */
export function againstTable({ changes, storedAt }: Against): Table {
  return {
    caption: `Now over then (${new Date(storedAt).toISOString().slice(0, 16).replace('T', ' ')} UTC): ratios`,
    head: ['architecture', 'with', 'answers/s', 'p99', 'CPU', ''],
    rows: [...Map.groupBy(changes, ({ variant }) => variantKey(variant)).values()].map((own) => {
      const { variant } = own[0]!;
      const worse = own.filter(({ isRegression }) => isRegression);
      return [
        variant.architecture,
        conditionText(variant),
        ...(['rate', 'p99', 'cpu'] as const).map((figure) => {
          const change = own.find((one) => one.figure === figure);
          return differenceText(change && { ...change, of: variant, to: variant });
        }),
        worse.length > 0 ? 'REGRESSION' : '',
      ];
    }),
  };
}
