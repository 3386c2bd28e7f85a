/**
 * Recommends an architecture: a headline, and a table row for each figure that led to it. It uses
 * only measurements of this run. The first criterion is whether all connections are answered, then
 * speed, then cost. A server that answers a few connections fast and starves the others has a high
 * rate, too.
 */
import { several } from '../report/figures.ts';
import { differenceOf, type FigureName, type Findings, type Row } from './findings.ts';
import { type Condition, conditionKey, type Variant, variantKey } from './plan.ts';
import type { Run } from './result.ts';
import { mean } from './statistics.ts';
import { isDisturbed, MIN_ROUNDS } from './verdict.ts';
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
  /** Null if there is nothing to recommend. */
  readonly choice: string | null;
  readonly headline: string;
  /** The figures that led to the choice. */
  readonly because: readonly Because[];
  /** Architectures that left connections unanswered, and when one may choose them anyway. */
  readonly unless: readonly Unless[];
}

/** The best architecture for one figure under one condition, in words. */
interface Because {
  readonly condition: string;
  readonly figure: string;
  readonly best: string;
  readonly value: string;
  /** The next ones, each with its ratio to the best and its verdict. */
  readonly others: string;
}

interface Unless {
  readonly architecture: string;
  /** How many clients at once it answers, and whether silent ones may be among them. */
  readonly onlyIf: string;
  readonly unanswered: string;
  /** Where it answered every connection, and faster than the choice; '' if nowhere. */
  readonly faster: string;
}

export function recommendationOf(
  run: Pick<Run, 'plan' | 'cells'>,
  { rows, doubts }: Pick<Findings, 'rows' | 'doubts'>,
): Recommendation {
  const usable = rows.filter((row) => row.rounds >= MIN_ROUNDS);
  if (usable.length === 0) {
    const headline = `No recommendation: it needs ${MIN_ROUNDS} good rounds of a variant, and none has that many`;
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
  /** True if it does not provably cost more than the choice. */
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
  const ofSafe = unsafe.length > 0 ? 'of those that left no connection unanswered ' : '';
  const which = peers.length > 1 ? 'each' : 'it';
  const among = `was among the fastest under ${times(choice!)} of ${several(conditions.length, 'condition')}`;
  const cost =
    dearer.length > 0
      ? `, and an answer costs ${peers.length > 1 ? 'them' : 'it'} less than ${listed(dearer, 'or')}`
      : '';
  const busy = isBusy(run) ? '; other programs kept this machine busy, so measure again' : '';
  const trust = doubts.length > 0 ? '; parts of this run cannot be trusted' : '';
  return {
    choice: choice!,
    headline: `Take ${names}: ${apart}${ofSafe}${which} ${among}${cost}${busy}${trust}`,
    because: [
      ...calmEnds(conditions).flatMap((one) => becauseOf('rate', one, safe, facts)),
      ...becauseOf('cpu', heaviest, safe, facts),
      ...becauseOf('memory', heaviest, safe, facts),
    ],
    unless: unsafe.map((name) => unlessOf(name, facts, choice)),
  };
}

/** True if other programs disturbed half of the measurements or more. */
function isBusy({ cells }: Pick<Run, 'cells'>): boolean {
  const bad = cells.filter(({ figures }) => figures !== null && isDisturbed(figures));
  return bad.length * 2 >= cells.length;
}

/** The rows of a run, by architecture and condition, and the differences between them. */
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
   * Sorts the architectures that have the figure, smallest first. It sorts by geometric mean,
   * because the displayed ratios are ratios of geometric means. Medians may have another order.
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

  /** The architecture with the highest rate, and all that are not provably slower. */
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

/**
 * Conditions without silent clients: for each think time, those with the fewest and the most
 * connections.
 */
function calmEnds(conditions: readonly Condition[]): Condition[] {
  const calm = conditions.filter(({ silent }) => silent === 0);
  const ways = Map.groupBy(calm.length > 0 ? calm : conditions, thinkText);
  return [...ways.values()].flatMap((own) => {
    const sorted = own.toSorted((a, b) => a.connections - b.connections);
    return sorted.length > 1 ? [sorted[0]!, sorted.at(-1)!] : sorted;
  });
}

/** Number of others that a row names besides the best. */
const MOST_NAMED = 3;

/** Names of the figures in the table. The highest rate is best; of the costs, the lowest. */
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
  const compared = others.slice(0, MOST_NAMED).map(({ variant }) => {
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

/**
 * For an architecture that left connections unanswered: where it did, and how it does elsewhere.
 */
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

/** A condition under which it was provably faster than the choice and answered every connection. */
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
