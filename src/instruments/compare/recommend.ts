/**
 * What to choose: a headline, and a table row for each figure that led to it. Nothing is said that was not measured in this
 * run. First who is answered at all, then how fast, then at what cost: a server that answers a few connections
 * quickly and the others never has a high rate, too.
 */
import { several } from '../report/figures.ts';
import { differenceOf, type FigureName, type Findings, type Row } from './findings.ts';
import { type Condition, conditionKey, type Variant, variantKey } from './plan.ts';
import type { Run } from './result.ts';
import { mean } from './statistics.ts';
import { MIN_ROUNDS } from './verdict.ts';
import {
  conditionText,
  intervalText,
  listed,
  medianText,
  thinkText,
  unansweredText,
  verdictText,
} from './words.ts';

export interface Recommendation {
  /** Null where nothing can be recommended. */
  readonly choice: string | null;
  readonly headline: string;
  /** The figures that led to it. */
  readonly because: readonly Because[];
  /** Those that left connections unanswered, and when they may be chosen all the same. */
  readonly unless: readonly Unless[];
}

/** Which architecture did best in one figure under one condition, in words. */
interface Because {
  readonly condition: string;
  readonly figure: string;
  readonly best: string;
  readonly value: string;
  /** The next ones, each with the ratio to the best and its verdict. */
  readonly others: string;
}

interface Unless {
  readonly architecture: string;
  /** How many clients at a time it answers, and whether silent ones may be among them. */
  readonly onlyIf: string;
  readonly unanswered: string;
  /** Where it answered everybody, and more than the choice; '' if nowhere. */
  readonly faster: string;
}

export function recommendationOf(
  run: Pick<Run, 'plan' | 'cells'>,
  { rows, doubts }: Pick<Findings, 'rows' | 'doubts'>,
): Recommendation {
  const usable = rows.filter((row) => row.rounds >= MIN_ROUNDS);
  if (usable.length === 0) {
    const headline = `No recommendation: that takes ${MIN_ROUNDS} good rounds of a variant, and none has so many`;
    return { choice: null, headline, because: [], unless: [] };
  }
  const facts = new Facts(run, usable);
  const safe = facts.architectures.filter((name) => !facts.of(name).some(({ starves }) => starves));
  const unsafe = facts.architectures.filter((name) => !safe.includes(name));
  if (safe.length === 0) {
    return {
      choice: null,
      headline: 'None of these answered every connection under all conditions',
      because: [],
      unless: unsafe.map((name) => unlessOf(name, facts)),
    };
  }
  const conditions = facts.conditions.filter((condition) =>
    safe.some((name) => facts.at(condition, name) !== undefined),
  );
  const fastest = new Map(conditions.map((one) => [one, facts.fastest(one, safe)]));
  const times = (name: string) =>
    conditions.filter((one) => fastest.get(one)!.includes(name)).length;
  const heaviest = calmEnds(conditions).at(-1)!;
  const costOf = (name: string) =>
    facts.at(heaviest, name)?.levels.cpu?.median ?? Number.POSITIVE_INFINITY;
  /** Not shown to cost more than the choice. */
  const isLevel = (name: string) => {
    const [own, other] = [facts.at(heaviest, name), facts.at(heaviest, choice!)];
    if (own === undefined || other === undefined || own === other) return own === other;
    return facts.difference('cpu', own.variant, other.variant).verdict !== 'more';
  };
  const [choice] = safe.toSorted((a, b) => times(b) - times(a) || costOf(a) - costOf(b));
  const peers = safe.filter((name) => times(name) === times(choice!) && isLevel(name));
  const dearer = safe.filter((name) => times(name) === times(choice!) && !isLevel(name));
  const names = listed(peers, 'or');
  const apart = peers.length > 1 ? 'this run does not tell them apart; ' : '';
  const whom = unsafe.length > 0 ? 'of those that left no connection unanswered ' : '';
  const which = peers.length > 1 ? 'each' : 'it';
  const among = `was among the fastest under ${times(choice!)} of ${several(conditions.length, 'condition')}`;
  const cost =
    dearer.length > 0
      ? `, and an answer costs ${peers.length > 1 ? 'them' : 'it'} less than ${listed(dearer, 'or')}`
      : '';
  const trust = doubts.length > 0 ? '; parts of this run are not to be trusted, see there' : '';
  return {
    choice: choice!,
    headline: `Take ${names}: ${apart}${whom}${which} ${among}${cost}${trust}`,
    because: [
      ...calmEnds(conditions).flatMap((one) => becauseOf('rate', one, safe, facts)),
      ...becauseOf('cpu', heaviest, safe, facts),
      ...becauseOf('memory', heaviest, safe, facts),
    ],
    unless: unsafe.map((name) => unlessOf(name, facts, choice)),
  };
}

/** The rows of a run, by architecture and by condition, and what lies between two of them. */
class Facts {
  readonly #rows: readonly Row[];
  readonly #cells: ReadonlyMap<string, Run['cells']>;
  readonly conditions: readonly Condition[];
  readonly architectures: readonly string[];

  constructor({ plan, cells }: Pick<Run, 'plan' | 'cells'>, rows: readonly Row[]) {
    this.#rows = rows;
    this.#cells = Map.groupBy(cells, ({ variant }) => variantKey(variant));
    const measured = new Set(rows.map(({ variant }) => conditionKey(variant)));
    this.conditions = plan.conditions.filter((one) => measured.has(conditionKey(one)));
    this.architectures = plan.architectures.filter((name) => this.of(name).length > 0);
  }

