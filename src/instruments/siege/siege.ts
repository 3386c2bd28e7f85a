/** A whole siege: every cell that was asked for, one after the other, and what it comes to. */
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
  /** How long honest clients come while an attack goes on, in ms. */
  readonly duration: number;
  /** Once it is aborted, the cell that goes on is the last. */
  readonly signal?: AbortSignal;
}

/** A cell that could not be run, and why. */
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
    /** How many wanted a processor in the last minute, before and after. */
    readonly load: readonly [before: number, after: number];
  };
  readonly duration: number;
  readonly drainDeadline: number;
  readonly rule: readonly string[];
  /** With limits on: by architecture, since what one address may have differs. */
  readonly limits: Readonly<Record<string, object>>;
  /** How many cells there were to be. */
  readonly planned: number;
  readonly cells: readonly Cell[];
  readonly missing: readonly Missing[];
}

/** @param told is told of each cell as it ends, and of how many there are */
export async function siege(
  options: SiegeOptions,
  told: (cell: Cell | Missing, done: number, all: number) => void,
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
  const tell = (what: Cell | Missing) => told(what, cells.length + missing.length, plans.length);
  let attacker = await Attacker.start();
  for (const plan of plans) {
    if (options.signal?.aborted) break;
    try {
      let cell = await runCell(plan, attacker);
      // Others may have been the reason. Once only: a siege has an end.
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
      // Whatever went wrong, an attack may still be going on.
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

/** Others that keep more processors busy than this could be why a server did badly. */
const CROWDED = 0.5;

const keeps = ({ limits, byDesign, grade }: Cell): boolean =>
  limits === 'off' || byDesign !== undefined || grade === 'A' || grade === 'B';

const drains = ({ limits, drain }: Cell): boolean =>
  limits === 'off' || drain?.byDesign !== undefined || drain?.grade === 'A';

/** What is void already, as the machine is too slow, is not measured again. */
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

/** Whether a cell is no pass only because it says nothing: no grade is bad, and one is void. */
export const isVoidOnly = ({ grade, byDesign, drain }: Cell): boolean =>
  (grade === undefined || grade <= 'B' || byDesign !== undefined) &&
  (drain?.grade !== 'F' || drain.byDesign !== undefined) &&
  drain !== undefined;

/** Cells with limits on that are to be A or B and are not: void ones, and those that could not be run, too. */
export function fallen({ cells, missing }: Pick<Report, 'cells' | 'missing'>): (Cell | Missing)[] {
  const bad = cells.filter((cell) => !keeps(cell) || !drains(cell));
  return [...bad, ...missing.filter(({ limits }) => limits === 'on')];
}
