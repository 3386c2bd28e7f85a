/**
 * What to choose, in plain words, with the figures that led to it. Nothing is said that was not measured in this
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
  figureWords,
  intervalText,
  listed,
  medianText,
  thinkText,
  verdictText,
} from './words.ts';

export interface Recommendation {
  /** Null where nothing can be recommended. */
  readonly choice: string | null;
  readonly headline: string;
  /** The figures that led to it, a sentence each. */
  readonly because: readonly string[];
  /** When another may be chosen all the same. */
  readonly unless: readonly string[];
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
      unless: unsafe.map((name) => onlyIf(name, facts)),
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
  const names = peers.length > 1 ? `${listed(peers, 'or')}` : choice!;
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
      ...calmEnds(conditions).map((one) => rateSentence(one, fastest.get(one)!, safe, facts)),
      ...costSentences(calmEnds(conditions).at(-1), safe, facts),
      ...silenceSentences(facts, safe),
    ],
    unless: unsafe.map((name) => onlyIf(name, facts, choice)),
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

/** How many others are named in a sentence. */
const NAMED = 3;

function rateSentence(
  condition: Condition,
  fastest: readonly string[],
  safe: readonly string[],
  facts: Facts,
): string {
  const [best, ...others] = facts.sorted(condition, safe, 'rate').toReversed();
  const rate = figureWords.rate.text(best!.levels.rate!.median);
  const name = best!.variant.architecture;
  const compared = others.slice(0, NAMED).map(({ variant }) => {
    const difference = facts.difference('rate', best!.variant, variant);
    const doubt = fastest.includes(variant.architecture) ? ` (${verdictText(difference)})` : '';
    return `${intervalText(difference.interval)} times ${variant.architecture}${doubt}`;
  });
  const limit = best!.loadBound
    ? '; the load was at its limit there, so it may be faster than that'
    : '';
  const rest = compared.length > 0 ? `: ${listed(compared)}` : '';
  return `At ${conditionText(condition)}, ${name} answered most, ${rate} a second${rest}${limit}`;
}

function costSentences(
  condition: Condition | undefined,
  safe: readonly string[],
  facts: Facts,
): string[] {
  if (condition === undefined) return [];
  const sentences: string[] = [];
  const [least, ...others] = facts.sorted(condition, safe, 'cpu');
  if (least !== undefined && others.length > 0) {
    const compared = others.slice(0, NAMED).map(({ variant }) => {
      const difference = facts.difference('cpu', variant, least.variant);
      return `${variant.architecture} ${intervalText(difference.interval)} times that (${verdictText(difference)})`;
    });
    sentences.push(
      `An answer costs ${least.variant.architecture} least there, ${medianText('cpu', least.levels.cpu)} µs of a processor; it costs ${listed(compared)}`,
    );
  }
  const memory = facts.sorted(condition, facts.architectures, 'memory');
  const [small, large] = [memory[0], memory.at(-1)];
  if (small !== undefined && large !== undefined && small !== large) {
    const sizeOf = (row: Row) =>
      `${medianText('memory', row.levels.memory)} MiB (${row.variant.architecture})`;
    sentences.push(`Memory there lies between ${sizeOf(small)} and ${sizeOf(large)}`);
  }
  return sentences;
}

/** What silent clients did, at the most connections that were measured with them. */
function silenceSentences(facts: Facts, safe: readonly string[]): string[] {
  const noisy = facts.conditions.filter(({ silent }) => silent > 0);
  const condition = noisy.at(-1);
  if (condition === undefined) return [];
  const silenced = facts.architectures.filter((name) =>
    noisy.some((one) => facts.at(one, name)?.levels.rate?.median === 0),
  );
  const kept = safe.flatMap((name) => {
    const row = facts.at(condition, name);
    const calm = facts.at({ ...condition, silent: 0 }, name);
    if (row === undefined || calm === undefined) return [];
    const difference = facts.difference('rate', row.variant, calm.variant);
    if (difference.interval === null) return [];
    return [`${name} ${intervalText(difference.interval)} (${verdictText(difference)})`];
  });
  const who = several(condition.silent, 'silent client');
  return [
    ...(silenced.length > 0 ? [`With ${who}, ${listed(silenced)} answered nobody at all`] : []),
    ...(kept.length > 0
      ? [
          `With ${who} beside ${several(condition.connections, 'connection')}, the rates of the others were so many times what they were without: ${listed(kept)}`,
        ]
      : []),
  ];
}

/** For one that left connections unanswered: where it did, and how it does where it does not. */
function onlyIf(name: string, facts: Facts, choice?: string): string {
  const bad = facts.of(name).filter(({ starves }) => starves);
  const calm = bad
    .filter(({ variant }) => variant.silent === 0)
    .toSorted((a, b) => a.variant.connections - b.variant.connections)[0];
  const quiet = bad.find(({ variant }) => variant.silent > 0);
  const conditions: string[] = [];
  const proofs: string[] = [];
  if (calm !== undefined) {
    const { connections } = calm.variant;
    const left = Math.round(calm.neverAnswered?.median ?? connections);
    const served = Math.max(1, connections - left);
    conditions.push(
      `never more than ${several(served, 'client')} ${served === 1 ? 'is' : 'are'} connected at once`,
    );
    proofs.push(`${left} of ${several(connections, 'connection')} were never answered`);
  }
  if (quiet !== undefined) {
    const { connections, silent } = quiet.variant;
    const left = Math.round(quiet.neverAnswered?.median ?? connections);
    conditions.push('none of them keeps silent');
    const verb = proofs.length > 0 ? '' : ' were never answered';
    proofs.push(`beside ${several(silent, 'silent client')} ${left} of ${connections}${verb}`);
  }
  const gain = choice === undefined ? '' : gainText(name, choice, facts);
  return `Choose ${name} only if ${listed(conditions)}: ${proofs.join(', and ')}${gain}`;
}

/** Where it was faster than the choice and left nobody out. */
function gainText(name: string, choice: string, facts: Facts): string {
  for (const row of facts.of(name).filter(({ starves }) => !starves)) {
    const other = facts.at(row.variant, choice);
    if (other === undefined) continue;
    const { verdict, interval } = facts.difference('rate', row.variant, other.variant);
    if (verdict !== 'more') continue;
    return `; at ${conditionText(row.variant)} it answered ${intervalText(interval)} times as many as ${choice}`;
  }
  return '';
}