  of(architecture: string): Row[] {
    return this.#rows.filter(({ variant }) => variant.architecture === architecture);
  }

  at(condition: Condition, architecture: string): Row | undefined {
    const key = conditionKey(condition);
    return this.of(architecture).find(({ variant }) => conditionKey(variant) === key);
  }

  difference(figure: FigureName, of: Variant, to: Variant) {
    const cellsOf = (variant: Variant) => this.#cells.get(variantKey(variant)) ?? [];
    return differenceOf(figure, of, to, cellsOf(of), cellsOf(to));
  }

  /**
   * By a figure, the least first; only those that have it. By its geometric mean, whose ratios are those that
   * are told with them: medians may stand in another order.
   */
  sorted(condition: Condition, names: readonly string[], figure: FigureName): Row[] {
    const centreOf = ({ variant }: Row) =>
      mean(
        (this.#cells.get(variantKey(variant)) ?? []).flatMap(({ state, figures }) => {
          const value = state === 'good' ? (figures?.[figure] ?? null) : null;
          return value === null ? [] : [Math.log(value)];
        }),
      );
    return names
      .map((name) => this.at(condition, name))
      .filter((row) => row !== undefined && row.levels[figure] !== null)
      .map((row) => row!)
      .sort((a, b) => centreOf(a) - centreOf(b));
  }

  /** The one that answered most, and all that are not shown to be slower. */
  fastest(condition: Condition, names: readonly string[]): string[] {
    const best = this.sorted(condition, names, 'rate').at(-1);
    if (best === undefined) return [];
    return names.filter((name) => {
      const row = this.at(condition, name);
      if (row === undefined) return false;
      return row === best || this.difference('rate', best.variant, row.variant).verdict !== 'more';
    });
  }
}

/** Without silent clients: the fewest and the most connections of each way of thinking. */
function calmEnds(conditions: readonly Condition[]): Condition[] {
  const calm = conditions.filter(({ silent }) => silent === 0);
  const ways = Map.groupBy(calm.length > 0 ? calm : conditions, thinkText);
  return [...ways.values()].flatMap((own) => {
    const sorted = own.toSorted((a, b) => a.connections - b.connections);
    return sorted.length > 1 ? [sorted[0]!, sorted.at(-1)!] : sorted;
  });
}

/** How many others are named beside the best. */
const NAMED = 3;

/** What is named of a figure. The highest rate is the best; of costs the lowest. */
const FIGURES = { rate: 'answers/s', cpu: 'CPU µs per answer', memory: 'MiB' } as const;

function becauseOf(
  figure: keyof typeof FIGURES,
  condition: Condition,
  names: readonly string[],
  facts: Facts,
): Because[] {
  const sorted = facts.sorted(condition, names, figure);
  const [best, ...others] = figure === 'rate' ? sorted.toReversed() : sorted;
  if (best === undefined) return [];
  const compared = others.slice(0, NAMED).map(({ variant }) => {
    const difference = facts.difference(figure, variant, best.variant);
    return `${variant.architecture} ${intervalText(difference.interval)} ${verdictText(difference)}`;
  });
  const isBound = figure === 'rate' && best.loadBound;
  return [
    {
      condition: conditionText(condition),
      figure: FIGURES[figure],
      best: best.variant.architecture,
      value: `${medianText(figure, best.levels[figure])}${isBound ? '+' : ''}`,
      others: compared.join('; '),
    },
  ];
}

/** For one that left connections unanswered: where it did, and how it does where it does not. */
function unlessOf(name: string, facts: Facts, choice?: string): Unless {
  const bad = facts.of(name).filter(({ starves }) => starves);
  const calm = bad
    .filter(({ variant }) => variant.silent === 0)
    .toSorted((a, b) => a.variant.connections - b.variant.connections)[0];
  const noisy = bad.find(({ variant }) => variant.silent > 0);
  const conditions: string[] = [];
  if (calm !== undefined) {
    const { connections } = calm.variant;
    const left = Math.round(calm.neverAnswered?.median ?? connections);
    conditions.push(`at most ${several(Math.max(1, connections - left), 'client')} at once`);
  }
  if (noisy !== undefined) conditions.push('no silent client');
  const proofs = [calm, noisy].filter((row) => row !== undefined);
  return {
    architecture: name,
    onlyIf: conditions.join(', '),
    unanswered: proofs
      .map((row) => {
        const beside = row.variant.silent > 0 ? ` beside ${row.variant.silent} silent` : '';
        return `${unansweredText(row)}${beside}`;
      })
      .join('; '),
    faster: choice === undefined ? '' : fasterText(name, choice, facts),
  };
}

/** Where it was faster than the choice and left nobody out. */
function fasterText(name: string, choice: string, facts: Facts): string {
  for (const row of facts.of(name).filter(({ starves }) => !starves)) {
    const other = facts.at(row.variant, choice);
    if (other === undefined) continue;
    const { verdict, interval } = facts.difference('rate', row.variant, other.variant);
    if (verdict !== 'more') continue;
    return `${intervalText(interval)} times ${choice} at ${conditionText(row.variant)}`;
  }
  return '';
}
