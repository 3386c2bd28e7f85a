/** Runs a whole siege: all requested cells, one after the other, and the report on them. */
import { cpus, loadavg, release } from 'node:os';
import { type ArchitectureName, loadArchitecture } from '../../architectures/catalogue.ts';
import type { Traits } from '../../worker/contract.ts';
import { Attacker } from './apart.ts';
import type { Attack } from './attacks.ts';
import { type Cell, runCell } from './cell.ts';
import { DRAIN, rule, voidFor } from './grade.ts';
import { limitsOf, type Mode } from './settings.ts';

export interface SiegeOptions {
  readonly architectures: readonly ArchitectureName[];
  readonly attacks: readonly Attack[];
  readonly modes: readonly Mode[];
  /** How long honest clients connect during an attack, in ms. */
  readonly duration: number;
  /** If it is aborted, the current cell is the last. */
  readonly signal?: AbortSignal;
}

/** A cell that could not run, and why. */
export interface Missing {
  readonly architecture: string;
  readonly attack: string;
  readonly limits: Mode;
  readonly error: string;
}

export interface Report {
  readonly at: string;
  readonly machine: {
    readonly cpus: number;
    readonly kernel: string;
    readonly node: string;
    /** Load average of the last minute, before and after: threads that want a processor. */
    readonly load: readonly [before: number, after: number];
  };
  readonly duration: number;
  readonly drainDeadline: number;
  readonly rule: readonly string[];
  /** The limits of the mode `on`, by architecture, because the limit per address differs. */
  readonly limits: Readonly<Record<string, object>>;
  /** Number of planned cells. */
  readonly planned: number;
  readonly cells: readonly Cell[];
  readonly missing: readonly Missing[];
}

/** @param onCell called at the end of each cell, with the number of ended and of planned cells */
export async function siege(
  options: SiegeOptions,
  onCell: (cell: Cell | Missing, done: number, all: number) => void,
): Promise<Report> {
  const before = loadavg()[0]!;
  const catalogue: Traits[] = await Promise.all(options.architectures.map(loadArchitecture));
  const plans = catalogue.flatMap((traits) =>
    options.attacks
      .filter(({ isFor }) => isFor === undefined || isFor(traits))
      .flatMap((attack) =>
        options.modes.map((mode) => ({ traits, attack, mode, duration: options.duration })),
      ),
  );
  const cells: Cell[] = [];
  const missing: Missing[] = [];
  const tell = (what: Cell | Missing) => onCell(what, cells.length + missing.length, plans.length);
  let attacker = await Attacker.start();
  for (const plan of plans) {
    if (options.signal?.aborted) break;
    try {
      let cell = await runCell(plan, attacker);
      // Other programs may be the reason. It is repeated only once, so that a siege is bounded.
      if (isDoubtful(cell)) cell = await runCell(plan, attacker);
      if (isDoubtful(cell)) cell = voided(cell);
      cells.push(cell);
      tell(cell);
    } catch (error) {
      const lost: Missing = {
        architecture: plan.traits.name,
        attack: plan.attack.name,
        limits: plan.mode,
        error: (error as Error).message,
      };
      missing.push(lost);
      tell(lost);
      // After an error, the attack may still be running.
      await attacker.close();
      attacker = await Attacker.start();
    }
  }
  await attacker.close();
  return {
    at: new Date().toISOString(),
    machine: {
      cpus: cpus().length,
      kernel: release(),
      node: process.version,
      load: [before, loadavg()[0]!],
    },
    duration: options.duration,
    drainDeadline: DRAIN,
    rule,
    limits: Object.fromEntries(catalogue.map((traits) => [traits.name, limitsOf('on', traits)])),
    planned: plans.length,
    cells,
    missing,
  };
}

/** If other programs use more processors than this, they may be why a server did badly. */
const CROWDED = 0.5;

const keeps = ({ limits, byDesign, grade }: Cell): boolean =>
  limits === 'off' || byDesign !== undefined || grade === 'A' || grade === 'B';

const drains = ({ limits, drain }: Cell): boolean =>
  limits === 'off' || drain?.byDesign !== undefined || drain?.grade === 'A';

/** A cell that is void because of a slow machine is not measured again. */
const isDoubtful = (cell: Cell): boolean =>
  !(keeps(cell) && drains(cell)) && cell.others > CROWDED && !cell.tooSlow;

function voided(cell: Cell): Cell {
  const why = `others kept ${cell.others.toFixed(1)} processors of this machine busy`;
  const { drain } = cell;
  return {
    ...(keeps(cell) ? cell : voidFor(cell, why)),
    drain: drains(cell) || drain === undefined ? drain : voidFor(drain, why),
  };
}

/** True if a cell fails only because it is void, and no grade in it is bad. */
export const isVoidOnly = ({ grade, byDesign, drain }: Cell): boolean =>
  (grade === undefined || grade <= 'B' || byDesign !== undefined) &&
  (drain?.grade !== 'F' || drain.byDesign !== undefined) &&
  drain !== undefined;

/**
 * Cells with limits on that must be A or B and are not, including void ones and those that could
 * not run.
 */
export function fallen({ cells, missing }: Pick<Report, 'cells' | 'missing'>): (Cell | Missing)[] {
  const bad = cells.filter((cell) => !keeps(cell) || !drains(cell));
  return [...bad, ...missing.filter(({ limits }) => limits === 'on')];
}
