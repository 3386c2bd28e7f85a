/** `mondo siege`: attacks servers that it starts itself, and prints a matrix of grades. */
import { architectureNames } from '../architectures/catalogue.ts';
import { ServeError } from '../host/errors.ts';
import { architectureNamed } from '../host/plan.ts';
import { requireSystemCalls } from '../host/system-calls.ts';
import { tableLines } from '../instruments/report/table.ts';
import { attackNamed, attacks } from '../instruments/siege/attacks.ts';
import { htmlPage } from '../instruments/siege/html.ts';
import { matrixLines } from '../instruments/siege/matrix.ts';
import type { Mode } from '../instruments/siege/settings.ts';
import { fallen, isVoidOnly, siege } from '../instruments/siege/siege.ts';
import { lineOf, progressLine } from '../instruments/siege/words.ts';
import { onInterrupt } from './interrupt.ts';
import { checkOutputs, writeOutputs } from './output.ts';
import { CommandError } from './report.ts';
import { listingWidth } from './terminal.ts';

interface Options {
  readonly attack: readonly string[];
  readonly limits: Mode | 'both';
  readonly seconds: number;
  readonly html?: string;
  readonly json?: boolean;
  readonly list?: boolean;
}

export async function siegeCommand(names: readonly string[], options: Options): Promise<void> {
  if (options.list === true) return list();
  const architectures = names.length > 0 ? names.map(architectureNamed) : architectureNames;
  const chosen = options.attack.length > 0 ? options.attack.map(attackOf) : attacks;
  requireSystemCalls('lay siege');
  // Check it before the siege: after it, minutes would be lost.
  checkOutputs([options.html]);
  const { signal } = onInterrupt({
    first: () => console.error('Stopping after this cell; Ctrl-C again stops at once'),
  });
  const began = performance.now();
  const report = await siege(
    {
      architectures: [...new Set(architectures)],
      attacks: [...new Set(chosen)],
      modes: options.limits === 'both' ? ['off', 'on'] : [options.limits],
      duration: options.seconds * 1000,
      signal,
    },
    (what, done, all) => {
      const left = ((performance.now() - began) / 1000 / done) * (all - done);
      console.error(progressLine(what, done, all, left));
    },
  );
  const fault = await writeOutputs([{ file: options.html, text: () => htmlPage(report) }]);
  // A void grade, and a recovery that did not occur, are null.
  const orNull = (_: string, value: unknown) => value ?? null;
  if (options.json === true) console.log(JSON.stringify(report, orNull, 2));
  else if (report.cells.length > 0) {
    const width = process.stdout.isTTY ? process.stdout.columns : undefined;
    console.log(matrixLines(report, width).join('\n'));
  }
  if (fault !== undefined) throw fault;
  const done = report.cells.length + report.missing.length;
  if (done < report.planned) {
    throw new CommandError(`Stopped by Ctrl-C after ${done} of ${report.planned} cells`);
  }
  const bad = fallen(report);
  if (bad.length === 0) return;
  const isVoid = (one: (typeof bad)[number]) => !('error' in one) && isVoidOnly(one);
  const worse = bad.filter((one) => !isVoid(one));
  if (worse.length === 0) {
    throw new CommandError(
      `${bad.length} of ${done} cells are void and say nothing about limits; the first: ${lineOf(bad[0]!)}`,
    );
  }
  throw new CommandError(
    `${worse.length} of ${done} cells show that limits did not stop the attack; the first: ${lineOf(worse[0]!)}`,
  );
}

function attackOf(name: string) {
  const attack = attackNamed(name);
  if (attack !== undefined) return attack;
  const all = attacks.map((one) => one.name).join(', ');
  throw new ServeError('usage', `There is no attack "${name}"; there are ${all}`);
}

function list(): void {
  const rows = attacks.map(({ name, what, stoppedBy }) => [name, what, stoppedBy]);
  const width = listingWidth();
  const head = ['attack', 'what its clients do', 'what stops it'];
  const table = tableLines({ head, rows }, { width });
  for (const row of table) console.log(row.join('\n'));
}
